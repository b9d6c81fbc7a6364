"""The label and OSS-Net C's prediction of one case, each as a slice and a mesh."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from mpl_toolkits.mplot3d.axes3d import Axes3D

from ossnet.errors import UserError
from paper_figures.figure1 import FIGURE1, draw
from paper_figures.segmentations import SegmentedCase
from paper_figures.style import LABEL_COLOUR, PREDICTION_COLOUR

LABEL = np.zeros((12, 14, 10), bool)
LABEL[3:9, 4:10, 3:7] = True
AFFINE = np.diag([-2.0, -1.5, 3.0, 1.0])


def segmented(label: np.ndarray = LABEL) -> SegmentedCase:
    image = LABEL + np.random.default_rng(0).random(LABEL.shape)
    predictions = {"onet": ~label, "c": np.roll(label, 1, axis=0)}
    return SegmentedCase("case-1", "flair", image, label, predictions, {"onet": 0.1, "c": 0.7}, AFFINE)


def write(path: Path, models: list[str]) -> Path:
    np.savez_compressed(
        path,
        **{"case": np.array("case-1"), "modality": np.array("flair"), "image": LABEL.astype(np.float32)},
        **{"label": LABEL, "models": np.array(models), "predictions": np.stack([LABEL] * len(models))},
        **{"dice": np.full(len(models), 0.7), "affine": AFFINE},
    )
    return path


def test_label_and_prediction_stand_beside_each_other_as_slice_and_mesh() -> None:
    figure = draw(segmented())
    label, prediction = figure.subfigs
    assert [part.get_suptitle() for part in (label, prediction)] == ["Label", "OSS-Net C, Dice 0.700"]
    for part, colour in ((label, LABEL_COLOUR), (prediction, PREDICTION_COLOUR)):
        picture, mesh = part.axes
        assert not isinstance(picture, Axes3D)
        assert isinstance(mesh, Axes3D)
        *_, outline = picture.collections
        np.testing.assert_allclose(outline.get_edgecolor()[0], np.append(hex_rgb(colour), 1), atol=1e-6)
    (first, second) = (part.axes[1] for part in (label, prediction))
    assert (first.get_xlim(), first.get_zlim()) == (second.get_xlim(), second.get_zlim())


def test_the_view_of_meshes_holds_label_and_prediction() -> None:
    far = np.zeros_like(LABEL)
    far[0, 0, 0] = far[-1, -1, -1] = True
    case = replace(segmented(), predictions={"c": far})
    for part in draw(case).subfigs:
        assert "extends beyond view" not in [text.get_text() for text in part.axes[1].texts]
        # 12 voxels of 2 mm, and a quarter of the longest edge (30 mm) on both sides.
        np.testing.assert_allclose(np.ptp(part.axes[1].get_xlim()), 12 * 2 + 30 / 2)


def hex_rgb(colour: str) -> np.ndarray:
    return np.array([int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)])


def test_cases_without_the_model_are_left_out(tmp_path: Path) -> None:
    write(tmp_path / "table2-glioma-laptop.npz", ["onet", "c"])
    write(tmp_path / "table2-liver-laptop.npz", ["onet"])
    (picture,) = FIGURE1.pictures(tmp_path, None)
    assert picture.name == "figure1-glioma-laptop"
    assert picture.sources == [tmp_path / "table2-glioma-laptop.npz"]
    assert picture.draw().get_suptitle() == "Case case-1, flair"


def test_an_empty_label_is_refused() -> None:
    with pytest.raises(UserError, match="its label is empty"):
        draw(segmented(np.zeros_like(LABEL)))
