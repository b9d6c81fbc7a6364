import pytest

from benchmarks.names import MODEL_NAMES, PUBLISHED, read_published
from benchmarks.studies.table2 import TABLE2
from ossnet.data.case import Dataset
from ossnet.registry import model_names
from ossnet.training.profile import load_profile, profile_names


def test_its_rows_are_the_papers_models() -> None:
    of_paper = list(dict.fromkeys(read_published(PUBLISHED, "table2")["model"]))
    assert [model for (model,) in TABLE2.layout.rows] == of_paper
    assert {point.model for point in TABLE2.grid(load_profile("laptop"))} == set(MODEL_NAMES) <= set(model_names())


@pytest.mark.parametrize("profile", profile_names())
def test_its_models_are_trained_as_the_profile_says(profile: str, dataset: Dataset) -> None:
    """Nothing is laid over it, and all take the same cases in the same preprocessing."""
    loaded = load_profile(profile)
    points = TABLE2.grid(loaded)
    assert not any(point.overrides or point.columns for point in points)
    specs = [loaded.spec(point.model, dataset, point.seed) for point in points]
    first = specs[0]
    for spec in specs:
        assert spec.preprocessing == first.preprocessing
        assert spec.fingerprint == first.fingerprint
