"""Table 2: segmentation performance of every model."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from benchmarks.layout import Layout
from benchmarks.names import MODEL_NAMES
from benchmarks.study import Point, Study

if TYPE_CHECKING:
    from ossnet.training.profile import Profile


def grid(profile: "Profile", models: Iterable[str] = MODEL_NAMES) -> Sequence[Point]:
    """Return the models, by default the paper's, with every seed, as the profile trains them on the data set."""
    return [Point(model, seed) for model in models for seed in profile.seeds]


TABLE2 = Study(
    Layout(
        table="table2",
        title="Table 2: segmentation performance",
        heads={"model": "Model"},
        rows=[(model,) for model in MODEL_NAMES],
        names={"model": MODEL_NAMES},
    ),
    grid,
)
