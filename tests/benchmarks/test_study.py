import doctest
from dataclasses import replace

import pytest

from benchmarks import study
from benchmarks.scoring.segmentation import Segmentation
from benchmarks.study import Point
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
