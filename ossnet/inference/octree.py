"""The octree of Section 3.3: lattices of labels, refined from coarse to fine where labels disagree."""

from collections.abc import Callable

import torch
from torch import Tensor

from ossnet.field import Grid, OccupancyField, labels_of


def lattice_axes(shape: tuple[int, int, int], stride: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Voxel indices, int64, of every `stride`-th voxel and the last along each axis: [h], [w] and [d]."""
    height, width, depth = (torch.tensor(sorted({*range(0, size, stride), size - 1}), device=device) for size in shape)
    return height, width, depth


def lattice_shape(shape: tuple[int, int, int], stride: int) -> tuple[int, int, int]:
    """Number of the lattice's points along each axis."""
    height, width, depth = (-(-(size - 1) // stride) + 1 for size in shape)
    return height, width, depth


class Level:
    """One level of the octree: labels at the lattice of every `stride`-th voxel and the last of each axis.

    Attributes:
        axes: voxel indices of the lattice along each axis: [h], [w] and [d], int64.
        labels: class indices [h, w, d] uint8: evaluated, given by a prior, or inherited from the coarser level.
        known: [h, w, d] bool, where the label is final: evaluated, or given by a prior that is not to be questioned.
        evaluated: number of points evaluated at this level.
    """

    def __init__(self, field: OccupancyField, grid: Grid, stride: int, max_locations: int) -> None:
        self.field, self.grid, self.max_locations, self.stride = field, grid, max_locations, stride
        device = field.device
        self.axes = lattice_axes(grid.shape, stride, device)
        shape = [len(axis) for axis in self.axes]
        self.labels = torch.zeros(shape, dtype=torch.uint8, device=device)
        self.known = torch.zeros(shape, dtype=torch.bool, device=device)
        self.evaluated = 0

    def evaluate(self, wanted: Tensor) -> None:
        """Evaluate the field at the points of a mask [h, w, d] that are not known yet."""
        points = (wanted & ~self.known).nonzero()
        self.evaluated += len(points)
        for start in range(0, len(points), self.max_locations):
            index = tuple(points[start : start + self.max_locations].T)
            voxels = torch.stack([axis[part] for axis, part in zip(self.axes, index, strict=True)], -1)
            self.labels[index] = labels_of(self.field(self.grid.locate(voxels)), self.field.classes)
            self.known[index] = True

    def undecided_cells(self) -> Tensor:
        """Mask of the lattice's cells whose eight corners disagree.

        Cells are one fewer than points along each axis, and one where there is one point, which is both its ends.
        """
        low = high = self.labels
        for axis, points in enumerate(self.labels.shape):
            step = min(1, points - 1)
            low = torch.minimum(low.narrow(axis, 0, points - step), low.narrow(axis, step, points - step))
            high = torch.maximum(high.narrow(axis, 0, points - step), high.narrow(axis, step, points - step))
        return low != high

    def corners_of(self, cells: Tensor) -> Tensor:
        """Mask of the lattice's points that are corners of the cells of a mask."""
        for axis, points in enumerate(self.labels.shape):
            count = cells.shape[axis]
            shape = list(cells.shape)
            shape[axis] = points
            corners = cells.new_zeros(shape)
            corners.narrow(axis, 0, count).logical_or_(cells)
            corners.narrow(axis, points - count, count).logical_or_(cells)
            cells = corners
        return cells

    def resolve_disagreements(self) -> None:
        """Evaluate every unknown corner of a cell whose corners disagree, until there is none.

        An answer may contradict what a neighbouring cell inherited; following that up traces a surface wherever it
        leads, once the octree has met it.
        """
        while True:
            before = self.evaluated
            self.evaluate(self.corners_of(self.undecided_cells()))
            if self.evaluated == before:
                return

    def subdivide(self) -> "tuple[Level, Tensor]":
        """Halve the stride: return the finer level, where cells hand their label down, and what to evaluate there.

        The latter are the points of the cells whose corners disagree, as a mask [h, w, d] of the finer level.
        """
        finer = Level(self.field, self.grid, self.stride // 2, self.max_locations)
        labels, known, inside = self.labels, self.known, self.undecided_cells()
        # Axis by axis: indexed along all at once, a GPU would hold int64 indices of the whole grid's size.
        for axis, (coarse, fine) in enumerate(zip(self.axes, finer.axes, strict=True)):
            from_below = torch.searchsorted(coarse, fine, right=True) - 1
            labels = labels.index_select(axis, from_below)
            between = (fine != coarse[from_below]).nonzero().squeeze(1)
            known = known.index_select(axis, from_below).index_fill_(axis, between, False)
            # A point of both lattices ends one cell and begins the next.
            last = inside.shape[axis] - 1
            ending = (torch.searchsorted(coarse, fine) - 1).clamp(0, last)
            beginning = from_below.clamp(max=last)
            inside = inside.index_select(axis, ending).logical_or_(inside.index_select(axis, beginning))
        finer.labels, finer.known = labels, known
        return finer, inside


LevelCallback = Callable[[Level], None]
"""Called with each level twice: before anything is evaluated at it, and when no disagreement is left. It must copy what
it keeps."""


def ignore_level(_level: Level) -> None:
    """Default observer: do nothing."""


def refine(level: Level, callback: LevelCallback = ignore_level) -> tuple[Tensor, tuple[int, ...]]:
    """Evaluate what is unknown of the first level, resolve disagreements, subdivide, and so on to full resolution.

    Returns:
        Class indices [H, W, D] uint8, and the number of locations evaluated at each level, from coarse to fine.
    """
    wanted = torch.ones_like(level.known)
    evaluated = []
    while True:
        callback(level)
        level.evaluate(wanted)
        level.resolve_disagreements()
        callback(level)
        evaluated.append(level.evaluated)
        if level.stride == 1:
            return level.labels, tuple(evaluated)
        level, wanted = level.subdivide()
