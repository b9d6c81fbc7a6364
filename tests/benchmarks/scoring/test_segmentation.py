"""Specifications of scorings, and which cases are scored."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.runs.run_folder import identity
from benchmarks.scoring import segmentation
from benchmarks.scoring.registry import build_scoring
from benchmarks.scoring.segmentation import Segmentation
from benchmarks.study import Point
from ossnet.config import plain
from ossnet.data.case import Case, Dataset
from ossnet.errors import UserError
from ossnet.model import SegmentationModel
from ossnet.training.profile import load_profile
from ossnet.training.run import RunSpec
from ossnet.training.validation import Validation

RECORDS = sorted((Path(__file__).parents[3] / "results" / "reference" / "records").glob("*.jsonl"))


@pytest.mark.parametrize(("test", "validation", "split"), [(("e",), ("d",), "test"), ((), ("d",), "validation")])
def test_validation_cases_stand_in_for_test_cases(
    test: tuple[str, ...], validation: tuple[str, ...], split: str, dataset: Dataset
) -> None:
    splits = {"train": (), "validation": validation, "test": test}
    assert segmentation.scored_split(replace(dataset, splits=splits)) == split


def test_another_split_may_be_chosen(dataset: Dataset) -> None:
    assert segmentation.scored_split(dataset, "validation") == "validation"
    with pytest.raises(UserError, match="no validation cases"):
        segmentation.scored_split(replace(dataset, splits=dict(dataset.splits) | {"validation": ()}), "validation")


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_records_keep_their_identity(path: Path) -> None:
    for line in path.read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        assert identity(plain(build_scoring(record["spec"], "record"))) == record["identity"]


def test_only_choices_that_are_made_join_the_identity(tiny_spec: Callable[..., RunSpec], dataset: Dataset) -> None:
    profile = load_profile("laptop")
    usual = plain(Segmentation.of(Point("c", 0), profile, dataset))
    assert set(usual) == {"training", "extraction", "max_locations", "measurement", "schema_version"}
    released = Validation("released", 64)
    chosen = Segmentation.of(Point("c", 0, split="validation", protocols=(released,)), profile, dataset)
    assert plain(chosen) == usual | {"split": "validation", "protocols": [plain(released)]}
    with pytest.raises(ValueError, match="each at most once"):
        Segmentation(tiny_spec("c"), "mise", protocols=(released, Validation("released", 32)))
    with pytest.raises(ValueError, match="dense is always"):
        Segmentation(tiny_spec("c"), "mise", protocols=(Validation("dense"),))


def test_nothing_to_score_is_an_error(dataset: Dataset) -> None:
    with pytest.raises(UserError, match="nothing to score"):
        segmentation.scored_split(replace(dataset, splits={"train": ("a",), "validation": (), "test": ()}))


def test_cases_of_unknown_spacing_are_on_record(
    tiny_spec: Callable[..., RunSpec],
    dataset: Dataset,
    intensity_model: Callable[..., SegmentationModel],
    tmp_path: Path,
) -> None:
    spec = tiny_spec("c")
    two = replace(dataset, splits=dict(dataset.splits) | {"test": ("d", "e")})
    unknown = replace(two, load=lambda name: replace(dataset.load(name), spacing_known=name == "d"))
    results = [
        Segmentation(spec, "mise", protocols=()).measure(intensity_model((16, 16, 16), 2), data, tmp_path, tmp_path)
        for data in (two, unknown)
    ]
    assert "cases_without_spacing" not in results[0].result
    assert results[1].result["cases_without_spacing"] == ["e"]
    scores = pd.read_csv(tmp_path / "per_case.csv").set_index(["case", "quantity"])["value"]
    assert scores["e"].drop(["dice", "iou"]).isna().all()
    assert scores["d"]["dice"] == scores["d"]["dice"]


def test_tensors_are_counted_of_the_largest_case(
    tiny_spec: Callable[..., RunSpec],
    dataset: Dataset,
    intensity_model: Callable[..., SegmentationModel],
    tmp_path: Path,
) -> None:
    def load(name: str) -> Case:
        """Load `e` twice as long."""
        case = dataset.load(name)
        assert case.label is not None
        if name == "d":
            return case
        return replace(case, image=np.repeat(case.image, 2, axis=1), label=np.repeat(case.label, 2, axis=0))

    spec = tiny_spec("c", changes={"preprocessing": {"fit": "resize"}})

    def counted(*names: str) -> int | None:
        data = replace(dataset, load=load, splits=dict(dataset.splits) | {"test": names})
        model = intensity_model((16, 16, 16), 2)
        outcome = Segmentation(spec, "dense", protocols=()).score(model, data, tmp_path, tmp_path)
        return outcome.memory["allocated_bytes"]

    small, large = counted("d"), counted("e")
    assert small is not None
    assert large is not None
    assert small < large
    assert counted("d", "e") == counted("e", "d") == large


@pytest.mark.parametrize(("healthy", "drawn"), [((), "c"), (("c",), "d"), (("c", "d"), "e"), (("c", "d", "e"), "c")])
def test_the_case_to_draw_has_foreground_where_one_has(
    healthy: tuple[str, ...],
    drawn: str,
    tiny_spec: Callable[..., RunSpec],
    dataset: Dataset,
    intensity_model: Callable[..., SegmentationModel],
    tmp_path: Path,
) -> None:
    def load(name: str) -> Case:
        case = dataset.load(name)
        assert case.label is not None
        return replace(case, label=0 * case.label) if name in healthy else case

    three = replace(dataset, load=load, splits=dict(dataset.splits) | {"test": ("c", "d", "e")})
    model = intensity_model((16, 16, 16), 2)
    Segmentation(tiny_spec("c"), "dense", protocols=()).score(model, three, tmp_path, tmp_path)
    assert str(np.load(tmp_path / "case.npz")["case"]) == drawn
