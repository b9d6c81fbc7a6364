"""Metrics of a segmentation against its label: overlap (Section 3.2), distances of surfaces, false-positive volume.

Overlap is computed over all given voxels, whether sampled locations or whole volumes. An undefined metric is NaN, and a
mean is taken over the valid values and given with their number (`valid_mean`), so that two empty masks count neither as
0 nor as 1. MONAI takes seconds to import and is imported by the metrics that need it.
"""

import operator
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from scipy.ndimage import find_objects
from torch import Tensor


def dice(prediction: ArrayLike | Tensor, label: ArrayLike | Tensor) -> float:
    """Return the Dice score 2 |P ∩ L| / (|P| + |L|) of two masks of any shape (Section 3.2); NaN if both are empty.

    Raises:
        ValueError: the shapes differ, or a mask holds values other than 0 and 1.
    """
    inside_prediction, inside_label = _masks(prediction, label)
    sizes = inside_prediction.sum() + inside_label.sum()
    return float(2 * (inside_prediction & inside_label).sum() / sizes) if sizes else float("nan")


def iou(prediction: ArrayLike | Tensor, label: ArrayLike | Tensor) -> float:
    """Return the IoU |P ∩ L| / |P ∪ L| of two masks of any shape (Section 3.2); NaN if both are empty.

    Raises:
        ValueError: the shapes differ, or a mask holds values other than 0 and 1.
    """
    inside_prediction, inside_label = _masks(prediction, label)
    union = (inside_prediction | inside_label).sum()
    return float((inside_prediction & inside_label).sum() / union) if union else float("nan")


def dice_per_class(
    prediction: ArrayLike | Tensor, label: ArrayLike | Tensor, classes: int, *, nested: bool = False
) -> dict[int, float]:
    """Return the `dice` of each foreground class 1 .. classes - 1, or nested region, of two arrays of class indices.

    Region c holds class c and all above it, see `ossnet.nested`.
    """
    prediction, label, of = _array(prediction), _array(label), operator.ge if nested else operator.eq
    return {index: dice(of(prediction, index), of(label, index)) for index in range(1, classes)}


def iou_per_class(
    prediction: ArrayLike | Tensor, label: ArrayLike | Tensor, classes: int, *, nested: bool = False
) -> dict[int, float]:
    """Return the `iou` of each foreground class 1 .. classes - 1, or nested region, as `dice_per_class`."""
    prediction, label, of = _array(prediction), _array(label), operator.ge if nested else operator.eq
    return {index: iou(of(prediction, index), of(label, index)) for index in range(1, classes)}


def hausdorff95_mm(prediction: ArrayLike | Tensor, label: ArrayLike | Tensor, spacing_mm: Sequence[float]) -> float:
    """Return the 95th percentile Hausdorff distance in mm of two masks [H, W, D].

    It is the larger of the two directed 95th percentiles of the distances from each border voxel of one mask to the
    nearest border voxel of the other (MONAI's definition; pooling both directions gives smaller numbers). A border
    voxel is a voxel of the mask with a face neighbour outside the mask or the volume.

    Returns:
        NaN if both masks are empty or the spacing is NaN (not known). The diagonal of the volume if one mask is empty,
        as the BraTS challenge scores a missed tumour (373.13 mm for 240x240x155 voxels of 1 mm), so that a mean over
        cases stays finite and includes the miss.

    Raises:
        ValueError: as `dice`, or the masks are not three-dimensional.
    """
    masks = _volume_masks(prediction, label)
    empty = [not mask.any() for mask in masks]
    if all(empty) or np.isnan(spacing_mm).any():
        return float("nan")
    if any(empty):
        return float(np.linalg.norm(np.multiply(masks[0].shape, spacing_mm)))
    from monai.metrics import compute_hausdorff_distance

    return _surface_metric(compute_hausdorff_distance, masks, spacing_mm, percentile=95)


def surface_dice(
    prediction: ArrayLike | Tensor, label: ArrayLike | Tensor, spacing_mm: Sequence[float], tolerance_mm: float
) -> float:
    """Return the normalised surface Dice at a tolerance in mm of two masks [H, W, D].

    It is the share of the area of both surfaces that lies within the tolerance of the other surface, with areas by
    marching cubes (Nikolov et al. 2018, the `surface-distance` definition; MONAI with `use_subvoxels`).

    Returns:
        NaN if both masks are empty or the spacing is NaN (not known); 0 if one mask is empty.

    Raises:
        ValueError: as `dice`, or the masks are not three-dimensional.
    """
    masks = _volume_masks(prediction, label)
    empty = [not mask.any() for mask in masks]
    if all(empty) or np.isnan(spacing_mm).any():
        return float("nan")
    if any(empty):
        return 0.0
    from monai.metrics import compute_surface_dice

    return _surface_metric(compute_surface_dice, masks, spacing_mm, class_thresholds=[tolerance_mm], use_subvoxels=True)


