"""Memory and time of every model against the volume's resolution: what operating in function space is for."""

from benchmarks.efficiency.probe import Probe
from benchmarks.efficiency.study import DeviceType, EfficiencyStudy

EXTRACTIONS = {
    "unet3d": "dense",
    "unet2d-depth": "dense",
    "onet": "mise",
    "a": "mise",
    "b": "mise",
    "c": "prior",
    "d": "prior",
}
"""The models, and how each segments a whole volume. On cubes all orientations of the slicing U-Net take the same."""

VOXELISED = ("unet3d", "unet2d-depth")
LOCATIONS = 2**14

PREDICTED_EDGES = (64, 128, 256, 512, 1024)
MEASURED_EDGES: dict[DeviceType, tuple[int, ...]] = {"cuda": (64, 128, 256, 512), "cpu": (64, 128)}

TIMED = ("unet3d", "unet2d-depth", "onet", "c")
"""A, B and D are not timed, to keep within a GPU's ten minutes, and a laptop does not measure their memory either."""

SLOW: dict[DeviceType, tuple[str, int]] = {"cuda": ("unet2d-depth", 512), "cpu": ("unet2d-depth", 128)}
"""Model and edge: its filters are so many that passing over all slices takes minutes."""


def memory(edge: int) -> list[Probe]:
    """Of a training step and of one evaluation, of one volume, or of one slice a pass."""
    return [
        Probe("memory", model, "cube", (edge, edge, edge), phase, _locations(model))
        for phase in ("training", "inference")
        for model in EXTRACTIONS
    ]


def runtime(edge: int) -> list[Probe]:
    """Of the same, and of segmenting the whole volume, of which function-space models evaluate a part at a time."""
    steps = [
        Probe("runtime", model, "cube", (edge, edge, edge), phase, _locations(model))
        for phase in ("training", "inference")
        for model in TIMED
    ]
    segmentations = [
        Probe("runtime", model, "cube", (edge, edge, edge), "extraction", _locations(model), extraction=extraction)
        for model, extraction in EXTRACTIONS.items()
        if model in TIMED
    ]
    return steps + segmentations


def predicted() -> list[Probe]:
    """Memory at every resolution."""
    return [probe for edge in PREDICTED_EDGES for probe in memory(edge)]


def measured(device_type: DeviceType) -> list[Probe]:
    """Memory and time at every resolution that the device can be expected to hold, the lowest first."""
    probes = [
        probe
        for edge in MEASURED_EDGES[device_type]
        for probe in memory(edge) + runtime(edge)
        if (probe.model, edge) != SLOW[device_type] or probe.phase == "training"
    ]
    if device_type == "cuda":
        return probes
    # Whole segmentations are Figure 5's business, which takes a laptop long enough.
    return [probe for probe in probes if probe.phase != "extraction" and probe.model in TIMED]


def _locations(model: str) -> int | None:
    return None if model in VOXELISED else LOCATIONS


SCALING = EfficiencyStudy("scaling", "Memory and time against the volume's resolution", predicted, measured)
