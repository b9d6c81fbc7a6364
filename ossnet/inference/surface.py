"""Surface of an occupancy field as a triangle mesh: of a segmentation, placed between voxels by the field's logits.

The surface of a mask alone has steps of a voxel. The field knows better where it lies: where the foreground's
probability is one half, its logit is 0. Of several classes, each ends where another one becomes more probable: where
its logit is the largest other one. Two classes that touch therefore have the same surface there.

Departure: MISE cuts probabilities. Both cross their level at the same places, but logits change about evenly across a
surface where probabilities level off at 0 and 1, so that linear interpolation between two voxels places them better.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ossnet.field import Grid, OccupancyField
from ossnet.inference.interpolated_level import over_cells
from ossnet.inference.mesh import cut
from ossnet.nested import is_nested

SMALLEST_LOGIT = 1e-3
"""Size of the logit of a voxel at which the field contradicts the segmentation, which decides.

An extraction that has not evaluated a voxel may have given it another class than the field does.
"""


@torch.no_grad()
def surface_of_field(
    field: OccupancyField,
    grid: Grid,
    segmentation: Tensor,
    affine: np.ndarray,
    max_locations: int,
    part: range | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the surface of a segmentation's foreground, which is closed and encloses the centres of its voxels only.

    Or return that of a part of the foreground: of a class, or of a nested region with all regions within it.

    Only voxels around the surface are evaluated, and one value per voxel is held, whatever the number of classes. At
    the border of the volume, objects end at the outer faces of its voxels.

    Args:
        field: occupancy field of the segmentation.
        grid: grid of the segmentation.
        segmentation: class indices [H, W, D] by any extraction.
        affine: map [4, 4] from voxel indices of the grid to mm.
        max_locations: maximum number of locations per pass.
        part: class indices of the part, such as `range(2, 3)`; of nested regions it ends with the innermost one. None
            for the foreground, which is all classes above 0.

    Returns:
        Vertices [v, 3] float64 in mm and faces [f, 3] int64, as `ossnet.inference.mesh.mesh_of` returns them.
    """
    part = part or range(1, field.classes)
    inside = segmentation >= part.start
    inside &= segmentation < part.stop
    box = [_extent(inside, axis) for axis in range(3)]
    # One voxel more on each side, which may lie outside the volume.
    region = F.pad(inside[tuple(slice(start, stop) for start, stop in box)], [1] * 6)
    first = torch.tensor([start - 1 for start, _ in box], device=region.device)
    last = torch.tensor(grid.shape, device=region.device) - 1
    margins = region.float().sub_(0.5)
    for places in _around_surface(region).nonzero().split(max_locations):
        voxels = (places + first).clamp(min=0).minimum(last)
        values = _margin(field.logits(grid.locate(voxels)), field.classes, part)
        size = torch.where(inside[tuple(voxels.T)], values, -values).clamp(min=SMALLEST_LOGIT)
        # The opposite of a voxel at the border, one voxel beyond it, cuts at the voxel's outer face.
        margins[tuple(places.T)] = torch.where(region[tuple(places.T)], size, -size)
    return cut(margins.cpu().numpy(), 0.0, affine, first.cpu().numpy())


def _extent(inside: Tensor, axis: int) -> tuple[int, int]:
    """Return the first voxel of a mask [H, W, D] along an axis, and that after its last; (0, 0) for an empty mask."""
    others = [other for other in range(3) if other != axis]
    occupied = inside.any(others[1]).any(others[0]).nonzero()
    return (int(occupied[0]), int(occupied[-1]) + 1) if len(occupied) else (0, 0)


def _around_surface(region: Tensor) -> Tensor:
    """Return the mask [h, w, d] of the corners of all cells of which some corners are inside and some are not."""
    labels = region.byte()
    corners = over_cells(labels, torch.minimum) != over_cells(labels, torch.maximum)
    for axis, size in enumerate(corners.shape):
        ends = corners.narrow(axis, 0, size - 1).clone()
        corners.narrow(axis, 1, size - 1).logical_or_(ends)
    return corners


def _margin(logits: Tensor, classes: int, part: range) -> Tensor:
    """Return the logit [n] of the foreground or of a nested region, or of a part's best class minus the best other."""
    if classes == 2:
        return logits
    if is_nested(logits, classes):
        return logits[:, part.start - 1]
    others = torch.cat([logits[:, : part.start], logits[:, part.stop :]], dim=-1)
    return logits[:, part.start : part.stop].amax(-1) - others.amax(-1)
