"""Octree of the multiresolution isosurface extraction (Section 3.3): lattices of labels, refined where labels disagree.

Labels can contradict each other in two ways, and each way is resolved in one place:

- encoder and decoder at one point: `Level.trust_prior`;
- neighbouring points of a lattice: `Level.resolve_disagreements`.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from ossnet.field import Grid, OccupancyField, labels_of


def lattice_axes(shape: tuple[int, int, int], stride: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Return the voxel indices, int64, of every `stride`-th voxel and the last along each axis: [h], [w] and [d]."""
    height, width, depth = (torch.tensor(sorted({*range(0, size, stride), size - 1}), device=device) for size in shape)
    return height, width, depth


def lattice_shape(shape: tuple[int, int, int], stride: int) -> tuple[int, int, int]:
    """Return the number of the lattice's points along each axis."""
    height, width, depth = (-(-(size - 1) // stride) + 1 for size in shape)
    return height, width, depth


class Level:
    """One level of the octree: labels at the lattice of every `stride`-th voxel and the last along each axis.

    Eight neighbouring points of the lattice are the corners of a cell.

    Attributes:
        field: occupancy field that is evaluated.
        grid: voxels to segment.
        stride: distance between points of the lattice, in voxels of the grid; a power of two.
        max_locations: maximum number of locations per pass.
        axes: voxel indices of the lattice along each axis: [h], [w] and [d], int64.
        labels: class indices [h, w, d] uint8: evaluated, given by a prior, or inherited from the coarser level.
        known: mask [h, w, d] bool of the points whose label is final: evaluated, or given by a trusted prior.
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

    def trust_prior(self, labels: Tensor) -> None:
        """Start from the encoder's labels [h, w, d] uint8 of the lattice and mark its occupied points as known.

        Where encoder and decoder contradict each other, the encoder wins at the points that it marks as occupied: they
        are never evaluated, at this level or a finer one, so that a point that is wrongly marked keeps its label. The
        decoder wins at all other points, which are evaluated.
        """
        self.labels = labels
        self.known = labels > 0

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
        """Return the mask of the lattice's cells whose eight corners disagree.

        Along each axis there is one cell fewer than points. An axis with a single point has one cell, which begins and
        ends at this point.
        """
        low = high = self.labels
        for axis, points in enumerate(self.labels.shape):
            step = min(1, points - 1)
            low = torch.minimum(low.narrow(axis, 0, points - step), low.narrow(axis, step, points - step))
            high = torch.maximum(high.narrow(axis, 0, points - step), high.narrow(axis, step, points - step))
        return low != high

    def corners_of(self, cells: Tensor) -> Tensor:
        """Return the mask [h, w, d] of the points that are corners of the cells of a mask."""
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
        """Evaluate the unknown corners of every cell whose corners disagree, until no such corner is left.

        An evaluated label may contradict a label that a neighbouring cell inherited from the coarser level. The point
        of the inherited label is then evaluated, and so on. In this way, the octree follows a surface that it has found
        to its end.
        """
        while True:
            before = self.evaluated
            self.evaluate(self.corners_of(self.undecided_cells()))
            if self.evaluated == before:
                return

    def subdivide(self) -> "tuple[Level, Tensor]":
        """Halve the stride.

        Returns:
            The finer level, on which new points inherit the label of the point at or before them along each axis, and
            the mask [h, w, d] of its points that lie in the cells of this level whose corners disagree, faces included.
        """
        finer = Level(self.field, self.grid, self.stride // 2, self.max_locations)
        labels, known, inside = self.labels, self.known, self.undecided_cells()
        # Axis by axis: indexing all three at once takes int64 indices of the grid's size on a GPU, 24 bytes per point.
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
"""Called with each level twice: before anything is evaluated at it, and when its disagreements are resolved.

It must copy what it keeps, since the level changes.
"""


def ignore_level(_level: Level) -> None:
    """Do nothing: the default callback."""


def refine(level: Level, callback: LevelCallback = ignore_level) -> tuple[Tensor, tuple[int, ...]]:
    """Refine a first level to full resolution.

    All points of the first level that are not known are evaluated. At each level the unknown corners of cells whose
    corners disagree are then evaluated, until all corners of such cells are known, and at the next finer level the
    points in these cells.

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
