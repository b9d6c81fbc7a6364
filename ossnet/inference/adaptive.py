"""Extraction that follows the surface of interpolated logits, with a fraction of an octree's evaluations.

Ours, next to the inferences of Section 3.3. It starts from a coarse lattice and halves the stride down to single
voxels. At each level the logits of new points are interpolated from the coarser level, and then

1. the points around possible components are evaluated: in cells whose corners come close to another class, and around
   evaluated points that come closer to it than all their neighbours do (`promising_cells`);
2. the points that touch a point of another class by a face are evaluated, and again, until there is none
   (`Level.follow_surface`).

A wrong estimate next to the surface moves the surface, which is followed. What can be missed is a component that no
evaluated point came close to. Thresholds are relative to the confidence of the background, so they need no calibration.
They were chosen on gliomas of 64x64x48 and 240x240x155 voxels, on the closed form of `benchmarks.probes.phantom`, and
on balls. With more than two classes each class is looked for in all others, by the margin of its logit.
"""

from itertools import product

import torch
from torch import Tensor

from ossnet.field import Grid, OccupancyField
from ossnet.inference.interpolated_level import KNOWN, Level, over_cells

FIRST_STRIDE = 16
"""Stride of the first lattice in voxels."""

NEAR_MISS = {16: 0.8, 8: 0.2}
"""Distance of a corner's logit from another class within which its cell is promising, in confidences, by stride."""

PEAK = {8: 0.6, 4: 0.4, 2: 0.2}
"""The same for a point that comes closer to another class than its neighbours do."""

STEEP = 1.0
"""Change of the logit over an edge of 8 voxels across the surface, in confidences, from which the surface is steep.

The logit around a component then reaches the background's level within half the stride of the first lattice, so that
the lattice may not notice a small component.
"""

STEEP_SHARE = 0.1
"""Share of such edges that have to be steep."""


def refine_adaptively(
    field: OccupancyField, grid: Grid, max_locations: int, fine_start: bool | None = None
) -> tuple[Tensor, tuple[int, ...]]:
    """Extract a segmentation as this module describes.

    Args:
        field: occupancy field to segment.
        grid: voxels to segment.
        max_locations: maximum number of locations per pass.
        fine_start: whether the whole lattice of stride 8 is evaluated, and not only that of stride 16; None to do so
            where the lattice shows no surface or a steep one.

    Returns:
        Class indices [H, W, D] uint8, and the number of locations evaluated at strides of 16, 8, 4, 2 and 1.
    """
    level = Level(field, grid, FIRST_STRIDE, max_locations)
    level.evaluate_all()
    confidence = _confidence(level)
    evaluated = [level.evaluated]
    while level.stride > 1:
        coarser, level = level, level.subdivide()
        level.evaluate(coarser.points_of_cells(promising_cells(coarser, confidence), level))
        del coarser
        level.follow_surface()
        if level.stride == FIRST_STRIDE // 2 and (
            _may_be_steep(level, confidence) if fine_start is None else fine_start
        ):
            level.evaluate_all()
        evaluated.append(level.evaluated)
    return level.state.bitwise_and_(KNOWN - 1), tuple(evaluated)


def promising_cells(level: Level, confidence: float) -> Tensor:
    """Return the mask [h, w, d], by the point that they begin at, of cells that may hold another component.

    Their corners come within `NEAR_MISS` of another class, or one of them is a peak within `PEAK`.
    """
    cells = torch.zeros_like(level.state, dtype=torch.bool)
    for margin in level.margins():
        if level.stride in NEAR_MISS:
            near = NEAR_MISS[level.stride] * confidence
            cells |= (over_cells(margin, torch.maximum) > -near) & (over_cells(margin, torch.minimum) <= near)
        if level.stride in PEAK:
            peaks = _peaks(margin, level.state >= KNOWN, PEAK[level.stride] * confidence)
            for offset in product((0, 1), repeat=3):
                begin = peaks - torch.tensor(offset, device=peaks.device)
                cells[tuple(begin[(begin >= 0).all(-1)].T)] = True
    return cells


def _peaks(margin: Tensor, known: Tensor, near: float) -> Tensor:
    """Return the known points [n, 3] of a margin that is negative, less than `near`, and larger at no neighbour."""
    points = (known & (margin < 0) & (margin > -near)).nonzero()
    last = torch.tensor(margin.shape, device=points.device) - 1
    for offset in product((-1, 0, 1), repeat=3):
        beside = (points + torch.tensor(offset, device=points.device)).clamp(min=0).minimum(last)
        points = points[margin[tuple(beside.T)] <= margin[tuple(points.T)]]
    return points


def _confidence(level: Level) -> float:
    """Return the median margin of the background where it is ahead; where it is so nowhere, of the class ahead."""
    background, *others = level.margins()
    ahead = background[background > 0]
    if len(ahead):
        return float(ahead.median())
    return float(torch.stack([background, *others]).amax(0).median())


def _may_be_steep(level: Level, confidence: float) -> bool:
    """Return whether a lattice of stride 8 shows no surface, or one of which `STEEP_SHARE` is steep, see `STEEP`."""
    known = level.state >= KNOWN
    changes = []
    for margin in level.margins():
        for axis, size in enumerate(margin.shape):
            before, after = margin.narrow(axis, 0, size - 1), margin.narrow(axis, 1, size - 1)
            both_known = known.narrow(axis, 0, size - 1) & known.narrow(axis, 1, size - 1)
            changes.append((after - before).abs()[both_known & (before * after < 0)])
    change = torch.cat(changes)
    return len(change) == 0 or float((change >= STEEP * confidence).float().mean()) >= STEEP_SHARE
