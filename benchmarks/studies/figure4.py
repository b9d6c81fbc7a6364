"""Figure 4: the stages of an extraction, by the OSS-Net C of Table 2 and the paper's text of the improved inference."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from benchmarks.layout import Layout
from benchmarks.study import Point, Study

if TYPE_CHECKING:
    from ossnet.training.profile import Profile

MODEL = "c"


def grid(profile: "Profile") -> Sequence[Point]:
    """Return the first seed of the OSS-Net C, as Table 2 trains it."""
    return [Point(MODEL, profile.seeds[0])]


FIGURE4 = Study(
    Layout(
        table="figure4",
        title="Figure 4: the stages of an extraction by the paper's text (paper-prior), OSS-Net C",
        heads={"model": "Model"},
        rows=[(MODEL,)],
        names={"model": {MODEL: "OSS-Net C"}},
        note="One case is segmented by the model of one seed; the figure shows one plane of it",
    ),
    grid,
    scoring="octree stages",
    only_by_name=True,
)
