"""Slices in the radiological view, and meshes of masks."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from paper_figures.volumes import (
    MAX_MESH_VOXELS,
    Mesh,
    axial_slices,
    axial_view,
    bar_length_mm,
    coarse_meshes,
    draw_mesh,
    draw_outline,
    draw_slice,
    view_of,
)

LPS = np.diag([-2.0, -3.0, 5.0, 1.0])
LAS = np.diag([-2.0, 1.0, 1.0, 1.0])


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
    ras = np.diag([2.0, 3.0, 5.0, 1.0])
    views = axial_slices(image, mask, LPS), axial_slices(image[::-1, ::-1], mask[:, ::-1, ::-1], ras)
    for one, other in zip(*views, strict=True):
        np.testing.assert_array_equal(one, other)


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


def box(shape: tuple[int, int, int], low: int, high: int) -> np.ndarray:
    mask = np.zeros(shape, bool)
    mask[low:high, low:high, low:high] = True
    return mask


def test_a_coarse_mesh_lies_where_the_mask_does() -> None:
    mask = box((200, 200, 200), 20, 180)
    ((vertices, faces),) = coarse_meshes(mask[None], LAS)
    # 160 voxels are averaged by two. The first axis runs to the left, 2 mm per voxel.
    assert len(faces) < 12 * MAX_MESH_VOXELS**2 + 100
    np.testing.assert_allclose(vertices.min(axis=0), (-2 * 179.5, 19.5, 19.5), atol=1)
    np.testing.assert_allclose(vertices.max(axis=0), (-2 * 19.5, 179.5, 179.5), atol=1)


def test_a_view_has_a_margin_of_a_quarter_around_the_mask() -> None:
    limits = view_of(box((20, 20, 20), 4, 12), np.eye(4))
    np.testing.assert_allclose(limits, [[1.5] * 3, [13.5] * 3])


def test_a_note_says_where_a_mesh_is_not_all_in_view() -> None:
    mask = box((20, 20, 20), 4, 12)
    limits = view_of(mask, np.eye(4))
    larger, nothing = box((20, 20, 20), 4, 18), np.zeros((20, 20, 20), bool)
    for shown, notes in ((mask, []), (larger, ["extends beyond view"]), (nothing, ["no surface"])):
        axes = Figure().add_subplot(projection="3d")
        ((vertices, faces), _) = coarse_meshes(np.stack([shown, mask]), np.eye(4))
        draw_mesh(axes, vertices, faces, limits, "#009E73")
        found = [text.get_text() for text in axes.texts]
        assert [text for text in found if text in ("extends beyond view", "no surface")] == notes


def test_a_mesh_keeps_the_triangles_within_the_limits() -> None:
    vertices = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [9, 9, 9]])
    axes = Figure().add_subplot(projection="3d")
    draw_mesh(axes, vertices, np.array([[0, 1, 2], [1, 2, 3]]), np.array([[-1.0] * 3, [2.0] * 3]), "#009E73")
    (mesh,) = axes.collections
    assert isinstance(mesh, Mesh)
    np.testing.assert_array_equal(mesh.triangles, vertices[[[0, 1, 2]]])
