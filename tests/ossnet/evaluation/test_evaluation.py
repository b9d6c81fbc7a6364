from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from nibabel.affines import from_matvec
from scipy.ndimage import center_of_mass

from ossnet.data.case import Case, Dataset
from ossnet.data.preprocessing import Preprocessing
from ossnet.errors import UserError
from ossnet.evaluation.class_scores import mean_scores
from ossnet.evaluation.evaluation import evaluate_run, extractor, segment_case
from ossnet.evaluation.quantities import SCORES
from ossnet.inference.extraction import EXTRACTORS
from ossnet.model import SegmentationModel

Model = Callable[..., SegmentationModel]
AXES = {
    "LPS": np.diag([-1.0, -1.0, 1.0]),
    "RAS": np.eye(3),
    "PSL": np.array([[0.0, 0, -1], [-1, 0, 0], [0, 1, 0]]),
    "IRA": np.array([[0.0, 1, 0], [0, 0, 1], [-1, 0, 0]]),
}


def ball_case(orientation: str = "LPS", shape: tuple[int, int, int] = (16, 20, 14)) -> Case:
    """A bright ball of radius 4.5 voxels, off the middle along every axis."""
    places = np.moveaxis(np.indices(shape), 0, -1)
    label = (((places - (9, 8, 6)) ** 2).sum(-1) < 4.5**2).astype(np.uint8)
    affine = from_matvec(AXES[orientation] @ np.diag([1.0, 1.5, 2.0]), [5, -3, 7])
    return Case("ball", label[None].astype(np.float32), label, affine, ("ct",))


PAD = Preprocessing(shape=(24, 24, 24), fit="pad", normalise="none")


@pytest.mark.parametrize("extraction", ["dense", "mise"])
@pytest.mark.parametrize("orientation", AXES)
def test_the_segmentation_is_on_the_cases_own_grid(orientation: str, extraction: str, intensity_model: Model) -> None:
    case = ball_case(orientation)
    result = segment_case(intensity_model(PAD.shape), case, PAD, extraction)
    assert result.segmentation.shape == case.shape
    np.testing.assert_array_equal(result.segmentation, case.label)


@pytest.mark.parametrize(
    ("orientation", "shape"),
    [("LPS", (32, 32, 32)), ("RAS", (16, 20, 14)), ("PSL", (12, 14, 13)), ("IRA", (20, 16, 28))],
)
def test_resizing_keeps_the_place(orientation: str, shape: tuple[int, int, int], intensity_model: Model) -> None:
    case = ball_case(orientation)
    preprocessing = Preprocessing(shape=shape, fit="resize", normalise="none")
    segmentation = segment_case(intensity_model(shape), case, preprocessing).segmentation.numpy()
    assert segmentation.shape == case.shape
    np.testing.assert_allclose(center_of_mass(segmentation), (9, 8, 6), atol=0.5)
    assert segmentation.sum() == pytest.approx(case.label.sum(), rel=0.35)


def test_normalised_as_in_training(intensity_model: Model) -> None:
    case = ball_case()
    bright = replace(case, image=1000 + 500 * case.image)
    preprocessing = replace(PAD, normalise="volume")
    for stored in (case, bright):
        segmentation = segment_case(intensity_model(PAD.shape), stored, preprocessing).segmentation
        np.testing.assert_array_equal(segmentation, case.label)


def test_the_locations_per_pass_do_not_change_the_segmentation(intensity_model: Model) -> None:
    model = intensity_model(PAD.shape)
    whole, parts = (segment_case(model, ball_case("RAS"), PAD, "mise", n) for n in (2**14, 100))
    assert torch.equal(whole.segmentation, parts.segmentation)
    assert whole.evaluated == parts.evaluated


def values(scores: pd.DataFrame) -> dict[str, float]:
    return scores.set_index("quantity")["value"].to_dict()


def test_a_perfect_segmentation_has_perfect_scores() -> None:
    case = ball_case()
    scores = mean_scores(case.label, case, PAD, 2.0)
    perfect = {"dice": 1, "iou": 1, "hausdorff95": 0, "surface_dice": 1, "false_positive_volume": 0}
    assert values(scores) == perfect
    assert list(scores) == ["case", "quantity", "value", "unit"]
    assert scores["quantity"].tolist() == list(SCORES)
    assert scores["unit"].tolist() == ["", "", "mm", "", "ml"]
    assert set(scores["case"]) == {"ball"}


