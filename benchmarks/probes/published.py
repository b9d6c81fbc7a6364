"""The probes behind the numbers of the paper's Table 3, and those that this suite adds to them."""

from dataclasses import replace
from typing import NamedTuple, get_args

import pandas as pd

from benchmarks.names import PUBLISHED, read_published
from benchmarks.study import Implementation, Probe, UNetVariant

FUNCTION_SPACE = ("onet", "a", "b", "c", "d")

BATCH_SIZES = {
    "brats": {"unet3d": 2, "unet2d-depth": 32, **dict.fromkeys(FUNCTION_SPACE, 8)},
    "lits": {"unet3d": 2, "unet2d-width": 12, **dict.fromkeys(FUNCTION_SPACE, 4)},
}
"""Of the paper's trainings (Section 4.1): volumes, or slices of the slicing U-Net. Its table is of one sample."""

FULL_LOCATIONS = 2**14

UNETS: tuple[Implementation, ...] = ("released", *get_args(UNetVariant))
"""The U-Nets that the paper's may be: this suite's, and what differs from them in what the paper leaves open."""


class PublishedMemory(NamedTuple):
    """A number of the paper's Table 3.

    Attributes:
        probe: what it answers, put to this suite.
        gigabytes: of 10^9 bytes; None where the paper only gives a bound, which `note` tells.
    """

    probe: Probe
    gigabytes: float | None
    note: str


def published_memory() -> list[PublishedMemory]:
    """The paper's numbers in the order of `results/published/table3.csv`."""
    return [_number(row) for _, row in read_published(PUBLISHED, "table3").iterrows()]


def published_gigabytes() -> dict[Probe, float | None]:
    """The same by what answers it."""
    return {number.probe: number.gigabytes for number in published_memory()}


def unet_memory() -> list[PublishedMemory]:
    """The paper's numbers of its U-Nets, without those of the 3-D one on LiTS, which are BraTS's over again."""
    return [
        number
        for number in published_memory()
        if number.probe.locations is None and (number.probe.model, number.probe.dataset) != ("unet3d", "lits")
    ]


def unet_probe(number: PublishedMemory, unets: Implementation) -> Probe:
    """What answers a number for one of `UNETS`: where another axis makes no other slices, this suite's U-Nets."""
    no_other = number.probe.model == "unet3d" or len(set(number.probe.shape)) == 1
    if unets == "slices across another axis" and no_other:
        unets = "released"
    return replace(number.probe, implementation=unets)


def extractions() -> list[Probe]:
    """Whole segmentations of the paper's volumes in function space, which the paper has no memory of.

    A model of all voxels segments in the evaluation that the paper's numbers are of.
    """
    return [
        replace(number.probe, phase="extraction", extraction="mise")
        for number in published_memory()
        if number.probe.phase == "inference" and number.probe.locations == FULL_LOCATIONS
    ]


def paper_batches() -> list[Probe]:
    """A training step of each model with the batch that the paper trained it with."""
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
