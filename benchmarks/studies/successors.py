"""Later models than the paper's, which `table3` and `scaling` predict the memory of in tables of their own.

The paper's tables and claims are about the models of `MODEL_NAMES` alone. Any study trains the successors by
`--models`, at the sizes of the profile; memory is predicted at their published sizes.
"""

from collections.abc import Mapping

from benchmarks.names import SUCCESSOR_NAMES
from benchmarks.workload import PAPER_VOLUMES, Phase, Probe, Shape

LOCATIONS: Mapping[str, int | None] = dict.fromkeys(SUCCESSOR_NAMES) | {"iosnet": 2**14}
"""Locations of each successor in training and per pass, as for the paper's models; None for models of all voxels."""

PUBLISHED_SIZES = (
    "Successors: IOSNet has OSS-Net's encoder without its heads and a decoder of three layers of 1024; HNOSeg-XS has "
    "24 filters; SegResNet has 16, and takes one window of up to 128 voxels per side, in training and per pass"
)


def memory(dataset: str, shape: Shape) -> list[Probe]:
    """Return a training step on one volume, one evaluation, and, in function space, a whole segmentation.

    The evaluation of a model of all voxels is its segmentation.
    """
    phases: tuple[Phase, ...] = ("training", "inference")
    steps = [
        Probe("memory", model, dataset, shape, phase, locations)
        for phase in phases
        for model, locations in LOCATIONS.items()
    ]
    segmentations = [
        Probe("memory", model, dataset, shape, "extraction", locations, extraction="mise")
        for model, locations in LOCATIONS.items()
        if locations is not None
    ]
    return steps + segmentations


def paper_volumes() -> list[Probe]:
    """Return the memory at the paper's volumes."""
    return [probe for dataset, (shape, _) in PAPER_VOLUMES.items() for probe in memory(dataset, shape)]
