"""The study `confidence`: confidence sampling against the paper's strategies, with OSS-Net C and equal budgets."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from benchmarks.layout import Layout
from benchmarks.studies.ablations import QUANTITIES, several_seeds
from benchmarks.studies.table1 import STRATEGIES, TABLE1, with_strategy
from benchmarks.study import Point, Study

if TYPE_CHECKING:
    from ossnet.training.profile import Profile

MODEL = "c"
BASELINE = "confidence"


def grid(profile: "Profile") -> Sequence[Point]:
    """Return every strategy with every seed, with the profile's number of locations."""
    return [
        Point(MODEL, seed, {"sampling": strategy}, {"recipe": {"sampling": with_strategy(strategy)}})
        for strategy in STRATEGIES
        for seed in several_seeds(profile)
    ]


CONFIDENCE = Study(
    Layout(
        table="confidence",
        title="Confidence sampling against uniform and border sampling, OSS-Net C",
        heads={"model": None, "sampling": "Sampling"},
        rows=[(MODEL, strategy) for strategy in STRATEGIES],
        names={"sampling": TABLE1.layout.names["sampling"]},
        baseline=(MODEL, BASELINE),
        quantities=QUANTITIES,
        note=(
            "All rows are trained on as many locations of as many cases. Confidence sampling is this suite's own; the "
            "paper leaves it to future work. Runs that Table 1 or the ablations have, too, are shared with them"
        ),
    ),
    grid,
    only_by_name=True,
)
