import numpy as np
import pytest
from nibabel.affines import apply_affine

from ossnet.data.voxel_grid import VoxelGrid

OBLIQUE = np.array([[0.1, -2.0, 0.3, 5], [1.0, 0.2, -0.2, -9], [0.2, 0.1, 3.0, 2], [0, 0, 0, 1]])


@pytest.mark.parametrize("shape", [(8, 12, 20), (5, 3, 1), (4, 6, 5)])
def test_outer_faces_coincide_and_volume_is_kept(shape: tuple[int, int, int]) -> None:
    grid = VoxelGrid((4, 6, 5), OBLIQUE)
    other = grid.resampled(shape)
    assert other.shape == shape
    for corner in ((0, 0, 0), (1, 1, 1), (0, 1, 0)):
        faces = [np.array(corner) * one.shape - 0.5 for one in (grid, other)]
        np.testing.assert_allclose(apply_affine(other.affine, faces[1]), apply_affine(OBLIQUE, faces[0]))
    assert other.voxel_mm3 * np.prod(shape) == pytest.approx(grid.voxel_mm3 * 4 * 6 * 5)
    edges = np.array(grid.spacing_mm) * (4, 6, 5) / shape
    np.testing.assert_allclose(other.spacing_mm, edges)


def test_the_same_shape_is_the_same_grid() -> None:
    np.testing.assert_array_equal(VoxelGrid((4, 6, 5), OBLIQUE).resampled((4, 6, 5)).affine, OBLIQUE)


def test_a_shape_comes_closest_to_a_spacing() -> None:
    grid = VoxelGrid((240, 240, 155), np.diag([-1.0, -1.0, 1.0, 1.0]))
    assert grid.shape_at((0.5, 0.5, 0.5)) == (480, 480, 310)
    assert grid.shape_at((1, 3, 0.7)) == (240, 80, 221)
    assert grid.shape_at((1000, 1000, 1000)) == (1, 1, 1)
