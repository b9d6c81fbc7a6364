"""From an occupancy field to a dense segmentation, evaluating as few locations as possible (Sec. 3.3, Fig. 4)."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ossnet.errors import UserError
from ossnet.field import OccupancyField, VoxelField, evaluate, labels_of

INITIAL_STRIDE = 4
"""The octree starts from a quarter of the target resolution (Sec. 4.3)."""


@dataclass(frozen=True)
class Grid:
    """The voxels to segment.

    Attributes:
        shape: (H, W, D).
        locate: voxel indices [n, 3] int64 of this grid to voxel coordinates [n, 3] of the field's image.
    """

    shape: tuple[int, int, int]
    locate: Callable[[Tensor], Tensor]

    @classmethod
    def over(cls, field: OccupancyField, shape: tuple[int, int, int] | None = None) -> "Grid":
        """A grid of any resolution over the whole of the field's image; by default the image's own voxels.

        Both grids cover the same space and voxels are cells of it, so centres meet at (t + 1/2) / T = (x + 1/2) / S.
        """
        if shape is None or tuple(shape) == tuple(field.shape):
            return cls(field.shape, lambda indices: indices)

        def locate(indices: Tensor) -> Tensor:
            scale = torch.tensor(field.shape, device=indices.device) / torch.tensor(shape, device=indices.device)
            return (indices + 0.5) * scale - 0.5

        return cls(shape, locate)


@dataclass(frozen=True)
class Extraction:
    """A dense segmentation and what it took.

    Attributes:
        segmentation: class indices [H, W, D] uint8.
        evaluated: locations evaluated in each stage, from coarse to fine.
    """

    segmentation: Tensor
    evaluated: tuple[int, ...]


class Level:
    """One level of the octree: labels at the lattice of every `stride`-th voxel and the last of each axis.

    Attributes:
        axes: voxel indices of the lattice along each axis: [h], [w] and [d], int64.
        labels: class indices [h, w, d] uint8, as far as the field was asked or a coarser level tells.
        known: [h, w, d] bool, where the field was asked.
        evaluated: how many points were asked at this level.
    """

    def __init__(self, field: OccupancyField, grid: Grid, stride: int, max_locations: int) -> None:
        self.field, self.grid, self.max_locations, self.stride = field, grid, max_locations, stride
        device = field.device
        self.axes = []
        for size in grid.shape:
            axis = torch.arange(0, size, stride, device=device)
            last = torch.tensor([size - 1], device=device)
            self.axes.append(axis if axis[-1] == last else torch.cat([axis, last]))
        shape = [len(axis) for axis in self.axes]
        self.labels = torch.zeros(shape, dtype=torch.uint8, device=device)
        self.known = torch.zeros(shape, dtype=torch.bool, device=device)
        self.evaluated = 0

    def evaluate(self, wanted: Tensor) -> None:
        """Ask the field at the lattice points of a mask that are not known yet."""
        points = (wanted & ~self.known).nonzero()
        if not len(points):
            return
        voxels = torch.stack([axis[index] for axis, index in zip(self.axes, points.T, strict=True)], -1)
        answers = labels_of(evaluate(self.field, self.grid.locate(voxels), self.max_locations), self.field.classes)
        index = tuple(points.T)
        self.labels[index] = answers
        self.known[index] = True
        self.evaluated += len(points)

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

    def settle(self) -> None:
        """Evaluate every unknown corner of a cell whose corners disagree, until there is none.

        An answer may contradict what a neighbouring cell inherited; following that up traces a surface wherever it
        leads, once the octree has met it.
        """
        while True:
            before = self.evaluated
            corners = torch.zeros_like(self.known)
            cells = self.undecided_cells().nonzero()
            last = torch.tensor(self.labels.shape, device=cells.device) - 1
            for offset in torch.cartesian_prod(*[torch.arange(2, device=cells.device)] * 3):
                corners[tuple((cells + offset).minimum(last).T)] = True
            self.evaluate(corners)
            if self.evaluated == before:
                return

    def subdivide(self) -> "tuple[Level, Tensor]":
        """The level of half the stride, where cells hand their label down, and the points of cells to be evaluated.

        These are the cells whose corners disagree, as a mask [h, w, d] of the finer level.
        """
        finer = Level(self.field, self.grid, self.stride // 2, self.max_locations)
        below = [
            torch.searchsorted(coarse, fine, right=True) - 1 for coarse, fine in zip(self.axes, finer.axes, strict=True)
        ]
        finer.labels = self.labels[torch.meshgrid(*below, indexing="ij")]
        places = [torch.searchsorted(fine, coarse) for coarse, fine in zip(self.axes, finer.axes, strict=True)]
        finer.known[torch.meshgrid(*places, indexing="ij")] = self.known
        cells = self.undecided_cells().nonzero()
        inside = torch.zeros_like(finer.known)
        # A cell spans at most two steps of the finer lattice along each axis, ends included.
        for offset in torch.cartesian_prod(*[torch.arange(3, device=cells.device)] * 3):
            points = [
                torch.minimum(place[cell] + step, place[(cell + 1).clamp(max=len(place) - 1)])
                for place, cell, step in zip(places, cells.T, offset, strict=True)
            ]
            inside[tuple(points)] = True
        return finer, inside


Observer = Callable[[Level], None]
"""Is shown each level twice: before anything is asked at it, and when it is settled. It copies what it keeps."""


def _nobody(_level: Level) -> None:
    """Looks on."""


def _refine(level: Level, wanted: Tensor, observe: Observer = _nobody) -> Extraction:
    """Evaluate the points of a mask, settle, subdivide, and so on to full resolution."""
    evaluated = []
    while True:
        observe(level)
        level.evaluate(wanted)
        level.settle()
        observe(level)
        evaluated.append(level.evaluated)
        if level.stride == 1:
            return Extraction(level.labels, tuple(evaluated))
        level, wanted = level.subdivide()


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
    level = Level(field, grid or Grid.over(field), INITIAL_STRIDE, max_locations)
    return _refine(level, torch.ones_like(level.known))


@torch.no_grad()
def prior(
    field: OccupancyField, grid: Grid | None = None, max_locations: int = 2**14, observe: Observer = _nobody
) -> Extraction:
    """The paper's improved inference: the encoder's segmentation is the octree's first state (Sec. 3.3, Fig. 4).

    Locations that it marks as occupied are taken as such, all unoccupied ones are evaluated, then as `mise`. The
    prior is believed only until a neighbouring evaluation contradicts it; one that is occupied everywhere has no
    neighbour that could. The saving is what the prior occupies: `released_prior` saves far more, and can lose more.

    Args:
        observe: looks on, see `Observer`.

    Raises:
        UserError: the model's encoder has no segmentation.
    """
    level = Level(field, grid or Grid.over(field), INITIAL_STRIDE, max_locations)
    coarse = _prior_of(field)
    voxels = torch.cartesian_prod(*level.axes)
    scale = torch.tensor(coarse.shape, device=voxels.device) / torch.tensor(field.shape, device=voxels.device)
    level.labels = labels_of(coarse((level.grid.locate(voxels) + 0.5) * scale - 0.5), field.classes).view_as(
        level.labels
    )
    return _refine(level, level.labels == 0, observe)


def _prior_of(field: OccupancyField) -> VoxelField:
    if field.prior is None:
        raise UserError("this model's encoder predicts no segmentation to start from; extract with mise or dense")
    return VoxelField(field.prior)


def _differ(labels: Tensor, size: int) -> Tensor:
    """Mask of the voxels of [H, W, D] around which a cube of odd edge length holds more than one label."""
    high, low = labels[None].float(), -labels[None].float()
    for axis in range(3):
        kernel = [size if axis == other else 1 for other in range(3)]
        padding = [edge // 2 for edge in kernel]
        high, low = (F.max_pool3d(extreme, kernel, stride=1, padding=padding) for extreme in (high, low))
    return (high != -low)[0]


def _released(field: OccupancyField, grid: Grid | None, max_locations: int, with_prior: bool) -> Extraction:
    grid = grid or Grid.over(field)
    labels = torch.zeros(grid.shape, dtype=torch.uint8, device=field.device)
    known = torch.zeros_like(labels, dtype=torch.bool)
    wanted = torch.ones_like(known)
    if with_prior:
        first = [-(-size // INITIAL_STRIDE) for size in grid.shape]
        coarse = F.interpolate(_prior_of(field).probabilities[None], first, mode="trilinear", align_corners=True)[0]
        occupied = labels_of(coarse[0] if field.classes == 2 else coarse.movedim(0, -1), field.classes)
        for axis, size in enumerate(grid.shape):
            occupied = occupied.repeat_interleave(INITIAL_STRIDE, axis).narrow(axis, 0, size)
        wanted = occupied > 0
    evaluated = []
    for stride, shell in ((INITIAL_STRIDE, None), (2, 9), (1, 3)):
        if shell is not None:
            wanted = _differ(labels, shell)
        lattice = torch.zeros_like(known)
        lattice[::stride, ::stride, ::stride] = True
        voxels = (wanted & lattice & ~known).nonzero()
        if len(voxels):
            known[tuple(voxels.T)] = True
            answers = labels_of(evaluate(field, grid.locate(voxels), max_locations), field.classes)
            for offset in torch.cartesian_prod(*[torch.arange(stride, device=voxels.device)] * 3):
                block = voxels + offset
                within = (block < torch.tensor(grid.shape, device=block.device)).all(-1)
                labels[tuple(block[within].T)] = answers[within]
        evaluated.append(len(voxels))
    return Extraction(labels, tuple(evaluated))


@torch.no_grad()
def released(field: OccupancyField, grid: Grid | None = None, max_locations: int = 2**14) -> Extraction:
    """The released code's original inference: no octree, but grids of strides 4, 2 and 1.

    All points of the first grid are evaluated and fill their cells; each finer grid is evaluated inside a shell (9^3,
    then 3^3) around what is occupied so far, read as all voxels that a cube of that size joins to another label.
    """
    return _released(field, grid, max_locations, with_prior=False)


@torch.no_grad()
def released_prior(field: OccupancyField, grid: Grid | None = None, max_locations: int = 2**14) -> Extraction:
    """The released code's improved inference: of the first grid, only what the prior marks as OCCUPIED is evaluated.

    The paper says the opposite (all unoccupied locations, see `prior`). What the prior misses by more than the shells
    is lost. The prior is up-sampled trilinearly with aligned corners.

    Raises:
        UserError: the model's encoder has no segmentation.
    """
    return _released(field, grid, max_locations, with_prior=True)


Extractor = Callable[[OccupancyField, Grid | None, int], Extraction]

EXTRACTORS: dict[str, Extractor] = {
    "dense": dense,
    "mise": mise,
    "prior": prior,
    "released": released,
    "released-prior": released_prior,
}
