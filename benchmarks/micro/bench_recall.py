"""How many small balls an extraction finds, by their radius and by how fast the logit falls off around them.

Figures are saved with the times: `found`, the share of `balls` of which the segmentation holds a voxel, and
`evaluated`, the mean number of locations. Each ball lies at a random place of a volume of its own.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from torch import Tensor

from benchmarks.micro import volumes
from benchmarks.micro.measure import Measure
from benchmarks.micro.volumes import Shape
from ossnet.field import Grid, OccupancyField
from ossnet.inference.adaptive import refine_adaptively
from ossnet.inference.extraction import mise

SHAPE: Shape = (48, 48, 48)
CONFIDENCE = 10.0
MAX_LOCATIONS = 2**14

Method = Callable[[OccupancyField], tuple[Tensor, tuple[int, ...]]]


def _mise(field: OccupancyField) -> tuple[Tensor, tuple[int, ...]]:
    extraction = mise(field, None, MAX_LOCATIONS)
    return extraction.segmentation, extraction.evaluated


def _adaptive(field: OccupancyField, fine_start: bool | None) -> tuple[Tensor, tuple[int, ...]]:
    return refine_adaptively(field, Grid.over(field), MAX_LOCATIONS, fine_start)


METHODS: dict[str, Method] = {
    "mise": _mise,
    "adaptive": partial(_adaptive, fine_start=None),
    "adaptive from 16": partial(_adaptive, fine_start=False),
    "adaptive from 8": partial(_adaptive, fine_start=True),
}


@dataclass(frozen=True)
class SmoothBall:
    """Field of a ball whose logit changes by `slope` per voxel at its surface and levels off at `CONFIDENCE`."""

    shape: Shape
    centre: Tensor
    radius: float
    slope: float
    classes: int = 2
    prior: None = None

    @property
    def device(self) -> torch.device:
        """Device of the locations."""
        return self.centre.device

    def __call__(self, locations: Tensor) -> Tensor:
        """Return the probabilities [n] of locations [n, 3] in voxels."""
        return self.logits(locations).sigmoid()

    def logits(self, locations: Tensor) -> Tensor:
        """Return the logits [n] of locations [n, 3] in voxels."""
        depth = self.radius - (locations - self.centre).norm(dim=-1)
        return CONFIDENCE * torch.tanh(self.slope * depth / CONFIDENCE)


@pytest.mark.parametrize("slope", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("radius", [1.5, 2.5, 3.5])
@pytest.mark.parametrize("method", METHODS)
def bench_recall(
    benchmark: BenchmarkFixture,
    measure: Measure,
    device: torch.device,
    generator: torch.Generator,
    method: str,
    radius: float,
    slope: float,
) -> None:
    """Time an extraction of a ball, and count which of many balls are found."""
    # One period of the coarsest lattice in the middle of the volume.
    centres = 16 + 16 * torch.rand(volumes.BALLS, 3, generator=generator, device=device)
    results = [METHODS[method](SmoothBall(SHAPE, centre, radius, slope)) for centre in centres]
    field = SmoothBall(SHAPE, centres[0], radius, slope)
    measure("recall", SHAPE, "voxels", math.prod(SHAPE), lambda: METHODS[method](field))
    benchmark.extra_info["balls"] = len(results)
    benchmark.extra_info["found"] = sum(bool(segmentation.any()) for segmentation, _ in results) / len(results)
    benchmark.extra_info["evaluated"] = sum(sum(evaluated) for _, evaluated in results) / len(results)
