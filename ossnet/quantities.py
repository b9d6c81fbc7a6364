"""What is measured of a segmentation, and how tables show it. Imports nothing, so that reading records is quick."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Quantity:
    """How a quantity is shown: its usual name, its unit ('' for a ratio), and which end of it is better."""

    name: str
    unit: str
    higher_is_better: bool


QUANTITIES = {
    "dice": Quantity("Dice", "", higher_is_better=True),
    "iou": Quantity("IoU", "", higher_is_better=True),
    "hausdorff95": Quantity("HD95", "mm", higher_is_better=False),
    "surface_dice": Quantity("Surface Dice", "", higher_is_better=True),
    "false_positive_volume": Quantity("FP volume", "ml", higher_is_better=False),
}
"""What `ossnet.metrics.score_case` measures, in the order in which tables show it."""
