"""The metrics of a segmentation, on a ball and the same ball moved by two voxels."""

import math
from collections.abc import Callable

import numpy as np
import pytest

from benchmarks.micro.measure import Measure
from benchmarks.micro.volumes import SHAPE, ball
from ossnet.evaluation.metrics import dice, hausdorff95_mm, iou, surface_dice

RADIUS = 20
SPACING_MM = (1.0, 1.0, 1.0)

METRICS: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "dice": dice,
    "iou": iou,
    "hausdorff95": lambda prediction, label: hausdorff95_mm(prediction, label, SPACING_MM),
    "surface_dice": lambda prediction, label: surface_dice(prediction, label, SPACING_MM, tolerance_mm=2.0),
}


@pytest.mark.parametrize("metric", METRICS)
def bench_metric(measure_on_host: Measure, metric: str) -> None:
    """Time a metric."""
    prediction, label = ball(SHAPE, RADIUS), ball(SHAPE, RADIUS, shift=2)
    measure_on_host("metric", SHAPE, "voxels", math.prod(SHAPE), lambda: METRICS[metric](prediction, label))
