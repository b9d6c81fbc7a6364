"""Dense segmentation of an occupancy field from as few evaluated locations as possible (Section 3.3, Figure 4).

The paper compares two inferences. Its text and its released code differ in both of them:

- `mise`: the original inference by the text, an octree that is refined where neighbouring labels disagree;
- `paper-prior`: the improved inference by the text, an octree that starts from the encoder's segmentation;
- `released`, `released-prior`: the original and the improved inference by the released code;
- `adaptive`: ours, which follows the surface of interpolated logits, see `ossnet.inference.adaptive`;
- `dense`: every voxel, for comparison.

How an octree resolves contradictions, between encoder and decoder or between neighbouring points, is described in
`ossnet.inference.octree`.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ossnet.errors import UserError
from ossnet.field import Grid, OccupancyField, VoxelField, labels_of
from ossnet.inference.adaptive import refine_adaptively
from ossnet.inference.octree import Level, LevelCallback, ignore_level, lattice_axes, refine

INITIAL_STRIDE = 4
"""Stride in voxels of the first lattice: extraction starts from a quarter of the target resolution (Section 4.3)."""


@dataclass(frozen=True)
class Extraction:
    """A dense segmentation and the number of evaluated locations.

    Attributes:
        segmentation: class indices [H, W, D] uint8.
        evaluated: number of locations evaluated in each stage, from coarse to fine.
    """

    segmentation: Tensor
    evaluated: tuple[int, ...]


@torch.no_grad()
def dense(field: OccupancyField, grid: Grid | None = None, max_locations: int = 2**14) -> Extraction:
    """Evaluate every voxel."""
    grid = grid or Grid.over(field)
    count = math.prod(grid.shape)
    labels = torch.empty(count, dtype=torch.uint8, device=field.device)
    for start in range(0, count, max_locations):
        stop = min(start + max_locations, count)
        voxels = torch.stack(torch.unravel_index(torch.arange(start, stop, device=field.device), grid.shape), -1)
        labels[start:stop] = labels_of(field(grid.locate(voxels)), field.classes)
    return Extraction(labels.reshape(grid.shape), (count,))


@torch.no_grad()
def mise(field: OccupancyField, grid: Grid | None = None, max_locations: int = 2**14) -> Extraction:
    """Run the original O-Net inference by the text: multiresolution isosurface extraction without the mesh.

    An octree starts from a quarter of the resolution: its points are evaluated, the cells whose corners disagree are
    subdivided, and so on to full resolution (Mescheder et al. 2019; Section 3.3).
    """
    return Extraction(*refine(Level(field, grid or Grid.over(field), INITIAL_STRIDE, max_locations)))


@torch.no_grad()
def paper_prior(
    field: OccupancyField, grid: Grid | None = None, max_locations: int = 2**14, callback: LevelCallback = ignore_level
) -> Extraction:
    """Run the improved inference by the text: the octree starts from the encoder's segmentation (Figure 4).

    "All unoccupied locations are evaluated" at the first lattice, and the octree goes on as in `mise`. The points that
    the segmentation marks as occupied are never evaluated, at any level (see `Level.trust_prior`). Around a point that
    is wrongly marked, the octree spends evaluations on the surface that it finds there.

    Args:
        field: occupancy field to segment.
        grid: voxels to segment; by default those of the field's image.
        max_locations: maximum number of locations per pass.
        callback: called with each level of the octree, see `LevelCallback`.

    Raises:
        UserError: the model's encoder has no segmentation.
    """
    level = Level(field, grid or Grid.over(field), INITIAL_STRIDE, max_locations)
    level.trust_prior(paper_first_state(field, level.grid).labels)
    return Extraction(*refine(level, callback))


@torch.no_grad()
def adaptive(field: OccupancyField, grid: Grid | None = None, max_locations: int = 2**14) -> Extraction:
    """Follow the surface of interpolated logits, from a lattice of stride 16 or 8 down to voxels: fewest evaluations.

    The stages are strides of 16, 8, 4, 2 and 1.
    """
    return Extraction(*refine_adaptively(field, grid or Grid.over(field), max_locations))


@torch.no_grad()
def released(field: OccupancyField, grid: Grid | None = None, max_locations: int = 2**14) -> Extraction:
    """Run the original inference by the released code: no octree, but grids of strides 4, 2 and 1.

    All points of the first grid are evaluated and fill their cells. Each finer grid is evaluated inside a shell (9^3,
    then 3^3) around what is occupied so far. This is read as the voxels around which a cube of that size holds more
    than one label.
    """
    grid = grid or Grid.over(field)
    wanted = torch.ones(grid.shape, dtype=torch.bool, device=field.device)
    return _refine_in_shells(field, grid, wanted, max_locations)


@torch.no_grad()
def released_prior(field: OccupancyField, grid: Grid | None = None, max_locations: int = 2**14) -> Extraction:
    """Run the improved inference by the released code: of the first grid it evaluates what the prior marks as OCCUPIED.

    Then it goes on as in `released`. The paper says the opposite, that all unoccupied locations are evaluated, see
    `paper_prior`. An object that the prior misses by more than the shells is lost.

    Raises:
        UserError: the model's encoder has no segmentation.
    """
    grid = grid or Grid.over(field)
    wanted = released_first_state(field, grid).labels > 0
    for axis, size in enumerate(grid.shape):
        wanted = wanted.repeat_interleave(INITIAL_STRIDE, axis).narrow(axis, 0, size)
    return _refine_in_shells(field, grid, wanted, max_locations)


@dataclass(frozen=True)
class FirstState:
    """Labels of an extraction's first lattice by the encoder's segmentation, up-sampled and thresholded.

    Attributes:
        axes: voxel indices of the lattice in the grid along each axis: [h], [w] and [d], int64.
        labels: class indices [h, w, d] uint8.
    """

    axes: tuple[Tensor, Tensor, Tensor]
    labels: Tensor


def paper_first_state(field: OccupancyField, grid: Grid) -> FirstState:
    """Up-sample the encoder's segmentation trilinearly to the octree's first lattice and threshold it.

    Voxels are cells of the space that the image covers. The paper does not say how to up-sample; these are the
    corresponding locations of `Grid.over`.

    Raises:
        UserError: the model's encoder has no segmentation.
    """
    axes = lattice_axes(grid.shape, INITIAL_STRIDE, field.device)
    return _first_state(field, grid, axes, lambda x, coarse, fine: (x + 0.5) * (coarse / fine) - 0.5)


def released_first_state(field: OccupancyField, grid: Grid) -> FirstState:
    """Up-sample the encoder's segmentation trilinearly to every fourth voxel and threshold it.

    The first and the last of these voxels coincide with the centres of the segmentation's corner voxels. The released
    code extracts on the image's own grid, where this is an interpolation with aligned corners.

    Raises:
        UserError: the model's encoder has no segmentation.
    """
    height, width, depth = (torch.arange(0, size, INITIAL_STRIDE, device=field.device) for size in grid.shape)
    last = [max(1, (size - 1) // INITIAL_STRIDE * INITIAL_STRIDE) for size in field.shape]
    return _first_state(
        field, grid, (height, width, depth), lambda x, coarse, _: x * ((coarse - 1) / torch.tensor(last).to(x.device))
    )


def _first_state(
    field: OccupancyField,
    grid: Grid,
    axes: tuple[Tensor, Tensor, Tensor],
    to_coarse: Callable[[Tensor, Tensor, Tensor], Tensor],
) -> FirstState:
    """Threshold the encoder's segmentation, interpolated at the points of a lattice.

    Args:
        field: occupancy field with the segmentation.
        grid: voxels to segment.
        axes: voxel indices of the lattice along each axis, see `FirstState`.
        to_coarse: function of locations [n, 3] in the image, of the segmentation's shape [3] and of the image's shape
            [3] that returns the locations in voxel coordinates of the segmentation.

    Raises:
        UserError: the model's encoder has no segmentation.
    """
    if field.prior is None:
        raise UserError("this model's encoder predicts no segmentation to start from; extract with mise or dense")
    segmentation = VoxelField(field.prior, field.classes)
    coarse, fine = (torch.tensor(shape, device=field.device) for shape in (segmentation.shape, field.shape))
    locations = to_coarse(grid.locate(torch.cartesian_prod(*axes)), coarse, fine)
    labels = labels_of(segmentation(locations), field.classes)
    return FirstState(axes, labels.view([len(axis) for axis in axes]))


def _refine_in_shells(field: OccupancyField, grid: Grid, wanted: Tensor, max_locations: int) -> Extraction:
    """Evaluate every fourth voxel of a mask [H, W, D] bool, then finer grids in shells around what is occupied."""
    labels = torch.zeros(grid.shape, dtype=torch.uint8, device=field.device)
    known = torch.zeros_like(labels, dtype=torch.bool)
    evaluated = []
    for stride, shell in ((INITIAL_STRIDE, None), (2, 9), (1, 3)):
        if shell is not None:
            wanted = _near_another_label(labels, shell)
        lattice = (slice(None, None, stride),) * 3
        voxels = (wanted[lattice] & ~known[lattice]).nonzero() * stride
        for start in range(0, len(voxels), max_locations):
            part = voxels[start : start + max_locations]
            known[tuple(part.T)] = True
            answers = labels_of(field(grid.locate(part)), field.classes)
            for offset in torch.cartesian_prod(*[torch.arange(stride, device=part.device)] * 3):
                block = part + offset
                within = (block < torch.tensor(grid.shape, device=block.device)).all(-1)
                labels[tuple(block[within].T)] = answers[within]
        evaluated.append(len(voxels))
    return Extraction(labels, tuple(evaluated))


def _near_another_label(labels: Tensor, size: int) -> Tensor:
    """Return the mask [H, W, D] of the voxels around which a cube of odd edge `size` holds more than one label."""
    low = high = labels
    for axis in range(3):
        low = _extreme(low, size, axis, torch.minimum)
        high = _extreme(high, size, axis, torch.maximum)
    return low != high


def _extreme(labels: Tensor, size: int, axis: int, extreme: Callable[..., Tensor]) -> Tensor:
    """Return the extreme of the `size` voxels around each voxel along one axis, computed in the result alone."""
    result = labels.clone()
    length = labels.shape[axis]
    for step in range(1, min(size // 2, length - 1) + 1):
        for to, other in ((0, step), (step, 0)):
            part = result.narrow(axis, to, length - step)
            extreme(part, labels.narrow(axis, other, length - step), out=part)
    return result


Extractor = Callable[[OccupancyField, Grid | None, int], Extraction]

EXTRACTORS: Mapping[str, Extractor] = {
    "dense": dense,
    "mise": mise,
    "paper-prior": paper_prior,
    "released": released,
    "released-prior": released_prior,
    "adaptive": adaptive,
}

FIRST_STATES: Mapping[str, Callable[[OccupancyField, Grid], FirstState]] = {
    "paper-prior": paper_first_state,
    "released-prior": released_first_state,
}
"""Functions that return the labels of the first lattice, by the name of the extractor that starts from them."""
