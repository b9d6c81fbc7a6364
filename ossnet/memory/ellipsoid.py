"""An ellipsoid in place of a network's predictions, so that extractions evaluate as much as with a trained network.

The number of voxels that an octree evaluates depends on the predictions, and an untrained network predicts noise.
Memory is measured with the ellipsoid's occupancies and predicted, on tensors without values, from the number of points
around it.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from ossnet.field import SubstituteField
from ossnet.inference.extraction import INITIAL_STRIDE
from ossnet.inference.octree import lattice_shape
from ossnet.nested import is_nested

SEMI_AXIS = 0.25
"""Semi-axes of the ellipsoid as a part of the volume's edges: 6.5 % of the volume, more than a liver or a tumour takes.

Its surface is as large as a third of the volume's faces in a cube. More than two classes share it: from inside out,
each class but the background takes a shell of the same volume, and of nested regions from outside in.
"""

POINTS_PER_CELL = 10
"""Number of new points of a lattice for each cell of the coarser lattice that a smooth surface crosses."""


@dataclass(frozen=True, eq=False)
class EllipsoidField(SubstituteField):
    """Field of a network that is evaluated at every location, and then replaced by the ellipsoid, see `SEMI_AXIS`."""

    prior: None = None

    def __call__(self, locations: Tensor) -> Tensor:
        """Return the ellipsoid's probabilities at locations [n, 3], with as many values as the network's."""
        answers = self.field(locations)
        if is_nested(answers, self.classes):
            return answers.copy_(self._region_margins(locations) > 0)
        inside = in_ellipsoid(locations, self.shape)
        if self.classes == 2:
            return answers.copy_(inside)
        answers.zero_()
        answers[:, 0] = ~inside
        return answers.scatter_(1, self._shells(locations), inside[:, None].to(answers.dtype))

    def logits(self, locations: Tensor) -> Tensor:
        """Return logits at locations [n, 3], of the same classes as `__call__`.

        They fall by about one per voxel across the surface of the ellipsoid.
        """
        answers = self.field.logits(locations)
        if is_nested(answers, self.classes):
            return answers.copy_(self._region_margins(locations))
        margin = (1 - _squared_distance(locations, self.shape)) / 2 * SEMI_AXIS * sum(self.shape) / 3
        if self.classes == 2:
            return answers.copy_(margin)
        answers.copy_(-margin.abs()[:, None] - 1)
        answers[:, 0] = -margin / 2
        return answers.scatter_(1, self._shells(locations), margin[:, None] / 2)

    def _region_margins(self, locations: Tensor) -> Tensor:
        """Return logits [n, regions] of nested regions at locations [n, 3]: each has one shell fewer than the outer."""
        regions = self.classes - 1
        volumes = torch.arange(regions, 0, -1, device=locations.device) / regions
        distances = _squared_distance(locations, self.shape)
        return (volumes ** (2 / 3) - distances[:, None]) / 2 * SEMI_AXIS * sum(self.shape) / 3

    def _shells(self, locations: Tensor) -> Tensor:
        """Return the class of the shell [n, 1] int64 at locations [n, 3], the outermost one outside the ellipsoid."""
        shells = self.classes - 1
        within = _squared_distance(locations, self.shape) ** 1.5  # Part of the ellipsoid's volume that lies inside.
        return 1 + (within * shells).long().clamp(max=shells - 1)[:, None]


def in_ellipsoid(locations: Tensor, shape: tuple[int, int, int]) -> Tensor:
    """Return the mask [n] of the voxel coordinates [n, 3] that lie in the ellipsoid amid a volume of `shape`."""
    return _squared_distance(locations, shape) < 1


def _squared_distance(locations: Tensor, shape: tuple[int, int, int]) -> Tensor:
    """Return the squared distances [n] of voxel coordinates [n, 3] from the ellipsoid's middle; its surface is at 1."""
    edges = torch.tensor(shape, device=locations.device)
    offset = ((locations + 0.5) / edges - 0.5) / SEMI_AXIS
    return offset.square().sum(-1)


def points_around(shape: Sequence[int], classes: int = 2) -> int:
    """Return the number of points of a lattice that an octree evaluates around the ellipsoid after the coarser lattice.

    Lines along each axis cross the surface twice in the ellipse that it projects to, and a smooth surface crosses one
    cell for each crossing of a line: pi / 8 of the lattice's faces in sum, a quarter of that in the coarser lattice.
    With more than two classes the surfaces of all shells count: each is as large as the power 2/3 of the volume that it
    encloses.
    """
    height, width, depth = shape
    ellipses = math.pi * SEMI_AXIS**2 * (height * width + width * depth + depth * height)
    shells = classes - 1
    surfaces = sum((shell / shells) ** (2 / 3) for shell in range(1, classes))
    coarser_cells = 2 * ellipses * surfaces / 4
    return min(height * width * depth, round(POINTS_PER_CELL * coarser_cells))


class PointsAroundEllipsoid(TorchDispatchMode):
    """Mode in which the octree of one extraction by `mise` finds as many points as it would around the ellipsoid.

    It replaces `nonzero` for tensors without values. For the mask of a level's lattice it returns the points to
    evaluate the first time, all points on the first level, and none the second time, since no prediction is
    contradicted. It takes the memory of all points, yet returns no more of them than two full passes and the last one:
    all full passes take the same.

    Args:
        shape: grid (H, W, D) of the volume.
        max_locations: number of locations per pass.
        classes: number of classes with the background.
    """

    def __init__(self, shape: tuple[int, int, int], max_locations: int, classes: int = 2) -> None:
        super().__init__()
        self._classes = classes
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
        return mask.numel() if tuple(mask.shape) == self._first else points_around(mask.shape, self._classes)
