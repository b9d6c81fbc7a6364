"""Audit of an extraction: a bound on the share of voxels that differ from an evaluation of every voxel.

Voxels that the extraction did not evaluate are drawn at random and evaluated. They are drawn independently, so that the
bound holds however the differing voxels lie, scattered or in clusters: whether one draw hits one of them depends on
their number alone.
"""

import math
from dataclasses import dataclass

import torch
from scipy.stats import beta
from torch import Tensor

from ossnet.field import Grid, OccupancyField, labels_of
from ossnet.inference.extraction import Extraction, Extractor

CONFIDENCE = 0.95
"""Probability with which the bound holds."""


@dataclass(frozen=True)
class Audit:
    """Result of an audit.

    Attributes:
        voxels: number of voxels of the segmentation.
        skipped: number of them that the extraction did not evaluate.
        sampled: number of skipped voxels that were evaluated; if equal to `skipped`, each of them once.
        differing: number of these whose class differs from the segmentation's.
    """

    voxels: int
    skipped: int
    sampled: int
    differing: int

    @property
    def bound(self) -> float:
        """Upper bound, with a probability of 95 %, on the share of all voxels that differ from `dense`.

        It is the exact one of Clopper and Pearson, one-sided; without a miss in m samples about 3 / m of the skipped
        voxels. If all skipped voxels were sampled, it is the share itself.
        """
        if self.sampled == self.skipped:
            return self.differing / self.voxels
        if self.sampled == self.differing:
            return self.skipped / self.voxels
        rate = float(beta.ppf(CONFIDENCE, self.differing + 1, self.sampled - self.differing))
        return rate * self.skipped / self.voxels


def samples_for(bound: float, skipped: int, voxels: int) -> int:
    """Return the number of skipped voxels to sample so that `Audit.bound` is at most `bound`, if none differs.

    It is no larger than the number of skipped voxels, which are then all evaluated.

    Raises:
        ValueError: the bound is not between 0 and 1.
    """
    if not 0 < bound < 1:
        raise ValueError(f"bound is {bound}; give a share between 0 and 1")
    if skipped == 0 or bound * voxels >= skipped:
        return 0
    return min(skipped, math.ceil(math.log(1 - CONFIDENCE) / math.log1p(-bound * voxels / skipped)))


@torch.no_grad()
def extract_and_audit(
    extract: Extractor,
    field: OccupancyField,
    grid: Grid,
    max_locations: int,
    bound: float,
    generator: torch.Generator,
) -> tuple[Extraction, Audit]:
    """Extract a segmentation and audit it.

    Args:
        extract: any extraction.
        field: occupancy field to segment.
        grid: voxels to segment.
        max_locations: maximum number of locations per pass.
        bound: bound to reach if no sampled voxel differs, a share of all voxels; it sets the number of samples.
        generator: random generator of the samples, on the CPU.

    Raises:
        ValueError: the bound is not between 0 and 1.
    """
    recorder = _Recorder(field, grid)
    extraction = extract(recorder, recorder.grid, max_locations)
    voxels = recorder.evaluated.numel()
    skipped = voxels - int(recorder.evaluated.sum())
    sampled = samples_for(bound, skipped, voxels)
    differing = 0
    if sampled:
        drawn = draw_skipped(recorder.evaluated, sampled, generator)
        for part in drawn.split(max_locations):
            labels = labels_of(field(grid.locate(part)), field.classes)
            differing += int((labels != extraction.segmentation[tuple(part.T)]).sum())
    return extraction, Audit(voxels, skipped, sampled, differing)


def draw_skipped(evaluated: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Return voxels [count, 3] int64 outside a mask [H, W, D], drawn independently; all of them if they are no more."""
    if count == evaluated.numel() - int(evaluated.sum()):
        return evaluated.logical_not().nonzero()
    drawn = torch.empty(0, 3, dtype=torch.int64, device=evaluated.device)
    while len(drawn) < count:
        places = torch.randint(evaluated.numel(), (count,), generator=generator).to(evaluated.device)
        voxels = torch.stack(torch.unravel_index(places, evaluated.shape), -1)
        drawn = torch.cat([drawn, voxels[~evaluated[tuple(voxels.T)]]])
    return drawn[:count]


class _Recorder:
    """Occupancy field that records at which voxels of a grid it is evaluated; takes the place of both.

    Extractions locate voxels in the grid and then evaluate the field there. Locations that are not evaluated, such as
    those at which the encoder's segmentation is read, are not recorded.

    Attributes:
        grid: the grid, which notes what was located last.
        evaluated: mask [H, W, D] of the grid's voxels at which the field was evaluated.
    """

    def __init__(self, field: OccupancyField, grid: Grid) -> None:
        self._field, self._locate = field, grid.locate
        self._voxels = self._locations = torch.empty(0)
        self.shape, self.device, self.classes, self.prior = field.shape, field.device, field.classes, field.prior
        self.grid = Grid(grid.shape, self._note)
        self.evaluated = torch.zeros(grid.shape, dtype=torch.bool, device=field.device)

    def _note(self, voxels: Tensor) -> Tensor:
        self._voxels, self._locations = voxels, self._locate(voxels)
        return self._locations

    def _record(self, locations: Tensor) -> None:
        if locations is not self._locations:
            raise ValueError("an extraction that is audited evaluates what it has located last")
        self.evaluated[tuple(self._voxels.T)] = True

    def __call__(self, locations: Tensor) -> Tensor:
        """Return the field's probabilities, and record the voxels."""
        self._record(locations)
        return self._field(locations)

    def logits(self, locations: Tensor) -> Tensor:
        """Return the field's logits, and record the voxels."""
        self._record(locations)
        return self._field.logits(locations)
