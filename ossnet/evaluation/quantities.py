"""What is measured of a segmentation, and how tables show it. Imports nothing, so that reading records is quick."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Quantity:
    """The way a quantity is shown: its usual name, its unit ('' for a ratio or a count), and which end of it is better.

    Attributes:
        digits: after the decimal point.
    """

    name: str
    unit: str
    higher_is_better: bool
    digits: int = 3


SCORES = {
    "dice": Quantity("Dice", "", higher_is_better=True),
    "iou": Quantity("IoU", "", higher_is_better=True),
    "hausdorff95": Quantity("HD95", "mm", higher_is_better=False, digits=2),
    "surface_dice": Quantity("Surface Dice", "", higher_is_better=True),
    "false_positive_volume": Quantity("FP volume", "ml", higher_is_better=False, digits=2),
}
"""Quantities that `ossnet.evaluation.metrics.score_case` measures of a segmentation, in the order in which tables show
it."""

OF_EXTRACTIONS = {
    "evaluated_locations": Quantity("Evaluated", "", higher_is_better=False, digits=0),
    "evaluated_stage1": Quantity("Evaluated in stage 1", "", higher_is_better=False, digits=0),
    "evaluated_stage2": Quantity("Evaluated in stage 2", "", higher_is_better=False, digits=0),
    "evaluated_stage3": Quantity("Evaluated in stage 3", "", higher_is_better=False, digits=0),
    "disagreement_mise": Quantity("Disagreement with mise", "%", higher_is_better=False, digits=4),
    "disagreement_released": Quantity("Disagreement with released", "%", higher_is_better=False, digits=4),
    "disagreement_paper-prior": Quantity("Disagreement with paper-prior", "%", higher_is_better=False, digits=4),
    "disagreement_released-prior": Quantity("Disagreement with released-prior", "%", higher_is_better=False, digits=4),
    "prior_precision": Quantity("Precision of the prior", "", higher_is_better=True),
    "prior_recall": Quantity("Recall of the prior", "", higher_is_better=True),
}
"""Quantities that `benchmarks.scoring.inference_comparison` measures of an extraction, likewise."""

QUANTITIES = SCORES | OF_EXTRACTIONS
