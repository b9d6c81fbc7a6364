"""The figure of one case: what it reads, what it shows, what it writes."""

from pathlib import Path

import numpy as np
import pytest
from mpl_toolkits.mplot3d.axes3d import Axes3D

from ossnet.errors import UserError
from paper_figures.segmentations import SegmentedCase, draw, load

SHAPE = (20, 24, 16)
AFFINE = np.diag([-2.0, -1.5, 3.0, 1.0])


def ellipsoid(centre: tuple[float, float, float], radii: tuple[float, float, float]) -> np.ndarray:
    places = np.moveaxis(np.indices(SHAPE), 0, -1)
    return (((places - centre) / radii) ** 2).sum(axis=-1) < 1


LABEL = ellipsoid((8, 12, 7), (4, 5, 4))


def arrays(models: list[str]) -> dict[str, np.ndarray]:
    return {
        "case": np.array("case-1"),
        "modality": np.array("flair"),
        "image": np.where(ellipsoid((10, 12, 8), (9, 11, 7)), 1 + LABEL, 0).astype(np.float32),
        "label": LABEL.astype(np.uint8),
        "models": np.array(models),
        "predictions": np.stack([np.roll(LABEL, shift % 3, axis=0) for shift in range(len(models))]),
        "dice": np.linspace(0.5, 0.9, len(models)),
        "affine": AFFINE,
    }


def segmented(**changes: object) -> SegmentedCase:
    values = {
        "name": "case-1",
        "modality": "flair",
        "image": np.ones(SHAPE),
        "label": LABEL,
        "predictions": {"c": LABEL},
        "dice": {"c": 1.0},
        "affine": AFFINE,
    }
    return SegmentedCase(**(values | changes))


def test_a_case_is_read_as_it_was_written(tmp_path: Path) -> None:
    written = arrays(["onet", "c"])
    np.savez_compressed(tmp_path / "case.npz", **written)
    case = load(tmp_path / "case.npz")
    assert (case.name, case.modality) == ("case-1", "flair")
    assert list(case.predictions) == ["onet", "c"]
    assert case.dice == {"onet": 0.5, "c": 0.9}
    np.testing.assert_array_equal(case.predictions["c"], written["predictions"][1])
    np.testing.assert_array_equal(case.affine, AFFINE)


def test_what_cannot_be_drawn_is_named(tmp_path: Path) -> None:
    path = tmp_path / "case.npz"
    with pytest.raises(UserError, match=r"case\.npz"):
        load(path)
    path.write_bytes(b"not an archive")
    with pytest.raises(UserError, match=r"case\.npz"):
        load(path)
    without_label = arrays(["c"])
    del without_label["label"]
    np.savez(path, **without_label)
    with pytest.raises(UserError, match="label"):
        load(path)
    np.savez(path, **arrays(["c"]) | {"models": np.array(["c", "d"])})
    with pytest.raises(UserError, match="do not fit together"):
        load(path)
    with pytest.raises(UserError, match="its label is empty"):
        draw(segmented(label=np.zeros(SHAPE, dtype=bool)))


def test_empty_and_stray_predictions_say_so() -> None:
    nothing = np.zeros(SHAPE, dtype=bool)
    stray = LABEL.copy()
    stray[19, 0, 15] = True
    figure = draw(segmented(predictions={"a": nothing, "b": stray, "c": LABEL}, dice=dict.fromkeys("abc", 0.0)))
    meshes = [axes for axes in figure.axes if isinstance(axes, Axes3D)]
    notes = [{text.get_text() for text in axes.texts} & {"no surface", "extends beyond view"} for axes in meshes]
    assert notes == [set(), {"no surface"}, {"extends beyond view"}, set()]
    assert len({(axes.get_xlim(), axes.get_ylim(), axes.get_zlim(), axes.elev, axes.azim) for axes in meshes}) == 1
