"""Specifications of scorings, and which cases are scored."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.scoring.segmentation import Segmentation
from benchmarks.study import Point
from ossnet.config import plain
from ossnet.data.case import Case, Dataset
from ossnet.model import SegmentationModel
from ossnet.training.profile import load_profile
from ossnet.training.run import RunSpec
from ossnet.training.validation import Validation


@pytest.fixture
def model(intensity_model: Callable[..., SegmentationModel]) -> SegmentationModel:
    return intensity_model((16, 16, 16), 2)


def with_splits(dataset: Dataset, **splits: tuple[str, ...]) -> Dataset:
    return replace(dataset, splits=dict(dataset.splits) | splits)


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


def test_cases_of_unknown_spacing_are_on_record(
    tiny_spec: Callable[..., RunSpec], dataset: Dataset, model: SegmentationModel, tmp_path: Path
) -> None:
    two = with_splits(dataset, test=("d", "e"))
    unknown = replace(two, load=lambda name: replace(dataset.load(name), spacing_known=name == "d"))
    known_result, result = (
        Segmentation(tiny_spec("c"), "mise", protocols=()).score(model, data, tmp_path, tmp_path).result
        for data in (two, unknown)
    )
    assert "cases_without_spacing" not in known_result
    assert result["cases_without_spacing"] == ["e"]
    scores = pd.read_csv(tmp_path / "per_case.csv").set_index(["case", "quantity"])["value"]
    assert scores["e"].drop(["dice", "iou"]).isna().all()
    assert scores["d"]["dice"] == scores["d"]["dice"]


def test_several_classes_are_scored_each(
    tiny_spec: Callable[..., RunSpec], dataset: Dataset, model: SegmentationModel, tmp_path: Path
) -> None:
    spec = tiny_spec("c", changes={"preprocessing": {"classes": 3, "label_values": [0, 1, 4]}})
    Segmentation(spec, "dense", protocols=()).score(model, dataset, tmp_path, tmp_path)
    means, classes = (pd.read_csv(tmp_path / f"per_{name}.csv") for name in ("case", "class"))
    assert list(means) == ["case", "quantity", "value", "unit"]
    assert classes["class"].unique().tolist() == [1, 4]
    # Class 4 does not occur, so that the mean is that of class 1.
    dice = [scores[scores["quantity"] == "dice"]["value"].tolist() for scores in (means, classes)]
    assert dice[1] == pytest.approx([*dice[0], float("nan")], nan_ok=True)
    Segmentation(tiny_spec("c"), "dense", protocols=()).score(model, dataset, tmp_path / "two", tmp_path / "two")
    assert not (tmp_path / "two" / "per_class.csv").exists()


def test_tensors_are_counted_of_the_largest_case(
    tiny_spec: Callable[..., RunSpec], dataset: Dataset, model: SegmentationModel, tmp_path: Path
) -> None:
    def load(name: str) -> Case:
        """Load `e` twice as long."""
        case = dataset.load(name)
        assert case.label is not None
        if name == "d":
            return case
        return replace(case, image=np.repeat(case.image, 2, axis=1), label=np.repeat(case.label, 2, axis=0))

    scoring = Segmentation(tiny_spec("c", changes={"preprocessing": {"fit": "resize"}}), "dense", protocols=())

    def counted(*names: str) -> int:
        data = with_splits(replace(dataset, load=load), test=names)
        return scoring.score(model, data, tmp_path, tmp_path).memory["allocated_bytes"] or 0

    large = counted("e")
    assert 0 < counted("d") < large
    assert counted("d", "e") == counted("e", "d") == large


@pytest.mark.parametrize(("healthy", "drawn"), [((), "c"), (("d",), "c"), (("c",), "d"), (("c", "d", "e"), "c")])
def test_the_case_to_draw_has_foreground_where_one_has(
    healthy: tuple[str, ...],
    drawn: str,
    tiny_spec: Callable[..., RunSpec],
    dataset: Dataset,
    model: SegmentationModel,
    tmp_path: Path,
) -> None:
    def load(name: str) -> Case:
        case = dataset.load(name)
        assert case.label is not None
        return replace(case, label=0 * case.label) if name in healthy else case

    three = with_splits(replace(dataset, load=load), test=("c", "d", "e"))
    Segmentation(tiny_spec("c"), "dense", protocols=()).score(model, three, tmp_path, tmp_path)
    assert str(np.load(tmp_path / "case.npz")["case"]) == drawn
