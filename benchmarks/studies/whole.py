"""A whole segmentation of 512^3 voxels by OSS-Net C, the paper's size of LiTS: its memory and time."""

from dataclasses import replace

from benchmarks.study import DeviceType, EfficiencyStudy, Probe

ONE_PASS = Probe("memory", "c", "lits", (512, 512, 512), "inference", 2**14)
SEGMENTATION = replace(ONE_PASS, phase="extraction", extraction="mise")


def predicted() -> list[Probe]:
    """The segmentation, and the one pass that the paper's Table 3 has."""
    return [ONE_PASS, SEGMENTATION]


def measured(device_type: DeviceType) -> list[Probe]:
    """The segmentation, on any device: some minutes on a laptop."""
    return [SEGMENTATION]


WHOLE = EfficiencyStudy("whole", "Segmenting 512^3 voxels", predicted, measured)
