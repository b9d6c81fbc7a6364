"""Scores per class and region, by hand."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from ossnet.config import build
from ossnet.data.case import Case, Dataset
from ossnet.data.preprocessing import Preprocessing
from ossnet.errors import UserError
from ossnet.evaluation.class_scores import describe, refuse_other_values, score_classes, scored_classes
from ossnet.evaluation.quantities import SCORES

SHAPE = (12, 1, 1)
STORED = np.array([0, 0, 2, 2, 2, 2, 1, 1, 4, 4, 0, 0], np.uint8).reshape(SHAPE)
PREDICTED = np.array([0, 2, 2, 2, 2, 2, 1, 4, 4, 2, 0, 0], np.uint8).reshape(SHAPE)
"""Label values. In common are 4 of 4 and 6 voxels of oedema, 1 of 2 and 1 of necrosis, 1 of 2 and 2 of enhancement."""

CLASS_DICE = {"1": 2 / 3, "2": 8 / 10, "4": 2 / 4}
REGION_DICE = {"whole tumour": 16 / 17, "tumour core": 6 / 7, "enhancing tumour": 2 / 4}


def model(**values: Any) -> Preprocessing:
    return build(Preprocessing, {"shape": SHAPE, "orientation": "stored", **values}, "test")


FOUR = model(classes=4, label_values=(0, 1, 2, 4))
NESTED = model(regions="brats")


def case(label: np.ndarray = STORED) -> Case:
    return Case("x", np.zeros((1, *label.shape), np.float32), label, np.eye(4), ("t1",))


def scores(preprocessing: Preprocessing, regions: Any = None, values: np.ndarray = PREDICTED) -> pd.DataFrame:
    label_values = preprocessing.label_values or range(preprocessing.classes)
    indices = np.zeros(256, np.uint8)
    indices[list(label_values)] = range(preprocessing.classes)
    return score_classes(indices[values], case(), preprocessing, 2.0, scored_classes(preprocessing, regions))


def dice(frame: pd.DataFrame) -> dict[str, float]:
    return frame[frame["quantity"] == "dice"].set_index("class")["value"].to_dict()


@pytest.mark.parametrize(
    ("preprocessing", "regions", "expected"),
    [
        (FOUR, None, CLASS_DICE),
        (FOUR, "brats", REGION_DICE),
        (FOUR, {"oedema": [2], "rest": [1, 4]}, {"oedema": 8 / 10, "rest": 6 / 7}),
        (NESTED, None, REGION_DICE),
        (NESTED, {"oedema": [2], "rest": [1, 4]}, {"oedema": 8 / 10, "rest": 6 / 7}),
    ],
)
def test_each_class_or_region_and_their_mean(preprocessing: Preprocessing, regions: Any, expected: Any) -> None:
    frame = scores(preprocessing, regions)
    assert list(frame) == ["case", "class", "quantity", "value", "unit"]
    assert frame["quantity"].tolist() == list(SCORES) * (1 + len(expected))
    assert dice(frame) == pytest.approx({"mean": sum(expected.values()) / len(expected), **expected})


def test_the_enhancing_tumour_may_be_stored_as_3() -> None:
    later = model(classes=4)
    label, predicted = (np.where(values == 4, 3, values) for values in (STORED, PREDICTED))
    frame = score_classes(predicted, case(label), later, 2.0, scored_classes(later, "brats2023"))
    assert dice(frame) == pytest.approx({"mean": sum(REGION_DICE.values()) / 3, **REGION_DICE})


def test_the_decathlon_stores_the_oedema_as_1() -> None:
    msd = model(regions="brats-msd")
    assert msd.label_values == (0, 1, 2, 3)
    of_msd = np.array([0, 2, 1, 0, 3], np.uint8)
    label, predicted = (of_msd[values] for values in (STORED, PREDICTED))
    assert dice(score_classes(predicted, case(label), msd, 2.0, scored_classes(msd))) == pytest.approx(
        {"mean": sum(REGION_DICE.values()) / 3, **REGION_DICE}
    )


def test_a_class_that_does_not_occur_is_left_out_of_the_mean() -> None:
    without = np.where(STORED == 4, 0, STORED)
    indices = np.array([0, 1, 2, 0, 3])[without]
    frame = score_classes(indices, case(without), FOUR, 2.0, scored_classes(FOUR))
    assert dice(frame) == pytest.approx({"mean": 1, "1": 1, "2": 1, "4": float("nan")}, nan_ok=True)


def test_a_single_class_has_its_mean_alone() -> None:
    frame = scores(model(), values=(PREDICTED > 0).astype(np.uint8))
    assert dice(frame) == pytest.approx({"mean": 16 / 17})
    assert "class" not in describe(frame).splitlines()[0] + describe(frame).splitlines()[1]


def test_the_table_has_a_row_for_each_case_and_class() -> None:
    frame = pd.concat([scores(FOUR, "brats").assign(case=name) for name in ("b", "a")])
    lines = describe(frame).splitlines()
    names = ["mean", *REGION_DICE]
    rows = [line for line in lines if not line.startswith("mean ") and "." in line]
    assert len(rows) == 2 * len(names)
    assert [name in row for name, row in zip(names * 2, rows, strict=True)] == [True] * len(rows)
    assert f"mean dice of tumour core: {6 / 7:.4f} over 2 of 2 cases" in lines
    assert f"mean dice: {sum(REGION_DICE.values()) / 3:.4f} over 2 of 2 cases" in lines


@pytest.mark.parametrize(
    ("preprocessing", "regions", "words"),
    [
        (FOUR, "brain", ("--regions", "'brain'", "brats")),
        (FOUR, "brats2023", ("--regions", "'whole tumour'", " 3", "1, 2, 4")),
        (FOUR, {"a": [1], "b": []}, ("--regions", "'b'")),
        (model(), "brats", ("--regions", "all label values")),
        # What 1, 2 and 3 are differs between BraTS 2023 and the Medical Segmentation Decathlon.
        (model(classes=4), "brats", (" 3;", "brats2023", "brats-msd")),
        (model(classes=5), "brats", (" 3;",)),
    ],
)
def test_regions_of_other_labels_are_refused(preprocessing: Preprocessing, regions: Any, words: tuple[str]) -> None:
    with pytest.raises(UserError) as caught:
        scored_classes(preprocessing, regions)
    assert [word for word in words if word not in str(caught.value)] == []


@pytest.mark.parametrize("preprocessing", [FOUR, NESTED])
def test_a_label_value_of_no_class_is_found_in_every_case(preprocessing: Preprocessing) -> None:
    labels = {"good": STORED, "bad": np.where(STORED == 1, 3, STORED).astype(np.uint8)}
    data = Dataset("own", ("t1",), {"test": ("good", "bad")}, lambda name: case(labels[name]), "f")
    refuse_other_values(data, ["good"], preprocessing)
    with pytest.raises(UserError, match=r"case bad: .* 3, .* model has no class"):
        refuse_other_values(data, ["good", "bad"], preprocessing)
    refuse_other_values(data, ["good", "bad"], model())
