"""The label and OSS-Net C's prediction of one case, each as a slice and a mesh."""

from pathlib import Path
from typing import Any

import numpy as np
from mpl_toolkits.mplot3d.axes3d import Axes3D

from paper_figures.figure1 import FIGURE1, draw
from paper_figures.segmentations import SegmentedCase
from paper_figures.style import LABEL_COLOUR, PREDICTION_COLOUR

LABEL = np.zeros((12, 14, 10), bool)
LABEL[3:9, 4:10, 3:7] = True
AFFINE = np.diag([-2.0, -1.5, 3.0, 1.0])


def test_label_and_prediction_stand_beside_each_other_in_a_view_of_both() -> None:
    far = np.roll(LABEL, 1, axis=0)
    far[0, 0, 0] = far[-1, -1, -1] = True
    image = LABEL + np.random.default_rng(0).random(LABEL.shape)
    predictions, dice = {"onet": ~LABEL, "c": far}, {"onet": 0.1, "c": 0.7}
    label, prediction = draw(SegmentedCase("case-1", "flair", image, LABEL, predictions, dice, AFFINE)).subfigs
    assert [part.get_suptitle() for part in (label, prediction)] == ["Label", "OSS-Net C, Dice 0.700"]
    for part, colour in ((label, LABEL_COLOUR), (prediction, PREDICTION_COLOUR)):
        picture, mesh = part.axes
        assert not isinstance(picture, Axes3D)
        assert isinstance(mesh, Axes3D)
        *_, outline = picture.collections
        np.testing.assert_allclose(outline.get_edgecolor()[0], np.append(hex_rgb(colour), 1), atol=1e-6)
        assert "extends beyond view" not in [text.get_text() for text in mesh.texts]
        # 12 voxels of 2 mm, and a quarter of the longest edge (30 mm) on both sides.
        np.testing.assert_allclose(np.ptp(mesh.get_xlim()), 12 * 2 + 30 / 2)


def hex_rgb(colour: str) -> np.ndarray:
    return np.array([int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)])


def test_cases_without_the_model_are_left_out(tmp_path: Path, write_case: Any) -> None:
    drawable = write_case(tmp_path / "table2-glioma-laptop.npz", "onet", "c")
    write_case(tmp_path / "table2-liver-laptop.npz", "onet")
    (picture,) = FIGURE1.pictures(tmp_path, None)
    assert (picture.name, picture.sources) == ("figure1-glioma-laptop", [drawable])
