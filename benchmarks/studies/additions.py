"""The study `additions`: O-Net with one part of OSS-Net at a time, and with all of them."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from benchmarks.layout import Layout
from benchmarks.studies.ablations import AUXILIARY, QUANTITIES, SKIPS, points_of, rows_of, several_seeds
from benchmarks.study import Point, Study

if TYPE_CHECKING:
    from ossnet.training.profile import Profile

BASELINE = "O-Net"

WITHOUT_PATCHES = {"patches": False}

ADDED: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    BASELINE: ("a", {"network": WITHOUT_PATCHES}),
    "output skips": ("a", {"network": WITHOUT_PATCHES | SKIPS}),
    "auxiliary loss": ("a", {"network": WITHOUT_PATCHES | AUXILIARY}),
    "patches (OSS-Net A)": ("a", {}),
    "patches with larger context (OSS-Net B)": ("b", {}),
    "patches, skips and loss (OSS-Net C)": ("c", {}),
    "all of them (OSS-Net D)": ("d", {}),
}
"""Models and settings by the name of what is added.

O-Net is OSS-Net A without patches here, and so trained by the recipe of the OSS-Nets. The recipe of `onet`, which Table
2 has, may differ: with the profile `laptop` it has more epochs and larger batches.
"""


def grid(profile: "Profile") -> Sequence[Point]:
    """Return every addition with every seed."""
    return points_of(ADDED, several_seeds(profile))


ADDITIONS = Study(
    Layout(
        table="additions",
        title="Additions to O-Net",
        heads={"model": None, "change": "Addition"},
        rows=rows_of(ADDED),
        baseline=("a", BASELINE),
        quantities=QUANTITIES,
        in_paper={
            (model, change): {"table": "table2", "model": "onet" if change == BASELINE else model}
            for model, change in rows_of(ADDED)
            if change not in ("output skips", "auxiliary loss")
        },
        note=(
            "All rows are trained by the recipe of the OSS-Nets, O-Net too, which Table 2 may train by one of its own. "
            "Runs that Table 2 or the ablations have, too, are shared with them"
        ),
    ),
    grid,
    only_by_name=True,
)
