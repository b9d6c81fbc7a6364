"""Slices of volumes, for a model that learns from a few of each case instead of the whole."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Slices:
    """Some slices of one volume.

    Attributes:
        axis: of (H, W, D), the one that the slices are taken across.
        shape: the whole volume's grid (H, W, D) in voxels.
        indices: where the slices lie on the axis, [k] int64.
    """

    axis: int
    shape: tuple[int, int, int]
    indices: Tensor

    def flipped(self, axes: tuple[int, ...]) -> "Slices":
        """The slices that a flip of the whole volume along `axes` moves to these places; a flip undoes itself."""
        if self.axis not in axes:
            return self
        return Slices(self.axis, self.shape, self.shape[self.axis] - 1 - self.indices)

    def of(self, volume: Tensor) -> Tensor:
        """The slices of a volume [..., H, W, D], as a volume with k slices along the axis."""
        return volume.index_select(self.axis - 3, self.indices.to(volume.device))

    def read(self, volume: Tensor) -> Tensor:
        """As `of`, for a volume in a mapped file: nothing but the slices is read.

        NumPy copies in the thread that asks; torch would start threads of its own beside those that train.
        """
        across = np.moveaxis(volume.numpy(), self.axis - 3, 0)
        return torch.from_numpy(np.stack([across[index] for index in self.indices])).movedim(0, self.axis - 3)


@dataclass(frozen=True)
class Slicing:
    """The way a model learns from slices.

    Attributes:
        axis: of (H, W, D), the one that slices are taken across.
        count: slices of each case in each step.
    """

    axis: int
    count: int

    def grid(self, shape: tuple[int, int, int]) -> tuple[int, int, int]:
        """The grid of what is learned of a volume of the grid `shape` in a step."""
        height, width, depth = (self.count if axis == self.axis else edge for axis, edge in enumerate(shape))
        return height, width, depth

    def draw(self, shape: tuple[int, int, int], generator: torch.Generator) -> Slices:
        """Draw slices of a volume uniformly: all different, unless it has fewer than are asked for."""
        total = shape[self.axis]
        if self.count <= total:
            indices = torch.randperm(total, generator=generator)[: self.count]
        else:
            indices = torch.randint(total, (self.count,), generator=generator)
        return Slices(self.axis, shape, indices)
