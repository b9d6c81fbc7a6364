"""Probes of the numbers in the paper's Table 3, and those that this suite adds to them."""

from dataclasses import replace
from typing import NamedTuple, get_args

import pandas as pd

from benchmarks.names import PUBLISHED, read_published
from benchmarks.workload import Implementation, Probe, UNetVariant

FUNCTION_SPACE = ("onet", "a", "b", "c", "d")

BATCH_SIZES = {
    "brats": {"unet3d": 2, "unet2d-depth": 32, **dict.fromkeys(FUNCTION_SPACE, 8)},
    "lits": {"unet3d": 2, "unet2d-width": 12, **dict.fromkeys(FUNCTION_SPACE, 4)},
}
"""Batch sizes of the paper's trainings (Section 4.1): volumes, or slices of the slicing U-Net.

The paper's Table 3 is for a single sample.
"""

FULL_LOCATIONS = 2**14

UNETS: tuple[Implementation, ...] = ("released", *get_args(UNetVariant))
"""Candidates for the paper's U-Nets: this suite's, and variants of them in what the paper leaves open."""


class PublishedMemory(NamedTuple):
    """Number in the paper's Table 3.

    Attributes:
        probe: probe of this suite that measures the same.
        gigabytes: memory in GB (10^9 bytes); None where the paper gives only a bound, which is in `note`.
        note: note in the file of the paper's numbers.
    """

    probe: Probe
    gigabytes: float | None
    note: str


def published_memory() -> list[PublishedMemory]:
    """Return the paper's numbers in the order of `results/published/table3.csv`."""
    return [_number(row) for _, row in read_published(PUBLISHED, "table3").iterrows()]


def published_gigabytes() -> dict[Probe, float | None]:
    """Return the paper's numbers in GB by their probes."""
    return {number.probe: number.gigabytes for number in published_memory()}


def unet_memory() -> list[PublishedMemory]:
    """Return the paper's numbers of its U-Nets, except those of the 3D U-Net on LiTS, which repeat those on BraTS."""
    return [
        number
        for number in published_memory()
        if number.probe.locations is None and (number.probe.model, number.probe.dataset) != ("unet3d", "lits")
    ]


def unet_probe(number: PublishedMemory, unets: Implementation) -> Probe:
    """Return the probe of a number for one of `UNETS`; where another axis makes no difference, for this suite's."""
    has_no_other_slices = number.probe.model == "unet3d" or len(set(number.probe.shape)) == 1
    if unets == "slices across another axis" and has_no_other_slices:
        unets = "released"
    return replace(number.probe, implementation=unets)


def lean_trainings() -> list[Probe]:
    """Return the lean training of each function-space model in the paper's table."""
    return [
        replace(number.probe, implementation="lean")
        for number in published_memory()
        if number.probe.phase == "training" and number.probe.model in FUNCTION_SPACE
    ]


def extractions() -> list[Probe]:
    """Return whole segmentations of the paper's volumes in function space, of which the paper has no numbers.

    A model that evaluates all voxels segments the volume in the evaluation that the paper measures.
    """
    return [
        replace(number.probe, phase="extraction", extraction="mise")
        for number in published_memory()
        if number.probe.phase == "inference" and number.probe.locations == FULL_LOCATIONS
    ]


def paper_batches() -> list[Probe]:
    """Return a training step of each model with the paper's batch."""
    return [
        replace(number.probe, batch_size=BATCH_SIZES[number.probe.dataset][number.probe.model])
        for number in published_memory()
        if number.probe.phase == "training" and number.gigabytes is not None
    ]


def _number(row: pd.Series) -> PublishedMemory:
    height, width, depth = map(int, row["resolution"].split("x"))
    probe = Probe(
        quantity="memory",
        model=row["model"],
        dataset=row["dataset"],
        shape=(height, width, depth),
        phase=row["quantity"].removesuffix("_memory"),
        locations=None if pd.isna(row["locations"]) else int(row["locations"]),
    )
    return PublishedMemory(probe, None if pd.isna(row["value"]) else float(row["value"]), row["note"])
