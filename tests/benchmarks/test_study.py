import doctest
from dataclasses import replace

import pytest

from benchmarks import study
from benchmarks.scoring.segmentation import Segmentation
from benchmarks.study import Point, with_models
from ossnet.data.case import Dataset
from ossnet.training.profile import load_profile


def test_the_examples_of_studies_work() -> None:
    results = doctest.testmod(study)
    assert results.attempted
    assert not results.failed


@pytest.mark.parametrize(("model", "extraction"), [("c", "mise"), ("unet3d", "dense")])
def test_a_point_is_extracted_as_its_model_is_unless_it_says_otherwise(
    model: str, extraction: str, dataset: Dataset
) -> None:
    profile = load_profile("laptop")
    plain = Segmentation.of(Point(model, 3), profile, dataset)
    assert plain.training == profile.spec(model, dataset, 3)
    assert (plain.extraction, plain.max_locations) == (extraction, 2**14)
    other = Segmentation.of(Point(model, 3, extraction="released", max_locations=64), profile, dataset)
    assert (other.extraction, other.max_locations) == ("released", 64)


def test_the_overrides_of_a_point_are_laid_over_the_profile(dataset: Dataset) -> None:
    profile = load_profile("laptop")
    of_profile, changed = (
        Segmentation.of(Point("c", 0, overrides=overrides), profile, dataset).training
        for overrides in ({}, {"recipe": {"epochs": 7}})
    )
    assert changed == replace(of_profile, recipe=replace(of_profile.recipe, epochs=7)) != of_profile


def test_a_model_without_points_is_run_as_the_first_one() -> None:
    points = [Point(model, seed, {"n": model}) for model in ("c", "d") for seed in (0, 1)]
    assert with_models(points, ()) == points
    found = [(point.model, point.columns["n"], point.seed) for point in with_models(points, ("mine", "d"))]
    assert found == [("mine", "c", 0), ("mine", "c", 1), ("d", "d", 0), ("d", "d", 1)]
    assert with_models([], ("mine",)) == []
