"""Table 1: sampling strategies and numbers of locations in training, with OSS-Net C."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from benchmarks.layout import Layout
from benchmarks.markup import power_of_two
from benchmarks.study import Point, Study

if TYPE_CHECKING:
    from ossnet.training.profile import Profile

MODEL = "c"
STRATEGIES = ("uniform", "border", "confidence")
LOCATIONS = (2**13, 2**14, 2**15)
"""The paper's numbers; a profile with smaller volumes divides them by its `locations_scale`."""


def with_strategy(strategy: str) -> dict[str, str]:
    """Return the settings of sampling by a strategy; confidence sampling is none of the released code's."""
    return {"strategy": strategy, **({"protocol": "paper"} if strategy == "confidence" else {})}


def grid(profile: "Profile") -> Sequence[Point]:
    """Return every strategy with every number of locations and seed, all trained for the same number of epochs."""
    return [
        Point(
            MODEL,
            seed,
            {"sampling": strategy, "locations": locations, "drawn": locations // profile.locations_scale},
            {"recipe": {"sampling": with_strategy(strategy) | {"count": locations // profile.locations_scale}}},
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
            "Locations: the paper's number, for its volumes; Drawn: the number in this training, scaled down with the "
            "volumes. Confidence sampling is this suite's own; the paper leaves it to future work"
        ),
    ),
    grid,
)
