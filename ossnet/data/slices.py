"""Slices of volumes, for a model that learns from a few slices of each case instead of the whole."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Slices:
    """Some slices of one volume.

    Attributes:
        axis: axis of (H, W, D) across which the slices are taken.
        shape: grid (H, W, D) of the whole volume in voxels.
        indices: positions of the slices on the axis, [k] int64.
    """

    axis: int
    shape: tuple[int, int, int]
    indices: Tensor

    def flipped(self, axes: tuple[int, ...]) -> "Slices":
        """Return the slices that a flip of the whole volume along `axes` moves to these positions, and vice versa."""
        if self.axis not in axes:
            return self
        return Slices(self.axis, self.shape, self.shape[self.axis] - 1 - self.indices)

    def of(self, volume: Tensor) -> Tensor:
        """Return the slices of a volume [..., H, W, D], as a volume with k slices along the axis."""
        return volume.index_select(self.axis - 3, self.indices.to(volume.device))

    def read(self, volume: Tensor) -> Tensor:
        """Return the slices of a volume in a mapped file as `of` does, reading nothing else.

        NumPy copies in the calling thread, whereas torch would start threads that compete with those of the training.
        """
        across = np.moveaxis(volume.numpy(), self.axis - 3, 0)
        return torch.from_numpy(np.stack([across[index] for index in self.indices])).movedim(0, self.axis - 3)


@dataclass(frozen=True)
class Slicing:
    """Choice of the slices that a model learns from.

    Attributes:
        axis: axis of (H, W, D) across which slices are taken.
        count: number of slices per case and step.
    """

    axis: int
    count: int

    def grid(self, shape: tuple[int, int, int]) -> tuple[int, int, int]:
        """Return the grid of the slices of one step, from a volume of the grid `shape`."""
        height, width, depth = (self.count if axis == self.axis else edge for axis, edge in enumerate(shape))
        return height, width, depth

    def draw(self, shape: tuple[int, int, int], generator: torch.Generator) -> Slices:
        """Draw slices of a volume uniformly, all different unless the volume has fewer than `count`."""
        total = shape[self.axis]
        if self.count <= total:
            indices = torch.randperm(total, generator=generator)[: self.count]
        else:
            indices = torch.randint(total, (self.count,), generator=generator)
        return Slices(self.axis, shape, indices)
