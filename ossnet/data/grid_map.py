"""Map between the grid of a case as it is stored and the grid that a model sees."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from ossnet.errors import UserError


@dataclass(frozen=True)
class GridMap:
    """Map from voxel coordinates of a case's original grid to those of its prepared grid, axis by axis.

    Coordinate a of a prepared location is `scale[a] * location[axes[a]] + offset[a]`; whole numbers are voxel centres.

    Attributes:
        original_shape: original grid (H, W, D) of the case.
        prepared_shape: prepared grid (H, W, D).
        axes: original axis along which each prepared axis runs.
        scale: prepared voxels per original voxel on each prepared axis; negative where the axis is flipped.
        offset: prepared coordinate of the original coordinate 0 on each prepared axis.
    """

    original_shape: tuple[int, int, int]
    prepared_shape: tuple[int, int, int]
    axes: tuple[int, int, int]
    scale: tuple[float, float, float]
    offset: tuple[float, float, float]

    @property
    def matrix(self) -> np.ndarray:
        """The map as a matrix [4, 4] float64 on homogeneous coordinates."""
        matrix = np.zeros((4, 4))
        matrix[range(3), self.axes] = self.scale
        matrix[:3, 3] = self.offset
        matrix[3, 3] = 1
        return matrix

    @property
    def keeps_voxels(self) -> bool:
        """True if each original voxel is a prepared voxel: the map pads, flips and permutes, but does not resize."""
        return all(abs(scale) == 1 for scale in self.scale) and all(offset == round(offset) for offset in self.offset)

    def to_prepared(self, locations: Tensor) -> Tensor:
        """Return the prepared coordinates [n, 3] float32 of original ones [n, 3], for a model's occupancy field."""
        scale = torch.tensor(self.scale, dtype=torch.float32, device=locations.device)
        offset = torch.tensor(self.offset, dtype=torch.float32, device=locations.device)
        return scale * locations[:, list(self.axes)] + offset

    def resampled(self, shape: tuple[int, int, int]) -> "GridMap":
        """Return the map of a grid of another shape over the same volume: the outer faces of both grids coincide.

        Along an axis of T voxels in the original grid and S voxels in the other one, voxel s of the latter has its
        centre at the original coordinate (s + 1/2) T / S - 1/2.
        """
        ratio = [size / other for size, other in zip(self.original_shape, shape, strict=True)]
        moves = list(zip(self.axes, self.scale, self.offset, strict=True))
        scale = [factor * ratio[axis] for axis, factor, _ in moves]
        offset = [start + factor * (ratio[axis] - 1) / 2 for axis, factor, start in moves]
        return replace(
            self,
            original_shape=shape,
            scale=(scale[0], scale[1], scale[2]),
            offset=(offset[0], offset[1], offset[2]),
        )

    def restore(self, label: np.ndarray) -> np.ndarray:
        """Return a segmentation of the prepared grid on the original grid, [H, W, D], by the nearest prepared voxel.

        This crops the padding, and exactly inverts a resize to a finer grid.

        Raises:
            UserError: the segmentation is not on the prepared grid.
        """
        if label.shape != self.prepared_shape:
            raise UserError(f"the segmentation has the grid {label.shape}, not the prepared one {self.prepared_shape}")
        nearest = [
            np.clip(np.floor(self.scale[a] * np.arange(self.original_shape[axis]) + self.offset[a] + 0.5), 0, size - 1)
            for a, (axis, size) in enumerate(zip(self.axes, self.prepared_shape, strict=True))
        ]
        return label[np.ix_(*(index.astype(int) for index in nearest))].transpose(np.argsort(self.axes))