def false_positive_volume_ml(prediction: ArrayLike | Tensor, label: ArrayLike | Tensor, voxel_mm3: float) -> float:
    """Return the volume in ml of the voxels that are in the prediction and not in the label.

    For a case without foreground it is the whole volume of the prediction, where Dice and IoU are 0 for any prediction
    that is not empty. It is NaN only if the volume of a voxel is NaN (not known).

    Raises:
        ValueError: as `dice`.
    """
    inside_prediction, inside_label = _masks(prediction, label)
    return float(np.count_nonzero(inside_prediction & ~inside_label) * voxel_mm3 / 1000)


def surface_tolerance_mm(spacing_mm: Sequence[float]) -> float:
    """Return the tolerance of the surface Dice in tables: 2 mm, or the longest edge of a voxel if that is longer.

    It is NaN for a NaN spacing.
    """
    return float(np.max([2.0, *spacing_mm]))


def score_case(
    prediction: ArrayLike | Tensor,
    label: ArrayLike | Tensor,
    spacing_mm: Sequence[float],
    voxel_mm3: float,
    tolerance_mm: float,
) -> dict[str, float]:
    """Measure every quantity of `SCORES` for two masks [H, W, D].

    Distances assume that the axes are at right angles.

    Raises:
        ValueError: as `surface_dice`.
    """
    masks = _masks(prediction, label)
    return {
        "dice": dice(*masks),
        "iou": iou(*masks),
        "hausdorff95": hausdorff95_mm(*masks, spacing_mm),
        "surface_dice": surface_dice(*masks, spacing_mm, tolerance_mm),
        "false_positive_volume": false_positive_volume_ml(*masks, voxel_mm3),
    }


def disagreement_percent(first: ArrayLike | Tensor, second: ArrayLike | Tensor) -> float:
    """Return the percentage of voxels at which two segmentations (class indices) differ (Section 4.3).

    Raises:
        ValueError: the shapes differ.
    """
    first, second = _array(first), _array(second)
    _check_shapes(first, second)
    return float(100 * np.mean(first != second))


def valid_mean(values: Iterable[float]) -> tuple[float, int]:
    """Return the mean of the values that are not NaN, and their number; (NaN, 0) if there are none."""
    scores = np.fromiter(values, dtype=np.float64)
    valid = scores[~np.isnan(scores)]
    return (float(valid.mean()), len(valid)) if len(valid) else (float("nan"), 0)


def _array(values: ArrayLike | Tensor) -> np.ndarray:
    return values.detach().cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)


def _check_shapes(first: np.ndarray, second: np.ndarray) -> None:
    if first.shape != second.shape:
        raise ValueError(f"the shapes {first.shape} and {second.shape} differ")


def _masks(prediction: ArrayLike | Tensor, label: ArrayLike | Tensor) -> tuple[np.ndarray, np.ndarray]:
    arrays = _array(prediction), _array(label)
    _check_shapes(*arrays)
    first, second = (array.astype(bool, copy=False) for array in arrays)
    for array, mask in zip(arrays, (first, second), strict=True):
        if (array != mask).any():
            raise ValueError("a mask holds values other than 0 and 1; threshold it or compare class by class")
    return first, second


def _volume_masks(prediction: ArrayLike | Tensor, label: ArrayLike | Tensor) -> tuple[np.ndarray, np.ndarray]:
    masks = _masks(prediction, label)
    if masks[0].ndim != 3:
        raise ValueError(f"surface metrics need masks [H, W, D]; these have shape {list(masks[0].shape)}")
    return masks


def _surface_metric(
    metric: Callable[..., Tensor], masks: tuple[np.ndarray, np.ndarray], spacing_mm: Sequence[float], **settings: Any
) -> float:
    """Compute a metric of MONAI for two masks [H, W, D], neither empty, within the box that holds both."""
    (box,) = find_objects((masks[0] | masks[1]).astype(np.uint8))
    cropped = [torch.from_numpy(np.pad(mask[box], 1))[None, None] for mask in masks]
    spacing = [float(edge) for edge in spacing_mm]
    with warnings.catch_warnings():
        # MONAI 1.5 and 1.6 deprecate an argument that they pass themselves.
        warnings.filterwarnings("ignore", ".*always_return_as_numpy", FutureWarning)
        return float(metric(*cropped, include_background=True, spacing=spacing, **settings))
