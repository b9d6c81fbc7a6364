"""The cost of each extraction apart from the network, on a field that is cheap to evaluate."""

import math
from dataclasses import dataclass

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from torch import Tensor

from benchmarks.micro.measure import Measure
from benchmarks.micro.volumes import SHAPE, Shape
from ossnet.inference.extraction import EXTRACTORS

RADIUS = 24
PRIOR_STRIDE = 16
MAX_LOCATIONS = 2**14


@dataclass(frozen=True)
class BallField:
    """The occupancy field of a ball in the middle of the volume; its prior is the same ball on a coarse grid."""

    shape: Shape
    device: torch.device
    radius: float
    classes: int = 2

    @property
    def prior(self) -> Tensor:
        """Occupancy of the cells of the coarse grid."""
        axes = [torch.arange(0, size, PRIOR_STRIDE, device=self.device) for size in self.shape]
        cells = torch.cartesian_prod(*axes) + (PRIOR_STRIDE - 1) / 2
        return self(cells).view([len(axis) for axis in axes])

    def __call__(self, locations: Tensor) -> Tensor:
        """Return the occupancies [n] of locations [n, 3] in voxels."""
        centre = (torch.tensor(self.shape, device=self.device) - 1) / 2
        return ((locations - centre).square().sum(-1) < self.radius**2).float()

    def logits(self, locations: Tensor) -> Tensor:
        """Return logits [n] of locations [n, 3] in voxels that fall by one per voxel."""
        centre = (torch.tensor(self.shape, device=self.device) - 1) / 2
        return self.radius - (locations - centre).norm(dim=-1)


@pytest.mark.parametrize("extractor", EXTRACTORS)
def bench_extraction(benchmark: BenchmarkFixture, measure: Measure, device: torch.device, extractor: str) -> None:
    """Time an extraction, and save the number of evaluated locations per stage."""
    field = BallField(SHAPE, device, RADIUS)
    extraction = measure(
        "extraction",
        SHAPE,
        "voxels",
        math.prod(SHAPE),
        lambda: EXTRACTORS[extractor](field, None, MAX_LOCATIONS),
    )
    benchmark.extra_info["evaluated"] = list(extraction.evaluated)
