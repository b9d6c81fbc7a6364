"""Which cases a run is scored on."""

from dataclasses import replace

import pytest

from benchmarks import segmentation
from ossnet.data.case import Dataset
from ossnet.errors import UserError


@pytest.mark.parametrize(("test", "validation", "split"), [(("e",), ("d",), "test"), ((), ("d",), "validation")])
def test_validation_cases_stand_in_for_test_cases(
    test: tuple[str, ...], validation: tuple[str, ...], split: str, dataset: Dataset
) -> None:
    splits = {"train": (), "validation": validation, "test": test}
    assert segmentation.scored_split(replace(dataset, splits=splits)) == split


def test_nothing_to_score_is_an_error(dataset: Dataset) -> None:
    with pytest.raises(UserError, match="nothing to score"):
        segmentation.scored_split(replace(dataset, splits={"train": ("a",), "validation": (), "test": ()}))
