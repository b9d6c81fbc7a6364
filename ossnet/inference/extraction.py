"""From an occupancy field to a dense segmentation, evaluating as few locations as possible (Sec. 3.3, Fig. 4).

The paper compares two inferences, and its text and its released code differ in both:

- `mise`: the original one by the text, an octree that is refined where labels disagree;
- `paper-prior`: the improved one by the text, an octree that begins with the encoder's segmentation;
- `released`, `released-prior`: the original and the improved one by the released code;
- `dense`: every voxel, for comparison.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ossnet.errors import UserError
from ossnet.field import Grid, OccupancyField, VoxelField, labels_of
from ossnet.inference.octree import Level, LevelCallback, ignore_level, lattice_axes, refine

INITIAL_STRIDE = 4
"""Extraction starts from a quarter of the target resolution (Sec. 4.3)."""


@dataclass(frozen=True)
class Extraction:
    """A dense segmentation and what it took.

    Attributes:
        segmentation: class indices [H, W, D] uint8.
        evaluated: locations evaluated in each stage, from coarse to fine.
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
        part = torch.arange(start, min(start + max_locations, count), device=field.device)
        voxels = torch.stack(torch.unravel_index(part, grid.shape), -1)
        labels[part] = labels_of(field(grid.locate(voxels)), field.classes)
    return Extraction(labels.reshape(grid.shape), (count,))


@torch.no_grad()
def mise(field: OccupancyField, grid: Grid | None = None, max_locations: int = 2**14) -> Extraction:
    """Original O-Net inference: multiresolution isosurface extraction without the mesh (Mescheder 2019; Sec. 3.3).

    An octree from a quarter of the resolution: evaluate its corners, subdivide the cells whose corners disagree,
    repeat to full resolution.
    """
    return Extraction(*refine(Level(field, grid or Grid.over(field), INITIAL_STRIDE, max_locations)))


@torch.no_grad()
def paper_prior(
    field: OccupancyField, grid: Grid | None = None, max_locations: int = 2**14, callback: LevelCallback = ignore_level
) -> Extraction:
    """Improved inference by the paper's text: the encoder's segmentation begins the octree (Sec. 3.3, Fig. 4).

    Of the first lattice, points that the segmentation marks as occupied are known and never evaluated, at any level;
    all unoccupied ones are evaluated; then as in `mise`. A point that is wrongly marked keeps its label, and the octree
    spends evaluations on the surface that it finds around it.

    Args:
        callback: see `LevelCallback`.

    Raises:
        UserError: the model's encoder has no segmentation.
    """
    level = Level(field, grid or Grid.over(field), INITIAL_STRIDE, max_locations)
    level.labels = paper_first_state(field, level.grid).labels
    level.known = level.labels > 0
    return Extraction(*refine(level, callback))


@torch.no_grad()
def released(field: OccupancyField, grid: Grid | None = None, max_locations: int = 2**14) -> Extraction:
    """Original inference by the released code: no octree, but grids of strides 4, 2 and 1.

    All points of the first grid are evaluated and fill their cells; each finer grid is evaluated inside a shell (9^3,
    then 3^3) around what is occupied so far, read as all voxels that a cube of that size joins to another label.
    """
    grid = grid or Grid.over(field)
    wanted = torch.ones(grid.shape, dtype=torch.bool, device=field.device)
    return _refine_in_shells(field, grid, wanted, max_locations)


@torch.no_grad()
def released_prior(field: OccupancyField, grid: Grid | None = None, max_locations: int = 2**14) -> Extraction:
    """Improved inference by the released code: of the first grid, only what the prior marks as OCCUPIED is evaluated.

    The paper says the opposite: all unoccupied locations, see `paper_prior`. An object that the prior misses by more
    than the shells is lost.

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
    """The labels that the encoder's segmentation, up-sampled and thresholded, gives to an extraction's first lattice.

    Attributes:
        axes: voxel indices of the lattice in the grid along each axis: [h], [w] and [d], int64.
        labels: class indices [h, w, d] uint8.
    """

    axes: tuple[Tensor, Tensor, Tensor]
    labels: Tensor


def paper_first_state(field: OccupancyField, grid: Grid) -> FirstState:
    """Up-sample trilinearly to the octree's first lattice; voxels are cells of the space that the image covers.

    The paper does not say how; this is how locations correspond everywhere in this package.

    Raises:
        UserError: the model's encoder has no segmentation.
    """
    axes = lattice_axes(grid.shape, INITIAL_STRIDE, field.device)
    return _first_state(field, grid, axes, lambda x, coarse, fine: (x + 0.5) * (coarse / fine) - 0.5)


def released_first_state(field: OccupancyField, grid: Grid) -> FirstState:
    """Up-sample trilinearly to every fourth voxel; the first and the last of these in the image are corners.

    The released code extracts on the image's own grid, where this is an interpolation with aligned corners.

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
        to_coarse: from locations [n, 3] in the image, the segmentation's and the image's shape [3] to voxel coordinates
            of the segmentation.
    """
    if field.prior is None:
        raise UserError("this model's encoder predicts no segmentation to start from; extract with mise or dense")
    segmentation = VoxelField(field.prior)
    coarse, fine = (torch.tensor(shape, device=field.device) for shape in (segmentation.shape, field.shape))
    locations = to_coarse(grid.locate(torch.cartesian_prod(*axes)), coarse, fine)
    labels = labels_of(segmentation(locations), field.classes)
    return FirstState(axes, labels.view([len(axis) for axis in axes]))


def _refine_in_shells(field: OccupancyField, grid: Grid, wanted: Tensor, max_locations: int) -> Extraction:
    """Evaluate every fourth voxel of a mask [H, W, D], then finer grids in shells around what is occupied."""
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
    """Mask of the voxels of [H, W, D] around which a cube of odd edge length holds more than one label."""
    low = high = labels
    for axis in range(3):
        low = _extreme(low, size, axis, torch.minimum)
        high = _extreme(high, size, axis, torch.maximum)
    return low != high


def _extreme(labels: Tensor, size: int, axis: int, extreme: Callable[..., Tensor]) -> Tensor:
    """The extreme of the `size` voxels around each along one axis, in the memory of one result."""
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
}

FIRST_STATES: Mapping[str, Callable[[OccupancyField, Grid], FirstState]] = {
    "paper-prior": paper_first_state,
    "released-prior": released_first_state,
}
"""Extractors that begin with the encoder's segmentation, by name: what it says of their first lattice."""
