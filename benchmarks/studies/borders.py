"""The study `borders`: share and width of the border in sampling, with OSS-Net C."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from benchmarks.layout import Layout
from benchmarks.studies.ablations import QUANTITIES
from benchmarks.study import Point, Study

if TYPE_CHECKING:
    from ossnet.training.profile import Profile

MODEL = "c"
BASELINE = "half from the border"
UNIFORM = "all uniform"
SHARES = {"a quarter from the border": 0.25, "three quarters from the border": 0.75, "all from the border": 1.0}
WIDTHS = ("narrower border", "wider border")
SAME, NONE = "usual width", "no border"
PAPER_WIDTH = 25


def grid(profile: "Profile") -> Sequence[Point]:
    """Return every share and width with every seed of the profile.

    Widths are left out where borders are those of the released code, whose width is fixed.
    """
    of_recipe = profile.settings(MODEL).get("recipe", {}).get("sampling", {})
    fixed_width = of_recipe.get("protocol") == "released"
    return [
        Point(MODEL, seed, {"change": change, "width": str(width)}, {"recipe": {"sampling": sampling}})
        for (change, width), sampling in samplings(of_recipe.get("border_width", PAPER_WIDTH)).items()
        for seed in profile.seeds
        if not (fixed_width and change in WIDTHS)
    ]


def samplings(width: int) -> dict[tuple[str, str], dict[str, Any]]:
    """Return settings of the sampling by change and width, around a border of some width in voxels.

    The narrower border reaches half as far from the hull, and the wider one twice as far.
    """
    reach = (width - 1) // 2
    border: Mapping[str, Any] = {"strategy": "border", "border_width": width}
    found: dict[tuple[str, str], dict[str, Any]] = {
        (BASELINE, SAME): {**border, "border_share": 0.5},
        (UNIFORM, NONE): {"strategy": "uniform"},
    }
    found |= {(name, SAME): {**border, "border_share": share} for name, share in SHARES.items()}
    for name, further in zip(WIDTHS, (reach // 2, 2 * reach), strict=True):
        other = 2 * further + 1
        found[name, str(other)] = {**border, "border_share": 0.5, "border_width": other}
    return found


BORDERS = Study(
    Layout(
        table="borders",
        title="Share and width of the border in sampling, OSS-Net C",
        heads={"model": None, "change": "Locations", "width": "Width of the border"},
        rows=[(MODEL, BASELINE), (MODEL, UNIFORM), *((MODEL, change) for change in (*SHARES, *WIDTHS))],
        baseline=(MODEL, BASELINE, SAME),
        quantities=QUANTITIES,
        in_paper={
            (MODEL, BASELINE, SAME): {"table": "table1", "sampling": "border", "locations": 2**14},
            (MODEL, UNIFORM, NONE): {"table": "table1", "sampling": "uniform", "locations": 2**14},
        },
        note=(
            "Locations: the share that is drawn from the border of the label, the rest is uniform. Width: in voxels; "
            "usual: that of the profile. With the released code's sampling, whose border has a fixed width, others "
            "are not run. Half from the border and all uniform are rows of Table 1, too"
        ),
    ),
    grid,
    only_by_name=True,
)
