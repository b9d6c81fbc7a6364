"""A contract that every study fulfils, and what is particular to each."""

from pathlib import Path

import pytest

from benchmarks.runs import identity
from benchmarks.segmentation import Segmentation
from benchmarks.studies import STUDIES, find_studies
from benchmarks.study import Study
from benchmarks.tables import MODEL_NAMES
from ossnet.config import plain
from ossnet.data.case import Dataset
from ossnet.errors import UserError
from ossnet.profile import load_profile, profile_names
from ossnet.sampling import FIELDS_OF

PUBLISHED = Path(__file__).parents[2] / "results" / "published"


@pytest.mark.parametrize("profile", profile_names())
@pytest.mark.parametrize("study", STUDIES.values(), ids=STUDIES)
def test_a_grid_fills_its_table(study: Study, profile: str, dataset: Dataset) -> None:
    points = study.grid(load_profile(profile))
    rows = [
        tuple((dict(point.columns) | {"model": point.model})[name] for name in study.layout.heads) for point in points
    ]
    assert len(set(zip(rows, (point.seed for point in points), strict=True))) == len(points)
    # Every row of the table is run from every seed, and nothing else is.
    seeds = load_profile(profile).seeds
    assert len(points) == len(study.layout.rows) * len(seeds)
    for row in study.layout.rows:
        assert sum(found[: len(row)] == row for found in rows) == len(seeds)


@pytest.mark.parametrize("study", STUDIES.values(), ids=STUDIES)
def test_a_study_is_found_by_its_name(study: Study) -> None:
    assert find_studies([study.name]) == [study]
    assert study.layout.table == study.name
    assert (PUBLISHED / f"{study.name}.csv").exists()


def test_no_name_is_every_study_and_another_is_a_mistake() -> None:
    assert find_studies([]) == list(STUDIES.values())
    with pytest.raises(UserError, match="unknown study 'table9'; choose from table1, table2"):
        find_studies(["table1", "table9"])


def test_table2_compares_every_model() -> None:
    assert {point.model for point in STUDIES["table2"].grid(load_profile("laptop"))} == set(MODEL_NAMES)


def test_table1_scales_the_papers_numbers_of_locations_down() -> None:
    for name, counts in (("paper", {8192, 16384, 32768}), ("laptop", {128, 256, 512})):
        points = STUDIES["table1"].grid(load_profile(name))
        assert {point.columns["drawn"] for point in points} == counts
        for point in points:
            sampling = point.overrides["recipe"]["sampling"]
            assert sampling == {"strategy": point.columns["sampling"], "count": point.columns["drawn"]}


@pytest.mark.parametrize("profile", profile_names())
def test_the_strategies_of_table1_differ_in_nothing_but_the_strategy(profile: str, dataset: Dataset) -> None:
    by_strategy: dict[str, list[dict]] = {}
    loaded = load_profile(profile)
    others = {"strategy", *(name for fields in FIELDS_OF.values() for name in fields)}
    for point in STUDIES["table1"].grid(loaded):
        recipe = plain(loaded.spec(point.model, dataset, point.seed, point.overrides).recipe)
        strategy = recipe["sampling"]["strategy"]
        recipe["sampling"] = {name: value for name, value in recipe["sampling"].items() if name not in others}
        by_strategy.setdefault(strategy, []).append(recipe)
    assert by_strategy["uniform"] == by_strategy["border"] == by_strategy["confidence"]


def test_an_identity_stays_what_it_is(dataset: Dataset) -> None:
    """Runs that were made are found again: nothing but a specification's own values goes into its identity."""
    spec = plain(Segmentation(load_profile("paper").spec("c", dataset, 1), "mise"))
    spec["training"]["fingerprint"] = ""
    assert identity(spec)[:12] == "27d7f3efe6b6"
