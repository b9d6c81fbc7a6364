"""A contract that every study fulfils."""

from pathlib import Path

import pytest

from benchmarks.runs.run_folder import identity
from benchmarks.scoring.segmentation import Segmentation
from benchmarks.studies.registry import STUDIES
from benchmarks.study import Study
from ossnet.config import plain
from ossnet.data.case import Dataset
from ossnet.training.profile import load_profile, profile_names

PUBLISHED = Path(__file__).parents[3] / "results" / "published"


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
    assert STUDIES[study.name] is study
    assert (PUBLISHED / f"{study.name}.csv").exists()


def test_an_identity_stays_what_it_is(dataset: Dataset) -> None:
    """Runs that were made are found again: nothing but a specification's own values goes into its identity."""
    spec = plain(Segmentation(load_profile("paper").spec("c", dataset, 1), "mise"))
    spec["training"]["fingerprint"] = ""
    assert identity(spec)[:12] == "27d7f3efe6b6"