def test_a_shift_is_measured_in_mm() -> None:
    case = ball_case()
    scores = values(mean_scores(np.roll(case.label, 1, axis=2), case, PAD, 2.0))
    # One voxel along the third axis is 2 mm.
    assert scores["hausdorff95"] == pytest.approx(2)
    assert scores["surface_dice"] == pytest.approx(1)
    assert 0.5 < scores["iou"] < scores["dice"] < 1


def test_several_classes_are_averaged_where_they_occur() -> None:
    case = ball_case()
    preprocessing = replace(PAD, classes=4, label_values=(0, 1, 2, 4))
    label = case.label.copy()
    label[:9] *= 4
    two_classes = replace(case, label=label)
    prediction = np.where(label == 4, 3, label)
    assert values(mean_scores(prediction, two_classes, preprocessing, 2.0))["dice"] == 1
    missed = np.where(label == 4, 0, label)
    # Class 1 is right, class 3 is missed, class 2 does not occur.
    assert values(mean_scores(missed, two_classes, preprocessing, 2.0))["dice"] == 0.5


def test_a_case_without_foreground_is_scored() -> None:
    case = ball_case()
    healthy = replace(case, label=np.zeros_like(case.label))
    segmented = values(mean_scores(case.label, healthy, PAD, 2.0))
    assert (segmented["dice"], segmented["iou"], segmented["surface_dice"]) == (0, 0, 0)
    # The diagonal of 16 x 20 x 14 voxels of 1 x 1.5 x 2 mm.
    assert segmented["hausdorff95"] == pytest.approx((16**2 + 30**2 + 28**2) ** 0.5)
    assert segmented["false_positive_volume"] == pytest.approx(case.label.sum() * 3 / 1000)
    left_out = values(mean_scores(healthy.label, healthy, PAD, 2.0))
    assert left_out.pop("false_positive_volume") == 0
    assert np.isnan(list(left_out.values())).all()


def test_a_case_without_label_is_named() -> None:
    case = ball_case()
    with pytest.raises(UserError, match=r"case ball .*label"):
        mean_scores(case.label, replace(case, label=None), PAD, 2.0)


def test_extractors_by_name() -> None:
    assert all(extractor(name) is function for name, function in EXTRACTORS.items())
    with pytest.raises(UserError, match=r"'fast'.* dense, mise, paper-prior, released, released-prior"):
        extractor("fast")


def ball_dataset(**splits: tuple[str, ...]) -> Dataset:
    cases = {orientation: replace(ball_case(orientation), name=orientation) for orientation in AXES}
    return Dataset("balls", ("ct",), {"train": (), "validation": (), "test": (), **splits}, cases.__getitem__, "f")


def test_every_case_of_the_split_is_scored(intensity_model: Model) -> None:
    scores = evaluate_run(
        intensity_model(PAD.shape), PAD, ("ct",), ball_dataset(test=("RAS", "PSL")), "test", "mise", 2**14, 2.0
    )
    assert scores["case"].tolist() == ["RAS"] * len(SCORES) + ["PSL"] * len(SCORES)
    assert set(scores["extraction"]) == {"mise"}
    assert (scores["evaluated"] < 16 * 20 * 14).all()
    assert scores.loc[scores["quantity"] == "dice", "value"].tolist() == [1, 1]


def test_cases_of_unknown_spacing_have_no_values_in_mm_or_ml(intensity_model: Model) -> None:
    cases = {name: replace(ball_case(), name=name, spacing_known=name == "x") for name in ("x", "y")}
    dataset = Dataset("balls", ("ct",), {"test": ("x", "y")}, cases.__getitem__, "f")
    scores = evaluate_run(intensity_model(PAD.shape), PAD, ("ct",), dataset, "test", "mise", 2**14)
    assert scores["spacing_known"].tolist() == (scores["case"] == "x").tolist()
    counts = scores.dropna(subset="value").groupby("quantity")["case"].agg(list)
    assert counts["dice"] == counts["iou"] == ["x", "y"]
    assert counts["hausdorff95"] == counts["surface_dice"] == ["x"]


def test_an_empty_split_and_other_modalities_are_refused(intensity_model: Model) -> None:
    model = intensity_model(PAD.shape)
    with pytest.raises(UserError, match=r"balls .*split validation.* --split"):
        evaluate_run(model, PAD, ("ct",), ball_dataset(test=("RAS",)), "validation", "mise", 2**14, 2.0)
    with pytest.raises(UserError, match=r"balls .*t1.*modalities ct"):
        evaluate_run(model, PAD, ("t1",), ball_dataset(test=("RAS",)), "test", "mise", 2**14, 2.0)
