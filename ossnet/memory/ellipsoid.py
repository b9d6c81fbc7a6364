"""An object in closed form in place of a network's answers, so that an extraction takes what a trained network's would.

How many voxels an octree evaluates depends on what it is answered, and an untrained network answers noise. Memory is
measured with the ellipsoid's answers, and predicted, on tensors without values, from the number of points around it.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from ossnet.field import OccupancyField
from ossnet.inference.extraction import INITIAL_STRIDE
from ossnet.inference.octree import lattice_shape

SEMI_AXIS = 0.25
"""Semi-axes of the ellipsoid as a part of the volume's edges: 6.5 % of the volume, more than a liver or a tumour takes.

Its surface is as large as a third of the volume's faces in a cube.
"""

POINTS_PER_CELL = 10
"""Points of a lattice that are new to the octree for each cell of the coarser lattice that a smooth surface crosses."""


@dataclass(frozen=True, eq=False)
class EllipsoidField:
    """A network's field, evaluated at every location, whose answers are replaced by those of an ellipsoid of class 1.

    Attributes:
        field: the network's.
    """

    field: OccupancyField
    prior: None = None

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.field.shape

    @property
    def device(self) -> torch.device:
        return self.field.device

    @property
    def classes(self) -> int:
        return self.field.classes

    def __call__(self, locations: Tensor) -> Tensor:
        answers = self.field(locations)
        inside = in_ellipsoid(locations, self.shape)
        if self.classes == 2:
            return answers.copy_(inside)
        answers.zero_()
        answers[:, 0], answers[:, 1] = ~inside, inside
        return answers


def in_ellipsoid(locations: Tensor, shape: tuple[int, int, int]) -> Tensor:
    """Mask [n] of the voxel coordinates [n, 3] that lie in the ellipsoid amid a volume of `shape`."""
    edges = torch.tensor(shape, device=locations.device)
    offset = ((locations + 0.5) / edges - 0.5) / SEMI_AXIS
    return offset.square().sum(-1) < 1


def points_around(shape: Sequence[int]) -> int:
    """Number of points of a lattice of `shape` that an octree evaluates around the ellipsoid, once it has the coarser.

    Lines along each axis cross the surface twice in the ellipse that it projects to, and a smooth surface crosses one
    cell for each crossing of a line: pi / 8 of the lattice's faces in sum, a quarter of that in the coarser lattice.
    """
    height, width, depth = shape
    ellipses = math.pi * SEMI_AXIS**2 * (height * width + width * depth + depth * height)
    coarser_cells = 2 * ellipses / 4
    return min(height * width * depth, round(POINTS_PER_CELL * coarser_cells))


class PointsAroundEllipsoid(TorchDispatchMode):
    """Within it, the octree of one extraction by `mise` finds as many points as it would around the ellipsoid.

    For tensors without values, of which `nonzero` cannot tell. Of a mask of a level's lattice it gives the points to be
    evaluated the first time, all of the first level's, and none the second, since no answer is contradicted. It gives
    the memory of all, yet not more of them than two full passes and the last one: all full passes take the same.

    Args:
        shape: of the volume.
        max_locations: of a pass.
    """

    def __init__(self, shape: tuple[int, int, int], max_locations: int) -> None:
        super().__init__()
        self._first = lattice_shape(shape, INITIAL_STRIDE)
        self._max_locations = max_locations
        self._seen: set[torch.Size] = set()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        if func is not torch.ops.aten.nonzero.default:
            return func(*args, **(kwargs or {}))
        (mask,) = args
        count = self._count(mask)
        places = mask.new_empty(count, mask.ndim, dtype=torch.int64)
        return places[: 2 * self._max_locations + count % self._max_locations]

    def _count(self, mask: Tensor) -> int:
        if mask.ndim == 1:
            return len(mask) // 2  # The points of an axis that the coarser lattice has not.
        if mask.shape in self._seen:
            return 0
        self._seen.add(mask.shape)
        return mask.numel() if tuple(mask.shape) == self._first else points_around(mask.shape)
