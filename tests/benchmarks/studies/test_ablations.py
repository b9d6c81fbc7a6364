"""The ablations: what each row changes, what the studies share, and which of the paper's numbers stand beside them."""

import math
from collections.abc import Mapping
from typing import Any

import pytest

from benchmarks.report.published_differences import published_difference
from benchmarks.scoring.segmentation import Segmentation
from benchmarks.studies.ablations import ABLATIONS, BASELINE, several_seeds
from benchmarks.studies.additions import ADDITIONS
from benchmarks.studies.borders import BORDERS
from benchmarks.studies.sizes import SIZES
from benchmarks.studies.table1 import TABLE1
from benchmarks.studies.table2 import TABLE2
from benchmarks.study import Point, Study
from ossnet.config import plain
from ossnet.data.case import Dataset
from ossnet.training.profile import Profile, load_profile

LAPTOP = load_profile("laptop")

EVERY = [ABLATIONS, ADDITIONS, SIZES, BORDERS]


def flat(values: Mapping[str, Any], name: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in values.items():
        found |= flat(value, f"{name}{key}.") if isinstance(value, dict) else {f"{name}{key}": value}
    return found


def settings(point: Point, dataset: Dataset, profile: Profile = LAPTOP) -> dict[str, Any]:
    """All settings of a training by dotted name, those of a network with their defaults."""
    spec = profile.spec(point.model, dataset, 0, point.overrides)
    defaults = {"network.conditioning": True, "network.latent_input": True, "recipe.optimization.lookahead": True}
    return defaults | flat({"network": dict(spec.network), "recipe": plain(spec.recipe)})


def by_change(study: Study, profile: Profile = LAPTOP) -> dict[Any, Point]:
    return {point.columns["change"]: point for point in study.grid(profile)}


@pytest.mark.parametrize("profile", ["laptop", "workstation", "paper"])
@pytest.mark.parametrize("study", [ABLATIONS, ADDITIONS, SIZES], ids=lambda study: study.name)
def test_a_row_differs_from_the_baseline_in_what_it_names_alone(study: Study, profile: str, dataset: Dataset) -> None:
    loaded = load_profile(profile)
    points = by_change(study, loaded)
    baseline, *others = (settings(point, dataset, loaded) for point in points.values())
    for change, values in zip(list(points)[1:], others, strict=True):
        differing = {name for name in baseline if baseline[name] != values.get(name)}
        several = {
            *("neither of the two (OSS-Net A)", "patches with larger context (OSS-Net B)"),
            *("patches, skips and loss (OSS-Net C)", "all of them (OSS-Net D)"),
        }
        assert len(differing) == 1 or change in several, change
        assert len(differing) >= 1


@pytest.mark.parametrize("study", EVERY, ids=lambda study: study.name)
def test_no_two_rows_are_the_same_training(study: Study, dataset: Dataset) -> None:
    specs = [Segmentation.of(point, LAPTOP, dataset) for point in study.grid(LAPTOP)]
    assert all(spec not in specs[:place] for place, spec in enumerate(specs))


def test_runs_are_shared_with_the_tables(dataset: Dataset) -> None:
    def specs(*studies: Study) -> list[Segmentation]:
        return [Segmentation.of(point, LAPTOP, dataset) for study in studies for point in study.grid(LAPTOP)]

    tables = specs(TABLE2, TABLE1)
    # A, C and D with the three seeds of the table, and with B also among the additions.
    assert sum(spec in tables for spec in specs(ABLATIONS)) == 3 * 3
    assert sum(spec in tables for spec in specs(ADDITIONS)) == 4 * 3
    assert sum(spec in tables for spec in specs(SIZES)) == 3
    assert sum(spec in tables for spec in specs(BORDERS)) == 2 * 3
    ablations = specs(ABLATIONS)
    # A, C and D with two further seeds.
    assert sum(spec in ablations and spec not in tables for spec in specs(ADDITIONS)) == 3 * 2


def test_seeds_go_on_behind_those_of_the_profile() -> None:
    assert several_seeds(LAPTOP) == (0, 1, 2, 3, 4)
    assert several_seeds(Profile("own", (7, 3), {})) == (7, 3, 8, 9, 10)
    assert several_seeds(Profile("own", tuple(range(6)), {})) == tuple(range(6))


def test_sizes_of_the_laptop() -> None:
    sizes = [(point.columns["change"], point.columns["size"]) for point in SIZES.grid(LAPTOP) if point.seed == 0]
    assert [size for _, size in sizes] == ["as it is", "3", "7", "32", "128", "3", "7", "2", "4"]
    deeper = by_change(SIZES)["deeper encoder"]
    assert deeper.overrides == {"network": {"encoder_channels": [8, 16, 32, 64]}}


@pytest.mark.parametrize(("profile", "widths"), [("laptop", (3, 13)), ("paper", (13, 49))])
def test_borders_reach_half_as_far_and_twice_as_far(profile: str, widths: tuple[int, int]) -> None:
    points = by_change(BORDERS, load_profile(profile))
    found = tuple(int(points[name].columns["width"]) for name in ("narrower border", "wider border"))
    assert found == widths


@pytest.mark.parametrize(
    ("study", "change", "dataset", "expected"),
    [
        (ABLATIONS, "larger context (OSS-Net D)", "glioma", 0.8774 - 0.8842),
        (ABLATIONS, "neither of the two (OSS-Net A)", "liver", 0.7127 - 0.7616),
        (ADDITIONS, "patches (OSS-Net A)", "glioma", 0.8592 - 0.7016),
        (ADDITIONS, "all of them (OSS-Net D)", "lits", 0.7566 - 0.6506),
        (BORDERS, "all uniform", "brats", 0.8842 - 0.8353),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_papers_differences(study: Study, change: str, dataset: str, expected: float) -> None:
    (row,) = {
        (point.model, *point.columns.values()) for point in study.grid(LAPTOP) if point.columns["change"] == change
    }
    assert published_difference(study.layout, row, dataset, "dice") == pytest.approx(expected)


def test_the_paper_has_no_numbers_for_other_rows_and_data_sets() -> None:
    differences = [published_difference(ABLATIONS.layout, row, "glioma", "iou") for row in ABLATIONS.layout.rows]
    assert sum(difference == difference for difference in differences) == 3
    assert ABLATIONS.layout.baseline == ("c", BASELINE)
    row = ("d", "larger context (OSS-Net D)")
    assert math.isnan(published_difference(ABLATIONS.layout, row, "own", "iou"))
