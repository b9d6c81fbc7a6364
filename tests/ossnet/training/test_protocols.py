"""Sampled scores, of a model whose segmentation is right or one that finds everything to be occupied."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from ossnet.config import build
from ossnet.data.case import Case, Dataset
from ossnet.data.prepared import PreparedCase
from ossnet.data.preprocessing import Preprocessing
from ossnet.errors import UserError
from ossnet.model import ModelConfig, SegmentationModel
from ossnet.training.protocols import (
    dataset_of_protocol,
    evaluate_sampled,
    sampled_protocol,
    score_case_sampled,
    score_sampled,
)
from ossnet.training.validation import Validation

Model = Callable[..., SegmentationModel]
GradedModel = type[SegmentationModel]


def test_the_released_protocol_depends_on_the_data_set() -> None:
    assert sampled_protocol("paper", "lits") == Validation("paper", 2**17)
    for brats in ("brats2020", "glioma", "own"):
        assert sampled_protocol("released", brats) == Validation("released", 2**17)
    for lits in ("lits", "liver"):
        assert sampled_protocol("released", lits) == Validation("released", 2**14, 0.4)


@pytest.mark.parametrize(
    ("trained_on", "scored", "expected"),
    [
        ("lits", "msd-Task03_Liver", "lits"),
        ("own", "liver", "liver"),
        ("glioma", "lits", "glioma"),
        ("brats2020", "brats2021", "brats2020"),
        ("brats2021", "brats2023", None),
        ("msd-Task03_Liver", "own", None),
    ],
)
def test_the_released_protocol_is_that_of_the_training_or_else_of_the_scored_data_set(
    trained_on: str, scored: str, expected: str | None
) -> None:
    assert dataset_of_protocol(trained_on, scored) == expected


def test_each_case_is_scored_by_each_protocol(intensity_model: Model) -> None:
    label = torch.zeros(8, 8, 8, dtype=torch.uint8)
    label[:, :, :4] = 1
    right = PreparedCase("right", label[None].float(), label, None, torch.eye(4).numpy(), (1, 1, 1))
    # Everything is found to be occupied: of the half that is, an IoU of 1/2.
    all_bright = replace(right, name="bright", image=torch.ones(1, 8, 8, 8))
    model = intensity_model((8, 8, 8))
    protocols = [Validation("paper", 4096), Validation("released", 4096)]
    scores = pd.concat(score_sampled(model.field(case.image), case, protocols, 1000) for case in (right, all_bright))
    assert list(scores) == ["protocol", "case", "quantity", "value"]
    values = scores.set_index(["protocol", "case", "quantity"])["value"]
    assert len(values) == 2 * 2 * 2
    for protocol, share in (("paper", 4 / 8), ("released", 4 / 7)):
        assert values[protocol, "right", "dice"] == values[protocol, "right", "iou"] == 1
        # The released code never draws the last of an axis's eight indices.
        assert values[protocol, "bright", "iou"] == pytest.approx(share, abs=0.03)


LABEL = np.zeros((6, 8, 8), np.uint8)
LABEL[:3] = 1
CASE = Case("case", LABEL[None].astype(np.float32), LABEL, np.diag([-1.0, -1.0, 1.0, 1.0]), ("ct",))
PAD = Preprocessing(shape=(8, 8, 8), fit="pad", normalise="none")


def test_a_case_is_scored_on_its_prepared_grid(intensity_model: Model) -> None:
    everything = intensity_model(PAD.shape, threshold=-1.0)
    dataset = Dataset("own", ("ct",), {"test": ("case",), "validation": ()}, {"case": CASE}.__getitem__, "f")
    scores = evaluate_sampled(everything, PAD, dataset, "test", [Validation("paper", 4096)], 1000)
    assert set(scores["protocol"]) == {"paper"}
    assert set(scores["evaluated"]) == {4096}
    assert scores["class"].tolist() == ["mean", "mean"]
    # Three of eight planes, the padded ones included, are occupied.
    assert scores.set_index("quantity")["value"]["iou"] == pytest.approx(3 / 8, abs=0.03)
    with pytest.raises(UserError, match="no case in split validation"):
        evaluate_sampled(everything, PAD, dataset, "validation", [Validation("paper", 8)], 1000)
    with pytest.raises(UserError, match="has no label"):
        score_case_sampled(everything, replace(CASE, label=None), PAD, [Validation("paper", 8)])


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        # Of class 2 are found 3 of 4 planes, of class 4 both, and one more.
        ({"classes": 3, "label_values": (0, 2, 4)}, {"2": 3 / 4, "4": 2 / 3}),
        ({"regions": {"whole": [2, 4], "core": [4]}}, {"whole": 1, "core": 2 / 3}),
    ],
    ids=["softmax", "nested"],
)
def test_each_class_or_region_is_scored_under_its_name_next_to_the_mean(
    settings: dict[str, Any], expected: dict[str, float], graded_model: GradedModel
) -> None:
    label, image = np.zeros((8, 8, 8), np.uint8), np.zeros((1, 8, 8, 8), np.float32)
    label[:4], label[4:6] = 2, 4
    image[:, :3], image[:, 3:6] = 1, 2
    preprocessing = build(Preprocessing, {"shape": (8, 8, 8), "normalise": "none", **settings}, "test")
    model = graded_model(ModelConfig((8, 8, 8), 1, 3, nested="regions" in settings))
    case = replace(CASE, image=image, label=label)
    scores = score_case_sampled(model, case, preprocessing, [Validation("paper", 8192), Validation("released", 8192)])
    assert scores["class"].tolist() == 2 * [name for name in ("mean", *expected) for _ in ("dice", "iou")]
    for _, of_protocol in scores[scores["quantity"] == "iou"].groupby("protocol"):
        iou = of_protocol.set_index("class")["value"]
        assert iou["mean"] == pytest.approx(sum(iou[name] for name in expected) / 2)
        assert iou[list(expected)].to_dict() == pytest.approx(expected, abs=0.03)


def test_the_released_protocol_infers_as_the_released_code(
    intensity_model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    right, everything = (intensity_model(PAD.shape, threshold=threshold) for threshold in (0.5, -1.0))
    monkeypatch.setattr("ossnet.training.protocols.with_released_inference", {right: everything}.__getitem__)
    protocols = [Validation("released", 4096), Validation("paper", 4096)]
    scores = score_case_sampled(right, CASE, PAD, protocols)
    values = scores.set_index(["protocol", "quantity"])["value"]
    assert scores["protocol"].tolist() == ["released", "released", "paper", "paper"]
    assert values["paper", "iou"] == 1
    # Three of the seven planes that the released code draws from are occupied.
    assert values["released", "iou"] == pytest.approx(3 / 7, abs=0.03)


def test_each_protocol_resizes_labels_in_its_own_way(intensity_model: Model) -> None:
    # Of five voxels along an axis of two, the last 3 are labelled by their centres, and 2 by the released code.
    case = replace(CASE, image=np.ones((1, 2, 1, 1), np.float32), label=np.array([0, 1], np.uint8).reshape(2, 1, 1))
    stored = Preprocessing((5, 1, 1), "resize", "stored", "none")
    everything = intensity_model(stored.shape, threshold=-1.0)
    protocols = [Validation("paper", 4096), Validation("released", 4096)]
    for preprocessing in (stored, replace(stored, label_resizing="nearest")):
        scores = score_case_sampled(everything, case, preprocessing, protocols)
        values = scores.set_index(["protocol", "quantity"])["value"]
        assert values["paper", "iou"] == pytest.approx(3 / 5, abs=0.03)
        # The released code never draws the last voxel: one of four.
        assert values["released", "iou"] == pytest.approx(1 / 4, abs=0.03)
