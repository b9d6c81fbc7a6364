"""The study `locations`: locations per pass of every extraction, on trained models (Figure 5 on real predictions)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from benchmarks.layout import Layout
from benchmarks.markup import power_of_two
from benchmarks.study import Point, Study

if TYPE_CHECKING:
    from ossnet.training.profile import Profile

MODEL = "c"
EXTRACTIONS = ("mise", "paper-prior", "released", "released-prior", "adaptive", "dense")
LOCATIONS = tuple(2**power for power in range(8, 18, 3))
"""Numbers of locations per pass; Figure 5 has every power of two between these ends."""


def grid(profile: "Profile") -> Sequence[Point]:
    """Return every extraction with every number of locations by the OSS-Net C of every seed, as Table 2 trains it."""
    return [
        Point(
            MODEL,
            seed,
            {"extraction": extraction, "locations": locations},
            extraction=extraction,
            max_locations=locations,
            split="validation",
            protocols=(),
        )
        for extraction in EXTRACTIONS
        for locations in LOCATIONS
        for seed in profile.seeds
    ]


LOCATIONS_PER_PASS = Study(
    Layout(
        table="locations",
        title="Locations per pass of every extraction, OSS-Net C",
        heads={"model": None, "extraction": "Extraction", "locations": "Locations per pass"},
        rows=[(MODEL, extraction, locations) for extraction in EXTRACTIONS for locations in LOCATIONS],
        names={"locations": {locations: power_of_two(locations) for locations in LOCATIONS}},
        note=(
            "Every row segments the same validation cases with the same models. The time is the median over cases of "
            "a whole segmentation, during which the machine may have done other work; the memory is the peak of all "
            "tensors"
        ),
        scoring_columns=("extraction", "locations"),
        baseline=(MODEL, "mise", 2**14),
        quantities=("dice", "segmentation_time", "segmentation_memory"),
    ),
    grid,
    only_by_name=True,
)
