"""The study `ablations`: OSS-Net C with one change at a time."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from benchmarks.layout import Layout, Row
from benchmarks.study import Point, Study

if TYPE_CHECKING:
    from ossnet.training.profile import Profile

SEEDS = 5
"""Number of seeds of single changes: more than the tables have, since differences between changes are small."""

QUANTITIES = ("dice", "iou", "hausdorff95")
"""Quantities of the tables of differences: those of the paper, and a distance."""

BASELINE = "OSS-Net C"

SKIPS, AUXILIARY = {"output_skips": True}, {"auxiliary_weight": 0.1}
"""The two parts of the encoder that distinguish OSS-Net C from A."""

CHANGES: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    BASELINE: ("c", {}),
    "no patches": ("c", {"network": {"patches": False}}),
    "larger context (OSS-Net D)": ("d", {}),
    "no output skips": ("a", {"network": AUXILIARY}),
    "no auxiliary loss": ("a", {"network": SKIPS}),
    "neither of the two (OSS-Net A)": ("a", {}),
    "norms without conditioning": ("c", {"network": {"conditioning": False}}),
    "no latent in the decoder's input": ("c", {"network": {"latent_input": False}}),
    "ReLU": ("c", {"network": {"activation": "relu"}}),
    "leaky ReLU": ("c", {"network": {"activation": "leaky_relu"}}),
    "GELU": ("c", {"network": {"activation": "gelu"}}),
    "SiLU": ("c", {"network": {"activation": "silu"}}),
    "norms per feature": ("c", {"network": {"normalization": "feature"}}),
    "scaled locations": ("c", {"network": {"locations": "scaled"}}),
    "scaled locations, Fourier features": ("c", {"network": {"locations": "fourier"}}),
    "no Lookahead": ("c", {"recipe": {"optimization": {"lookahead": False}}}),
}
"""Models and settings of each change, by the name of the change.

A change that leaves out what defines OSS-Net C is that of the model which does not have it.
"""


def rows_of(changes: Mapping[str, tuple[str, Mapping[str, Any]]]) -> list[Row]:
    """Return the rows of changes in a table: model and change."""
    return [(model, change) for change, (model, _) in changes.items()]


def points_of(changes: Mapping[str, tuple[str, Mapping[str, Any]]], seeds: Sequence[int]) -> list[Point]:
    """Return every change with every seed."""
    return [
        Point(model, seed, {"change": change}, settings)
        for change, (model, settings) in changes.items()
        for seed in seeds
    ]


def several_seeds(profile: "Profile") -> tuple[int, ...]:
    """Return the profile's seeds, and if they are fewer than `SEEDS`, the next numbers after them."""
    further = range(max(profile.seeds) + 1, max(profile.seeds) + 1 + SEEDS)
    return (*profile.seeds, *further[: max(0, SEEDS - len(profile.seeds))])


def grid(profile: "Profile") -> Sequence[Point]:
    """Return every change with every seed."""
    return points_of(CHANGES, several_seeds(profile))


ABLATIONS = Study(
    Layout(
        table="ablations",
        title="Ablations of OSS-Net C",
        heads={"model": None, "change": "Change"},
        rows=rows_of(CHANGES),
        baseline=("c", BASELINE),
        quantities=QUANTITIES,
        in_paper={
            ("c", BASELINE): {"table": "table2", "model": "c"},
            ("d", "larger context (OSS-Net D)"): {"table": "table2", "model": "d"},
            ("a", "neither of the two (OSS-Net A)"): {"table": "table2", "model": "a"},
        },
        note=(
            "Each row is trained as OSS-Net C with one change. The activation named replaces the Padé units; "
            "neither of the two: no output skips and no auxiliary loss. Runs that Table 2 has, too, are shared with it"
        ),
    ),
    grid,
    only_by_name=True,
)
