"""What an extraction costs beside the network: every way of it, on a field whose answer is cheap."""

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
    """A ball in the middle of the volume; its prior is the same ball on a coarse grid."""

    shape: Shape
    device: torch.device
    radius: float
    classes: int = 2

    @property
    def prior(self) -> Tensor:
        axes = [torch.arange(0, size, PRIOR_STRIDE, device=self.device) for size in self.shape]
        cells = torch.cartesian_prod(*axes) + (PRIOR_STRIDE - 1) / 2
        return self(cells).view([len(axis) for axis in axes])

    def __call__(self, locations: Tensor) -> Tensor:
        centre = (torch.tensor(self.shape, device=self.device) - 1) / 2
        return ((locations - centre).square().sum(-1) < self.radius**2).float()


@pytest.mark.parametrize("extractor", EXTRACTORS)
def bench_extraction(benchmark: BenchmarkFixture, measure: Measure, device: torch.device, extractor: str) -> None:
    field = BallField(SHAPE, device, RADIUS)
    extraction = measure(
        "extraction",
        SHAPE,
        "voxels",
        math.prod(SHAPE),
        lambda: EXTRACTORS[extractor](field, None, MAX_LOCATIONS),
    )
    benchmark.extra_info["evaluated"] = list(extraction.evaluated)
