"""The slice that shows a label best, in the radiological view."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from paper_figures.slices import axial_slices, axial_view, bar_length_mm, draw_outline, draw_slice

LPS = np.diag([-2.0, -3.0, 5.0, 1.0])


def test_the_slice_has_the_largest_area_and_runs_from_right_to_left_and_back_to_front():
    image = np.ones((6, 8, 5))
    mask = np.zeros(image.shape, bool)
    mask[1, 2, 3] = mask[1, 3, 3] = True
    mask[4, 4, 1] = True
    image[1, 2, 3] = 7
    picture, slices, pixel_mm = axial_slices(image, mask[None], LPS)
    assert pixel_mm == (3.0, 2.0)
    assert slices[0].sum() == 2
    # In LPS the first axis runs to the patient's left and the second to the back; voxel 2 is before voxel 3.
    assert picture.shape == (2, 1)
    np.testing.assert_array_equal(picture[:, 0], [1, 7])


def test_the_stored_orientation_does_not_change_the_picture():
    rng = np.random.default_rng(0)
    image, mask = rng.random((6, 8, 5)), np.zeros((1, 6, 8, 5), bool)
    mask[0, 2:4, 3:6, 2] = True
    picture, slices, pixel_mm = axial_slices(image, mask, LPS)
    ras = np.diag([2.0, 3.0, 5.0, 1.0])
    flipped = axial_slices(image[::-1, ::-1], mask[:, ::-1, ::-1], ras)
    np.testing.assert_array_equal(picture, flipped[0])
    np.testing.assert_array_equal(slices, flipped[1])
    assert pixel_mm == flipped[2]


def test_volumes_are_turned_alike_whatever_their_types():
    volume = np.arange(6 * 8 * 5).reshape(6, 8, 5)
    (turned, large), pixel_mm = axial_view([volume, volume > 100], LPS)
    assert turned.shape == (5, 8, 6)
    # The last slice's row in front and its column on the patient's left.
    assert turned[4, 7, 5] == volume[5, 0, 4]
    np.testing.assert_array_equal(large, turned > 100)
    assert pixel_mm == (3.0, 2.0)


def test_an_outline_is_closed_at_the_border_of_the_picture():
    axes = Figure().subplots()
    draw_outline(axes, np.ones((2, 3), bool), (1.0, 2.0), "red")
    (outline,) = axes.collections
    (path,) = outline.get_paths()
    np.testing.assert_allclose(path.vertices.min(axis=0), (0, 0), atol=1)
    np.testing.assert_allclose(path.vertices[0], path.vertices[-1])


def test_a_mask_becomes_an_outline_and_only_the_last_is_filled():
    mask = np.zeros((8, 8), bool)
    mask[2:5, 2:5] = True
    outlined, filled = Figure().subplots(1, 2)
    draw_slice(outlined, np.arange(64.0).reshape(8, 8), (1.0, 1.0), [(mask, "red"), (np.zeros_like(mask), "blue")])
    draw_slice(filled, np.arange(64.0).reshape(8, 8), (1.0, 1.0), [(mask, "red"), (mask, "blue")])
    assert len(outlined.collections) == 1
    assert len(filled.collections) == 3


@pytest.mark.parametrize(("limit", "length"), [(7.3, 5), (49, 20), (50, 50), (1, 1), (0.3, 0.2)])
def test_a_scale_bar_has_a_round_length(limit, length):
    assert bar_length_mm(limit) == pytest.approx(length)
