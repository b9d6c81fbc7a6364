"""What tests of both U-Nets share."""

from collections.abc import Callable
from typing import NoReturn

import pytest
import torch
from torch import Tensor

from ossnet.model import Batch, VoxelisedModel


def no_locations(_: torch.Generator) -> NoReturn:
    raise AssertionError("a voxelised model learns from all voxels")


@pytest.fixture(scope="session")
def batch_of() -> Callable[[Tensor, Tensor], Batch]:
    """A batch of images and labels, of which no locations may be drawn."""
    return lambda images, labels: Batch(images, labels, no_locations)


@pytest.fixture(scope="session")
def learn_sphere() -> Callable[..., tuple[float, float]]:
    """Train a model on some noisy spheres; give its loss then, and the part of a volume that it segments rightly."""

    def learn(model: VoxelisedModel, cases: int, steps: int) -> tuple[float, float]:
        axis = torch.arange(16) - 7.5
        label = (axis[:, None, None] ** 2 + axis[:, None] ** 2 + axis**2 < 36).to(torch.uint8)
        noise = torch.randn(cases, 1, 16, 16, 16, generator=torch.Generator().manual_seed(0))
        batch = Batch(label + 0.5 * noise, label.expand(cases, -1, -1, -1), no_locations)
        optimiser = torch.optim.Adam(model.parameters(), lr=1e-2)
        for _ in range(steps):
            optimiser.zero_grad()
            model.loss(batch, torch.Generator()).backward()
            optimiser.step()
        with torch.no_grad():
            loss = model.loss(batch, torch.Generator()).item()
        return loss, (model.eval().segment(batch.images[0]) == label).float().mean().item()

    return learn
