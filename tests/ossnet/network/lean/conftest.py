"""Tiny occupancy networks, trained plainly and leanly, in ragged chunks and tiles."""

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor

from ossnet.config import build
from ossnet.model import Batch, Draw
from ossnet.network.execution import Execution, Memory, set_execution
from ossnet.network.lean import sweep, tiles
from ossnet.network.occupancy_network import OccupancyNetwork
from ossnet.registry import model_type

SHAPE = (20, 16, 22)
SIZES = {"encoder_channels": (4, 6), "patch_size": 3, "decoder_width": 16, "decoder_blocks": 5}


class Learned(NamedTuple):
    """What a training step leaves: loss, whole gradient, statistics, predictions at the locations."""

    loss: Tensor
    gradient: Tensor
    statistics: Tensor
    predictions: Tensor


Make = Callable[..., OccupancyNetwork]


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of 13 locations, and tiles of the first block, of which the last is ragged; the second stays whole."""
    monkeypatch.setattr(sweep, "CHUNK", 13)
    monkeypatch.setattr(sweep, "LEAST_CHUNK", 13)
    monkeypatch.setattr(tiles, "TILED_ELEMENTS", 4 * 2 * 10 * 8 * 11)
    monkeypatch.setattr(tiles, "TILE_ELEMENTS", 4 * 2 * 10 * 8 * 4)


@pytest.fixture
def make() -> Make:
    """Makes a network with other weights of gamma and beta than 0, in training."""

    def made(name: str, memory: Memory, dtype: torch.dtype = torch.float64, **changes: Any) -> OccupancyNetwork:
        kind = model_type(name)
        assert issubclass(kind, OccupancyNetwork)
        values = {"shape": SHAPE, "modalities": 2} | SIZES | changes | kind.preset
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            network = kind(build(kind.config_type, values, name))
            for block in network.decoder.blocks:
                for norm in (block.norm1, block.norm2):
                    for affine in (norm.gamma, norm.beta):
                        torch.nn.init.normal_(getattr(affine, "weight", affine.bias), std=0.1)
        set_execution(network, Execution.of(memory))
        return network.to(dtype).train()

    return made


@pytest.fixture
def learn() -> Callable[..., Learned]:
    """Makes a training step without an optimiser, on two volumes with weighted locations."""

    def learned(network: OccupancyNetwork, seed: int = 1, weighted: bool = True) -> Learned:
        dtype = next(network.parameters()).dtype
        generator = torch.Generator().manual_seed(seed)
        images = torch.randn(2, 2, *SHAPE, generator=generator).to(dtype)
        labels = torch.randint(network.config.classes, (2, *SHAPE), generator=generator).to(torch.uint8)
        locations = (torch.rand(2, 50, 3, generator=generator) * torch.tensor(SHAPE)).long()
        weights = torch.rand(2, 50, generator=generator).to(dtype) if weighted else None
        seen: list[Tensor] = []
        draw = Draw(locations, weights)
        loss = network.loss(Batch(images, labels, lambda _: draw, lambda _, p: seen.append(p)), generator)
        loss.backward()
        gradients = [p.grad.flatten() for p in network.parameters() if p.grad is not None]
        statistics = [buffer.flatten().to(dtype) for buffer in network.buffers()]
        return Learned(loss.detach(), torch.cat(gradients), torch.cat(statistics), seen[0].flatten())

    return learned
