"""The stages of an extraction: what is read, cropped and shown."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ossnet.errors import UserError
from paper_figures.figure4 import StagedCase, draw, load

SHAPE = (33, 41, 1)
LPS = np.diag([-1.0, -2.0, 3.0, 1.0])


def lattice(stride: int, occupied: np.ndarray) -> np.ndarray:
    states = np.full(SHAPE, -1, np.int8)
    states[::stride, ::stride] = occupied[::stride, ::stride]
    return states


def arrays() -> dict[str, Any]:
    """A label in the middle, right after the first stage; the second stage evaluates only one column."""
    label = np.zeros(SHAPE, bool)
    label[12:21, 16:25] = True
    asked = np.zeros((2, *SHAPE), bool)
    asked[0, ::4, ::4] = ~label[::4, ::4]
    asked[1, 12:21:2, 18] = True
    return {
        "case": np.array("case-1"),
        "modality": np.array("flair"),
        "model": np.array("c"),
        "voxels": np.array(33 * 41 * 10),
        "image": np.random.default_rng(0).random(SHAPE),
        "label": label,
        "affine": LPS,
        "stride": np.array([4, 2]),
        "evaluated": np.array([700, 653]),
        "evaluated_by_mise": np.array(1111),
        "begun": np.stack([lattice(4, label), lattice(2, label)]),
        "settled": np.stack([lattice(4, label), lattice(2, label)]),
        "asked": asked,
    }


@pytest.fixture
def case(tmp_path: Path) -> StagedCase:
    np.savez_compressed(tmp_path / "figure4-own-laptop.npz", **arrays())
    return load(tmp_path / "figure4-own-laptop.npz")


def test_the_window_is_what_is_occupied_and_two_points_around(case: StagedCase) -> None:
    # 9 + 2 x 8 voxels along both axes; rows run to the front and columns to the left, as axes 2 and 1 of LPS do.
    assert case.label.shape == case.image.shape == (25, 25)
    assert case.label[8:17, 8:17].all()
    assert case.label.sum() == 81
    assert case.before.shape == case.after.shape == case.queried.shape == (2, 25, 25)
    assert case.pixel_mm == (2.0, 1.0)
    assert (case.strides, case.evaluated) == ((4, 2), (700, 653))


def test_the_view_turns_every_array_alike(tmp_path: Path) -> None:
    stored, mirrored = tmp_path / "figure4-a.npz", tmp_path / "figure4-b.npz"
    values = arrays()
    values["label"][13, 17] = False
    np.savez_compressed(stored, **values)
    flipped = {name: np.flip(values[name], (-3, -2)) for name in ("image", "label", "begun", "settled", "asked")}
    np.savez_compressed(mirrored, **values | flipped | {"affine": np.diag([1.0, 2.0, 3.0, 1.0])})
    first, second = load(stored), load(mirrored)
    for name in ("image", "label", "before", "after", "queried"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))


def test_a_case_without_anything_is_shown_whole(tmp_path: Path) -> None:
    values = arrays()
    nothing = {"label": np.zeros(SHAPE, bool)}
    for name in ("begun", "settled"):
        nothing[name] = np.minimum(values[name], 0)
    np.savez_compressed(tmp_path / "figure4-own.npz", **values | nothing)
    assert load(tmp_path / "figure4-own.npz").label.shape == (41, 33)


def test_every_stage_shows_its_points_and_the_frame_cuts_none(case: StagedCase) -> None:
    figure = draw(case)
    counts = [[len(line.get_xdata()) for line in figure.axes[stage].lines] for stage in (1, 2)]
    # Occupied, unoccupied, evaluated though occupied, evaluated. Of 7 x 7 points of the first lattice 3 x 3 are
    # occupied; of 13 x 13 of the second 5 x 5, and five of them are evaluated.
    assert counts == [[9, 0, 0, 40], [20, 144, 5, 0]]
    figure.draw_without_rendering()
    for axes in figure.axes[1:3]:
        frame = axes.get_window_extent()
        for line in axes.lines:
            radius_px = (line.get_markersize() + line.get_markeredgewidth()) / 2 * figure.dpi / 72
            for x, y in axes.transData.transform(line.get_xydata()):
                assert frame.x0 <= x - radius_px < x + radius_px <= frame.x1
                assert frame.y0 <= y - radius_px < y + radius_px <= frame.y1
    assert figure.axes[4].get_xlim() == figure.axes[1].get_xlim()


def test_what_cannot_be_drawn_tells_how_to_make_it(tmp_path: Path) -> None:
    path = tmp_path / "figure4-own-laptop.npz"
    values = arrays()
    del values["asked"]
    np.savez_compressed(path, **values)
    with pytest.raises(UserError, match=r"figure4-own-laptop\.npz: .*asked.*benchmarks run figure4"):
        load(path)
    path.write_bytes(b"no archive")
    with pytest.raises(UserError, match="cannot draw the extraction"):
        load(path)
