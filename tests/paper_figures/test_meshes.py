"""Meshes of large masks, and the view of them."""

import numpy as np
from matplotlib.figure import Figure

from paper_figures.meshes import MAX_MESH_VOXELS, coarse_meshes, draw_mesh, view_of

AFFINE = np.diag([-2.0, 1.0, 1.0, 1.0])


def box(shape: tuple[int, int, int], low: int, high: int) -> np.ndarray:
    mask = np.zeros(shape, bool)
    mask[low:high, low:high, low:high] = True
    return mask


def test_a_coarse_mesh_lies_where_the_mask_does() -> None:
    mask = box((200, 200, 200), 20, 180)
    ((vertices, faces),) = coarse_meshes(mask[None], AFFINE)
    # 160 voxels are averaged by two. The first axis runs to the left, 2 mm a voxel.
    assert len(faces) < 12 * MAX_MESH_VOXELS**2 + 100
    np.testing.assert_allclose(vertices.min(axis=0), (-2 * 179.5, 19.5, 19.5), atol=1)
    np.testing.assert_allclose(vertices.max(axis=0), (-2 * 19.5, 179.5, 179.5), atol=1)


def test_a_view_has_a_margin_of_a_quarter_around_the_mask() -> None:
    limits = view_of(box((20, 20, 20), 4, 12), np.eye(4))
    np.testing.assert_allclose(limits, [[1.5] * 3, [13.5] * 3])


def test_what_is_not_all_in_view_is_told() -> None:
    mask = box((20, 20, 20), 4, 12)
    limits = view_of(mask, np.eye(4))
    larger, nothing = box((20, 20, 20), 4, 18), np.zeros((20, 20, 20), bool)
    for shown, notes in ((mask, []), (larger, ["extends beyond view"]), (nothing, ["no surface"])):
        axes = Figure().add_subplot(projection="3d")
        ((vertices, faces), _) = coarse_meshes(np.stack([shown, mask]), np.eye(4))
        draw_mesh(axes, vertices, faces, limits, "#009E73")
        found = [text.get_text() for text in axes.texts]
        assert [text for text in found if text in ("extends beyond view", "no surface")] == notes
