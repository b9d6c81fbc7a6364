"""Table 1: sampling strategies and numbers of locations in training, with OSS-Net C."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from benchmarks.markup import power_of_two
from benchmarks.study import Layout, Point, Study

if TYPE_CHECKING:
    from ossnet.training.profile import Profile

MODEL = "c"
STRATEGIES = ("uniform", "border", "confidence")
LOCATIONS = (2**13, 2**14, 2**15)
"""Of the paper; a profile with smaller volumes draws fewer by its `locations_scale`."""


def grid(profile: "Profile") -> Sequence[Point]:
    """Every strategy with every number of locations from every seed, all for the same number of epochs."""
    return [
        Point(
            MODEL,
            seed,
            {"sampling": strategy, "locations": locations, "drawn": locations // profile.locations_scale},
            {"recipe": {"sampling": {"strategy": strategy, "count": locations // profile.locations_scale}}},
        )
        for strategy in STRATEGIES
        for locations in LOCATIONS
        for seed in profile.seeds
    ]


TABLE1 = Study(
    Layout(
        table="table1",
        title="Table 1: sampling strategies and numbers of locations, OSS-Net C",
        heads={"model": None, "sampling": "Sampling", "locations": "Locations", "drawn": "Drawn"},
        rows=[(MODEL, strategy, locations) for strategy in STRATEGIES for locations in LOCATIONS],
        names={
            "sampling": {"uniform": "Uniform", "border": "Border", "confidence": "Confidence (ours)"},
            "locations": {locations: power_of_two(locations) for locations in LOCATIONS},
        },
        note=(
            "Locations: of the paper, for its volumes; drawn: of these volumes in training, scaled down with them. "
            "Confidence sampling, which the paper leaves to future work, is this suite's"
        ),
    ),
    grid,
)
