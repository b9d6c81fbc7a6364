import subprocess
import sys

import numpy as np
import pytest

from ossnet.evaluation.metrics import score_case
from ossnet.evaluation.quantities import SCORES

CUBE = np.zeros((12, 12, 12), bool)
CUBE[3:9, 3:9, 3:9] = True


def scores(shift: int) -> dict[str, float]:
    """Scores of a cube that is shifted against its label by `shift` voxels of 1 mm."""
    return score_case(np.roll(CUBE, shift, axis=0), CUBE, (1.0, 1.0, 1.0), 1.0, tolerance_mm=1.0)


def test_the_better_segmentation_has_the_better_score() -> None:
    better, worse = scores(0), scores(3)
    for name, quantity in SCORES.items():
        assert better[name] > worse[name] if quantity.higher_is_better else better[name] < worse[name], name


def test_a_quantity_with_a_unit_grows_with_the_voxels_and_a_ratio_does_not() -> None:
    small, large = (
        score_case(np.roll(CUBE, 2, axis=0), CUBE, (edge,) * 3, edge**3, tolerance_mm=edge) for edge in (1.0, 2.0)
    )
    for name, quantity in SCORES.items():
        assert large[name] == pytest.approx({"": 1, "mm": 2, "ml": 8}[quantity.unit] * small[name]), name


def test_quantities_are_imported_without_libraries() -> None:
    heavy = "('numpy', 'pandas', 'torch')"
    code = f"import sys, ossnet.evaluation.quantities; sys.exit(any(name in sys.modules for name in {heavy}))"
    subprocess.run([sys.executable, "-c", code], check=True)
