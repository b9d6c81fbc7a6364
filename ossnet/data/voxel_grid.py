"""Grids of voxels in the world, and finer or coarser ones over the same volume."""

from dataclasses import dataclass

import numpy as np
from nibabel.affines import from_matvec, voxel_sizes

Shape = tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class VoxelGrid:
    """Grid of voxels with its place in the world.

    Attributes:
        shape: number of voxels along each axis, (H, W, D).
        affine: [4, 4] float64, from voxel indices to mm, RAS+.
    """

    shape: Shape
    affine: np.ndarray

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Edge lengths of a voxel in mm, in the order of the axes."""
        height, width, depth = voxel_sizes(self.affine)
        return float(height), float(width), float(depth)

    @property
    def voxel_mm3(self) -> float:
        """Volume of a voxel in mm³, also where its edges are not at right angles."""
        return float(abs(np.linalg.det(self.affine[:3, :3])))

    def shape_at(self, spacing_mm: tuple[float, float, float]) -> Shape:
        """Return the shape whose voxels fill the volume and come closest to edge lengths in mm, at least one each.

        >>> VoxelGrid((10, 10, 3), np.eye(4)).shape_at((0.5, 0.3, 1.5))
        (20, 33, 2)
        """
        height, width, depth = (
            max(1, round(size * edge / wanted))
            for size, edge, wanted in zip(self.shape, self.spacing_mm, spacing_mm, strict=True)
        )
        return height, width, depth

    def resampled(self, shape: Shape) -> "VoxelGrid":
        """Return the grid of another shape over the same volume: their outer faces coincide, not their outer centres.

        Along an axis of T voxels here and S voxels there, voxel s there has its centre at (s + 1/2) T / S - 1/2 here,
        as in `GridMap.resampled`.

        >>> VoxelGrid((10, 10, 10), np.eye(4)).resampled((20, 10, 5)).affine[:3, 3].tolist()
        [-0.25, 0.0, 0.5]
        """
        ratio = np.array(self.shape) / shape
        return VoxelGrid(shape, self.affine @ from_matvec(np.diag(ratio), (ratio - 1) / 2))
