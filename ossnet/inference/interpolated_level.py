"""A level of the adaptive extraction: a lattice whose logits are evaluated at some points and interpolated at others.

`Level.follow_surface` evaluates what touches another class, and `Level.subdivide` halves the stride. Which other points
are evaluated is decided in `ossnet.inference.adaptive`.
"""

from collections.abc import Callable, Iterator
from itertools import pairwise, product

import torch
from torch import Tensor

from ossnet.field import Grid, OccupancyField, labels_of, labels_of_logits
from ossnet.inference.octree import lattice_axes
from ossnet.nested import is_nested

KNOWN = 128
"""Bit of a point's state that says that it was evaluated; the other bits are its class."""

SLAB = 2**20
"""Number of points whose neighbours are compared at once, which bounds the memory for it."""


class Level:
    """Classes at the lattice of every `stride`-th voxel and the last along each axis, evaluated or estimated.

    A cell reaches from a point to the next one along each axis; at the end of an axis it is flat. Points are lattice
    indices [n, 3] int64, and no tensor of indices has the size of the lattice.

    Attributes:
        axes: voxel indices of the lattice along each axis: [h], [w] and [d], int64.
        state: classes [h, w, d] uint8, fewer than 128, with `KNOWN` added at evaluated points.
        logits: logits [1, h, w, d] of the foreground, [k, h, w, d] of k > 2 classes or [k - 1, h, w, d] of nested
            regions, float32, without values until some are evaluated or interpolated; None at stride 1, where they
            would take most of the memory and are not needed.
        evaluated: number of points evaluated at this level.
    """

    def __init__(self, field: OccupancyField, grid: Grid, stride: int, max_locations: int) -> None:
        self.field, self.grid, self.stride, self.max_locations = field, grid, stride, max_locations
        self.axes = lattice_axes(grid.shape, stride, field.device)
        self.state = torch.zeros([len(axis) for axis in self.axes], dtype=torch.uint8, device=field.device)
        self.logits = None if stride == 1 else torch.empty(0, *self.state.shape, device=field.device)
        self.evaluated = 0

    def evaluate(self, points: Tensor) -> Tensor:
        """Evaluate unknown points [n, 3], each given once; return those whose class is not what was estimated."""
        self.evaluated += len(points)
        changed = []
        for part in points.split(self.max_locations):
            index = tuple(part.T)
            locations = self.grid.locate(self._voxels(part))
            if self.logits is None:
                labels = labels_of(self.field(locations), self.field.classes)
            else:
                logits = self.field.logits(locations)
                labels = labels_of_logits(logits, self.field.classes)
                of_outputs = logits[None] if logits.ndim == 1 else logits.T
                if not len(self.logits):
                    self.logits = self.logits.new_zeros(len(of_outputs), *self.state.shape)
                self.logits[(slice(None), *index)] = of_outputs
            changed.append(part[labels != self.state[index]])
            self.state[index] = labels | KNOWN
        return torch.cat(changed)

    def evaluate_all(self) -> None:
        """Evaluate all points that are not known yet."""
        self.evaluate((self.state < KNOWN).nonzero())

    def follow_surface(self) -> None:
        """Evaluate the unknown points that touch another class by a face, until there is none.

        After the first time only the neighbours of points whose class has changed can have become such points.
        """
        changed = self.evaluate(self._unknown_at_surface())
        while len(changed):
            changed = self.evaluate(self._unknown_beside(changed))

    def _unknown_at_surface(self) -> Tensor:
        """Return the unknown points [n, 3] that touch a point of another class by a face."""
        height, width, depth = self.state.shape
        thickness = max(1, SLAB // (width * depth))
        found = []
        for start in range(0, height, thickness):
            first = max(0, start - 1)
            state = self.state[first : start + thickness + 1]
            labels = state & (KNOWN - 1)
            touching = torch.zeros_like(labels, dtype=torch.bool)
            for axis, size in enumerate(labels.shape):
                differs = labels.narrow(axis, 1, size - 1) != labels.narrow(axis, 0, size - 1)
                touching.narrow(axis, 1, size - 1).logical_or_(differs)
                touching.narrow(axis, 0, size - 1).logical_or_(differs)
            own = slice(start - first, start - first + thickness)
            points = touching[own].logical_and_(state[own] < KNOWN).nonzero()
            points[:, 0] += start
            found.append(points)
        return torch.cat(found)

    def _unknown_beside(self, points: Tensor) -> Tensor:
        """Return the unknown points [m, 3] that touch one of known points [n, 3] by a face and are of another class."""
        labels = self.state[tuple(points.T)] & (KNOWN - 1)
        found = []
        for axis, step in product(range(3), (-1, 1)):
            beside = points.clone()
            beside[:, axis] += step
            within = (beside[:, axis] >= 0) & (beside[:, axis] < self.state.shape[axis])
            beside = beside[within]
            state = self.state[tuple(beside.T)]
            found.append(beside[(state < KNOWN) & (state != labels[within])])
        return self._once(torch.cat(found))

    def margins(self) -> Iterator[Tensor]:
        """Yield for each class by how much its logit exceeds the largest other one, [h, w, d].

        With two classes they are the logit of the foreground and its negative. With nested regions, a class is ahead as
        far as its own region is certain and the next inner one is excluded, whichever is less.
        """
        assert self.logits is not None
        if self.field.classes == 2 or is_nested(self.logits, self.field.classes, dim=0):
            yield -self.logits[0]
            for region, inner in pairwise(self.logits):
                yield torch.minimum(region, -inner)
            yield self.logits[-1]
            return
        first, second = self.logits.topk(2, dim=0).values
        for logits in self.logits:
            yield torch.where(logits == first, first - second, logits - first)

    def subdivide(self) -> "Level":
        """Halve the stride, and estimate the classes of new points by trilinear interpolation of the logits."""
        finer = Level(self.field, self.grid, self.stride // 2, self.max_locations)
        state, logits = self.state & (KNOWN - 1), self.logits
        assert logits is not None
        # The last axis first, while there are fewest points: along it values are copied one by one, and then in runs.
        for axis in (2, 1, 0):
            coarse, fine = self.axes[axis], finer.axes[axis]
            below = torch.searchsorted(coarse, fine, right=True) - 1
            if finer.logits is None:
                state = state.index_select(axis, below)
            else:
                above = (below + 1).clamp(max=len(coarse) - 1)
                share = (fine - coarse[below]) / (coarse[above] - coarse[below]).clamp(min=1)
                after = logits.index_select(axis + 1, above)
                logits = logits.index_select(axis + 1, below).lerp_(after, share.view([-1] + [1] * (2 - axis)))
                del after
        if finer.logits is None:
            # Interpolation gives the class of all corners of a cell, where they have the same.
            finer.state = state
            self._estimate_mixed_cells(finer)
        else:
            finer.logits = logits
            finer.state = labels_of_logits(logits[0] if len(logits) == 1 else logits.movedim(0, -1), self.field.classes)
        known = (self.state >= KNOWN).nonzero()
        of_finer = tuple(self._places_in(finer, known).T)
        finer.state[of_finer] = self.state[tuple(known.T)]
        return finer

    def points_of_cells(self, cells: Tensor, finer: "Level") -> Tensor:
        """Return the unknown points [n, 3] of the next finer level in cells of a mask [h, w, d], faces included.

        Cells are given by the point that they begin at.
        """
        begin = cells.nonzero()
        first, last = self._places_in(finer, begin), self._places_in(finer, self._ends(begin))
        found = []
        for offset in product((0, 1, 2), repeat=3):
            points = first + torch.tensor(offset, device=begin.device)
            points = points[(points <= last).all(-1)]
            found.append(points[finer.state[tuple(points.T)] < KNOWN])
        return finer._once(torch.cat(found))

    def _estimate_mixed_cells(self, finer: "Level") -> None:
        """Estimate the classes of voxels in cells of stride 2 whose corners are of several classes."""
        assert self.logits is not None
        labels = self.state & (KNOWN - 1)
        begin = (over_cells(labels, torch.minimum) != over_cells(labels, torch.maximum)).nonzero()
        first, last = self._voxels(begin), self._voxels(self._ends(begin))
        for offset in product((0, 1), repeat=3):
            step = torch.tensor(offset, device=begin.device)
            # A cell of width 1, at the end of an axis, has no voxel between its points.
            between = ((step == 0) | (first + step < last)).all(-1)
            corners = list(product(*[(0, 1) if along else (0,) for along in offset]))
            mean = torch.zeros(len(self.logits), int(between.sum()), device=begin.device)
            for corner in corners:
                places = begin[between] + torch.tensor(corner, device=begin.device)
                mean += self.logits[(slice(None), *places.T)] / len(corners)
            labels = labels_of_logits(mean[0] if len(mean) == 1 else mean.T, self.field.classes)
            finer.state[tuple((first[between] + step).T)] = labels

    def _voxels(self, points: Tensor) -> Tensor:
        """Return the voxel indices [n, 3] of points [n, 3]."""
        return torch.stack([axis[along] for axis, along in zip(self.axes, points.T, strict=True)], -1)

    def _places_in(self, finer: "Level", points: Tensor) -> Tensor:
        """Return the points [n, 3] of a finer level at the same places as points [n, 3] of this one."""
        index = [
            torch.searchsorted(fine, coarse)[along]
            for fine, coarse, along in zip(finer.axes, self.axes, points.T, strict=True)
        ]
        return torch.stack(index, -1)

    def _ends(self, begin: Tensor) -> Tensor:
        """Return the last corners [n, 3] of the cells that begin at points [n, 3]."""
        return (begin + 1).minimum(torch.tensor(self.state.shape, device=begin.device) - 1)

    def _once(self, points: Tensor) -> Tensor:
        """Return each of points [n, 3] once, in order."""
        _, width, depth = self.state.shape
        places = (points[:, 0] * width + points[:, 1]) * depth + points[:, 2]
        return torch.stack(torch.unravel_index(places.unique(), self.state.shape), -1)


def over_cells(values: Tensor, extreme: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """Return the extreme of values [h, w, d] over the corners of the cell that begins at each point."""
    for axis, size in enumerate(values.shape):
        before, after = values.narrow(axis, 0, size - 1), values.narrow(axis, 1, size - 1)
        values = torch.cat([extreme(before, after), values.narrow(axis, size - 1, 1)], axis)
    return values
