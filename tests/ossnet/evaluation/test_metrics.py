"""Tests of the metrics, on masks whose values can be computed by hand."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ossnet.evaluation.metrics import (
    dice,
    dice_per_class,
    disagreement_percent,
    false_positive_volume_ml,
    hausdorff95_mm,
    iou,
    iou_per_class,
    score_case,
    surface_dice,
    surface_tolerance_mm,
    valid_mean,
)

Metric = Callable[[np.ndarray, np.ndarray], float]

MASK_PAIRS = st.tuples(
    hnp.array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=5), st.integers(0, 2**32 - 1), st.floats(0, 1)
).map(lambda drawn: np.random.default_rng(drawn[1]).random((2, *drawn[0])) < drawn[2])


def voxel(*place: int, shape: tuple[int, int, int] = (8, 8, 8)) -> np.ndarray:
    mask = np.zeros(shape, dtype=bool)
    mask[place] = True
    return mask


def test_dice_and_iou_of_one_voxel_in_common() -> None:
    prediction, label = np.array([1, 1, 0, 0]), np.array([0, 1, 1, 1])
    assert dice(prediction, label) == pytest.approx(2 * 1 / (2 + 3))
    assert iou(prediction, label) == pytest.approx(1 / 4)
    assert (
        iou(torch.tensor([1.0, 1.0, 0.0, 0.0]), label > 0)
        == iou(prediction, torch.from_numpy(label))
        == pytest.approx(1 / 4)
    )


@pytest.mark.parametrize("metric", [dice, iou])
def test_overlap_of_masks_that_are_empty_or_no_masks(metric: Metric) -> None:
    empty = np.zeros((2, 3), dtype=bool)
    assert math.isnan(metric(empty, empty))
    assert metric(empty, ~empty) == 0
    with pytest.raises(ValueError, match="0 and 1"):
        metric(np.array([0.2, 0.9]), np.array([0, 1]))
    with pytest.raises(ValueError, match="differ"):
        metric(np.zeros((2, 2)), np.zeros(2))


@given(MASK_PAIRS)
def test_dice_and_iou_are_symmetric_and_bound_to_each_other(masks: np.ndarray) -> None:
    first, second = masks
    overlap = iou(first, second)
    if not masks.any():
        assert math.isnan(overlap)
        return
    assert dice(first, second) == dice(second, first)
    assert dice(first, second) == pytest.approx(2 * overlap / (1 + overlap))


def test_scores_of_each_foreground_class() -> None:
    prediction, label = np.array([0, 1, 1, 2, 2]), np.array([0, 1, 2, 2, 2])
    scores = dice_per_class(prediction, label, classes=4)
    assert scores[1] == pytest.approx(2 / 3)
    assert scores[2] == pytest.approx(4 / 5)
    assert math.isnan(scores[3])
    assert list(scores) == [1, 2, 3]
    assert iou_per_class(prediction, label, classes=3) == pytest.approx({1: 1 / 2, 2: 2 / 3})


def test_hausdorff_of_two_voxels_is_their_distance_in_mm() -> None:
    assert hausdorff95_mm(voxel(0, 0, 0), voxel(3, 0, 4), (2.0, 1.0, 0.5)) == pytest.approx(math.hypot(6, 2))


def test_hausdorff_is_the_larger_of_the_directed_percentiles() -> None:
    # A line of 21 voxels against its first: the 95th percentile of the distances 0 .. 20 is 19; the other way it is 0.
    line = np.zeros((21, 3, 3), dtype=bool)
    line[:, 1, 1] = True
    start = voxel(0, 1, 1, shape=line.shape)
    assert hausdorff95_mm(line, start, (1, 1, 1)) == pytest.approx(19)
    assert hausdorff95_mm(start, line, (1, 1, 1)) == pytest.approx(19)


def test_a_missed_object_costs_the_diagonal_of_the_volume() -> None:
    shape = (240, 240, 155)
    nothing = np.zeros(shape, dtype=bool)
    assert hausdorff95_mm(nothing, voxel(3, 3, 3, shape=shape), (1, 1, 1)) == pytest.approx(373.1287, abs=1e-4)
    assert surface_dice(voxel(3, 3, 3, shape=shape), nothing, (1, 1, 1), 5) == 0


def test_surface_scores_of_volumes_that_are_empty_or_no_volumes() -> None:
    empty = np.zeros((3, 3, 3), dtype=bool)
    assert math.isnan(hausdorff95_mm(empty, empty, (1, 1, 1)))
    assert math.isnan(surface_dice(empty, empty, (1, 1, 1), 1))
    with pytest.raises(ValueError, match=r"\[H, W, D\]"):
        hausdorff95_mm(np.ones((2, 2), dtype=bool), np.ones((2, 2), dtype=bool), (1, 1, 1))


def test_surface_dice_of_a_shifted_box_is_the_area_that_stays() -> None:
    # Two boxes of 20 voxels an edge, 4 apart along the first axis, tolerance 2 mm. Of each box count: of the four faces
    # along that axis all but a strip of 2; of the end inside the other box a rim of 2; of the end outside nothing.
    # Surface elements are a voxel wide, hence the leeway.
    box = np.zeros((30, 24, 24), dtype=bool)
    box[2:22, 2:22, 2:22] = True
    shifted = np.roll(box, 4, axis=0)
    expected = (4 * 20 * (20 - 2) + 20**2 - 16**2) / (6 * 20**2)
    assert surface_dice(box, shifted, (1, 1, 1), 2) == pytest.approx(expected, abs=0.04)
    assert surface_dice(box, shifted, (1, 1, 1), 4) == pytest.approx(1)
    assert surface_dice(box, shifted, (0.5, 1, 1), 2) == pytest.approx(1)


@settings(max_examples=25)
@given(MASK_PAIRS)
def test_surface_metrics_are_symmetric_bounded_and_blind_to_empty_margins(masks: np.ndarray) -> None:
    if not masks.any(axis=(1, 2, 3)).all():
        return
    first, second = masks
    spacing_mm = (1.0, 2.0, 0.5)
    distance = hausdorff95_mm(first, second, spacing_mm)
    share = surface_dice(first, second, spacing_mm, 1.0)
    assert 0 <= distance <= np.linalg.norm(np.multiply(first.shape, spacing_mm))
    assert 0 <= share <= 1
    assert hausdorff95_mm(second, first, spacing_mm) == pytest.approx(distance)
    assert surface_dice(second, first, spacing_mm, 1.0) == pytest.approx(share)
    wider = np.pad(masks, ((0, 0), (2, 1), (0, 3), (1, 1)))
    assert hausdorff95_mm(*wider, spacing_mm) == pytest.approx(distance)
    assert surface_dice(*wider, spacing_mm, 1.0) == pytest.approx(share)


def test_disagreement_counts_voxels_of_any_class() -> None:
    first = np.zeros((10, 10, 10), dtype=np.uint8)
    second = first.copy()
    second[0, 0, :3] = (1, 2, 3)
    assert disagreement_percent(first, torch.from_numpy(second)) == pytest.approx(0.3)
    with pytest.raises(ValueError, match="differ"):
        disagreement_percent(first, first[0])


def test_a_mean_is_over_the_valid_values_and_comes_with_their_number() -> None:
    assert valid_mean([0.5, math.nan, 1.0]) == (0.75, 2)
    mean, count = valid_mean(iter([math.nan]))
    assert math.isnan(mean)
    assert count == 0


@pytest.mark.parametrize(("spacing_mm", "tolerance_mm"), [((1, 1, 1), 2), ((1, 2.5, 3.5), 3.5)])
def test_the_tolerance_of_tables_is_a_voxel_at_least(spacing_mm: tuple[float, ...], tolerance_mm: float) -> None:
    assert surface_tolerance_mm(spacing_mm) == tolerance_mm


def test_the_volume_of_false_positives_is_in_ml() -> None:
    prediction, label = np.zeros((2, 10, 10, 10), bool)
    prediction[:5], label[4:] = True, True
    # Four slabs of 100 voxels of 5 mm³.
    assert false_positive_volume_ml(prediction, label, 5) == pytest.approx(2)
    assert false_positive_volume_ml(label, label, 5) == 0
    assert false_positive_volume_ml(0 * label, 0 * label, 5) == 0


def test_unknown_spacing_makes_values_in_mm_and_ml_nan() -> None:
    unknown = (float("nan"),) * 3
    box, nothing = np.pad(np.ones((2, 2, 2), bool), 2), np.zeros((6, 6, 6), bool)
    for prediction in (box, nothing, np.roll(box, 1, 0)):
        scores = score_case(prediction, box, unknown, unknown[0], surface_tolerance_mm(unknown))
        known = score_case(prediction, box, (1, 1, 1), 1, 2)
        undefined = {name for name, value in scores.items() if np.isnan(value)}
        assert undefined == {"hausdorff95", "surface_dice", "false_positive_volume"}
        assert (scores["dice"], scores["iou"]) == (known["dice"], known["iou"])
