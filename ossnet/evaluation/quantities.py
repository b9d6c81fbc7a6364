"""Quantities that are measured of a segmentation, and their display in tables.

This module imports only the standard library, so that records are read quickly.
"""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Quantity:
    """Display of a quantity.

    Attributes:
        name: usual name.
        unit: unit; '' for a ratio or a count.
        higher_is_better: whether a higher value is better.
        digits: number of digits after the decimal point.
        highest: highest value that it can have. The lowest is 0 for all quantities.
    """

    name: str
    unit: str
    higher_is_better: bool
    digits: int = 3
    highest: float = math.inf


SCORES = {
    "dice": Quantity("Dice", "", higher_is_better=True, highest=1),
    "iou": Quantity("IoU", "", higher_is_better=True, highest=1),
    "hausdorff95": Quantity("HD95", "mm", higher_is_better=False, digits=2),
    "surface_dice": Quantity("Surface Dice", "", higher_is_better=True, highest=1),
    "false_positive_volume": Quantity("FP volume", "ml", higher_is_better=False, digits=2),
}
"""Quantities of a segmentation, measured by `ossnet.evaluation.metrics.score_case`, in the order of tables."""

EXTRACTION_QUANTITIES = {
    "lesions_found_small": Quantity("Small lesions found", "", higher_is_better=True, highest=1),
    "lesions_found_large": Quantity("Large lesions found", "", higher_is_better=True, highest=1),
    "evaluated_locations": Quantity("Evaluated", "", higher_is_better=False, digits=0),
    "evaluated_stage1": Quantity("Evaluated in stage 1", "", higher_is_better=False, digits=0),
    "evaluated_stage2": Quantity("Evaluated in stage 2", "", higher_is_better=False, digits=0),
    "evaluated_stage3": Quantity("Evaluated in stage 3", "", higher_is_better=False, digits=0),
    "evaluated_stage4": Quantity("Evaluated in stage 4", "", higher_is_better=False, digits=0),
    "evaluated_stage5": Quantity("Evaluated in stage 5", "", higher_is_better=False, digits=0),
    "disagreement_mise": Quantity("Disagreement with mise", "%", higher_is_better=False, digits=4, highest=100),
    "disagreement_released": Quantity("Disagreement with released", "%", higher_is_better=False, digits=4, highest=100),
    "disagreement_paper-prior": Quantity(
        "Disagreement with paper-prior", "%", higher_is_better=False, digits=4, highest=100
    ),
    "disagreement_released-prior": Quantity(
        "Disagreement with released-prior", "%", higher_is_better=False, digits=4, highest=100
    ),
    "disagreement_dense": Quantity("Disagreement with dense", "%", higher_is_better=False, digits=4, highest=100),
    "small_found_mise": Quantity("Small components found by mise", "", higher_is_better=True, highest=1),
    "small_found_adaptive": Quantity("Small components found by adaptive", "", higher_is_better=True, highest=1),
    "prior_precision": Quantity("Precision of the prior", "", higher_is_better=True, highest=1),
    "prior_recall": Quantity("Recall of the prior", "", higher_is_better=True, highest=1),
}
"""Quantities of an extraction, measured by `benchmarks.scoring.inference_comparison`, in the order of tables."""

COST_QUANTITIES = {
    "training_memory": Quantity("Training memory", "GB", higher_is_better=False),
    "training_time": Quantity("Training time", "s", higher_is_better=False, digits=0),
    "segmentation_memory": Quantity("Segmentation memory", "GB", higher_is_better=False),
    "segmentation_time": Quantity("Segmentation time", "s", higher_is_better=False, digits=2),
    "parameters": Quantity("Parameters", "", higher_is_better=False, digits=0),
}
"""Costs of a run, which `benchmarks.report.cost_quantities` takes from its records, in the order of tables."""

QUANTITIES = SCORES | EXTRACTION_QUANTITIES | COST_QUANTITIES
