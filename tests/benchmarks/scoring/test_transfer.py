"""Scores of cases that a model was not trained on."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.scoring.transfer import Transfer, all_to_test
from benchmarks.study import Point
from ossnet.data.case import Case, Dataset
from ossnet.data.modalities import with_modalities
from ossnet.errors import UserError
from ossnet.evaluation.metrics import dice
from ossnet.model import SegmentationModel
from ossnet.training.profile import load_profile
from ossnet.training.run import RunSpec


@pytest.fixture
def scoring(tiny_spec: Callable[..., RunSpec], dataset: Dataset) -> Transfer:
    return Transfer(tiny_spec("c"), "own", dataset.fingerprint, "dense")


@pytest.fixture
def model(intensity_model: Callable[..., SegmentationModel]) -> SegmentationModel:
    return intensity_model((16, 16, 16), 2)


def test_every_labelled_case_of_another_data_set_is_scored_and_test_cases_of_the_same(dataset: Dataset) -> None:
    target, source = replace(dataset, name="other", fingerprint="other"), with_modalities(dataset, ["t1"])
    whole = all_to_test(target)
    point = Point("c", 0, target=with_modalities(target, ["t1"]))
    elsewhere = Transfer.of(point, load_profile("laptop"), source)
    assert (elsewhere.dataset, elsewhere.fingerprint, elsewhere.training.dataset) == ("other", "other", "own")
    assert elsewhere.training.modalities == ("t1",)
    assert whole.splits[elsewhere.split_of(whole)] == ("a", "b", "c", "d", "e")
    same = Transfer.of(Point("c", 0), load_profile("laptop"), dataset)
    assert dataset.splits[same.split_of(dataset)] == ("e",)


def test_cases_in_no_split_are_scored_too(dataset: Dataset) -> None:
    # The paper's split of BraTS 2020 leaves four cases out.
    some = replace(dataset, splits={"train": ("b",), "validation": ("d",), "test": ()})
    assert all_to_test(with_modalities(some, ["t1"])).splits["test"] == ("b", "d", "a", "c", "e")


def test_scoring_goes_on_after_the_last_whole_case(
    scoring: Transfer, model: SegmentationModel, dataset: Dataset, tmp_path: Path
) -> None:
    asked: list[str] = []

    def load(name: str) -> Case:
        asked.append(name)
        if name == "d" and asked.count("d") == 1:
            raise KeyboardInterrupt
        case = dataset.load(name)
        return replace(case, label=None) if name == "b" else case

    cases = all_to_test(replace(dataset, load=load))
    with pytest.raises(KeyboardInterrupt):
        scoring.score(model, cases, tmp_path, tmp_path)
    assert set(pd.read_csv(tmp_path / "per_case.csv")["case"]) == {"a", "c"}
    masks = {path: path.stat().st_mtime_ns for path in (tmp_path / "cases").iterdir()}
    outcome = scoring.score(model, cases, tmp_path, tmp_path)
    assert outcome.result == {"protocol": "dense", "cases_without_label": ["b"]}
    assert {path: path.stat().st_mtime_ns for path in masks} == masks

    scores = pd.read_csv(tmp_path / "per_case.csv")
    of_dice = scores[scores["quantity"] == "dice"].set_index("case")["value"]
    assert list(of_dice.index) == ["a", "c", "d", "e"]
    for name, value in of_dice.items():
        with np.load(tmp_path / "cases" / f"{name}.npz") as file:
            assert dice(file["prediction"], dataset.load(str(name)).label > 0) == value > 0.5


def test_other_cases_than_those_of_the_specification_are_refused(
    scoring: Transfer, model: SegmentationModel, dataset: Dataset, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match="has changed"):
        scoring.score(model, replace(dataset, fingerprint="other"), tmp_path, tmp_path)
    unlabelled = replace(dataset, load=lambda name: replace(dataset.load(name), label=None))
    with pytest.raises(UserError, match="no labelled case"):
        scoring.score(model, unlabelled, tmp_path, tmp_path)
