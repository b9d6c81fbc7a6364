"""Drawing training locations, and what draws depend on: the border of a label, the memory of confidence."""

import math
from collections.abc import Callable
from typing import get_args

import pytest
import torch

from benchmarks.micro.measure import Measure
from benchmarks.micro.volumes import SHAPE, ball
from ossnet.sampling import Protocol, Sampling, border_voxels, draw_locations
from ossnet.training.confidence import ConfidenceMemory

COUNT = 2**14
RADIUS = 20


@pytest.fixture
def host_generator() -> torch.Generator:
    """Return the generator of draws, which are made on the CPU on every machine."""
    return torch.Generator().manual_seed(0)


def random_memory(generator: torch.Generator) -> ConfidenceMemory:
    """Return the memory of one case, with a random value in each cell."""
    memory = ConfidenceMemory(1, SHAPE, Sampling("confidence", COUNT))
    memory.uncertainty = torch.rand(memory.uncertainty.shape, generator=generator)
    return memory


def uniform(generator: torch.Generator) -> Callable[[], object]:
    """Return a function that draws uniformly."""
    return lambda: draw_locations(Sampling("uniform", COUNT), SHAPE, None, generator)


def border(generator: torch.Generator) -> Callable[[], object]:
    """Return a function that draws near the border of a ball."""
    sampling = Sampling("border", COUNT)
    voxels = torch.from_numpy(border_voxels(ball(SHAPE, RADIUS), sampling))
    return lambda: draw_locations(sampling, SHAPE, voxels, generator)


def confidence(generator: torch.Generator) -> Callable[[], object]:
    """Return a function that draws by the confidence of the model."""
    memory = random_memory(generator)
    return lambda: memory.draw([0], generator)


SAMPLERS: dict[str, Callable[[torch.Generator], Callable[[], object]]] = {
    "uniform": uniform,
    "border": border,
    "confidence": confidence,
}


@pytest.mark.parametrize("strategy", SAMPLERS)
def bench_sampler(measure_on_host: Measure, host_generator: torch.Generator, strategy: str) -> None:
    """Time one draw."""
    measure_on_host("sampler", (COUNT, 3), "locations", COUNT, SAMPLERS[strategy](host_generator))


def bench_confidence_memory(measure_on_host: Measure, host_generator: torch.Generator) -> None:
    """Time the update of the memory of confidence."""
    memory = random_memory(host_generator)
    locations, _ = memory.draw([0], host_generator)
    probabilities = torch.rand(1, COUNT, generator=host_generator)
    measure_on_host(
        "confidence memory",
        locations.shape,
        "locations",
        COUNT,
        lambda: memory.update([0], locations, probabilities),
    )


@pytest.mark.parametrize("protocol", get_args(Protocol))
def bench_border(measure_on_host: Measure, protocol: Protocol) -> None:
    """Time the search for the border of a label."""
    label = ball(SHAPE, RADIUS)
    sampling = Sampling("border", protocol=protocol)
    measure_on_host("border", SHAPE, "voxels", math.prod(SHAPE), lambda: border_voxels(label, sampling))
