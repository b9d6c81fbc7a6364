"""The volume encoder, plain as in O-Net, A and B, and with output skips as in C and D."""

import math

import pytest
import torch
from torch import Tensor

from benchmarks.micro.measure import Measure
from benchmarks.micro.passes import PASSES
from benchmarks.micro.volumes import SHAPE
from ossnet.network.configuration import OccupancyNetworkConfig
from ossnet.network.encoder import Encoding
from ossnet.network.occupancy_network import OccupancyNetwork, OSSNetA, OSSNetC

VARIANTS: dict[str, type[OccupancyNetwork]] = {"plain": OSSNetA, "output skips": OSSNetC}


def joined(encoding: Encoding) -> Tensor:
    """Return all outputs of the encoder as one tensor [B, ...], which one gradient can be propagated from."""
    parts = [encoding.latents] + ([] if encoding.segmentation is None else [encoding.segmentation])
    return torch.cat([part.flatten(1) for part in parts], 1)


@pytest.mark.parametrize("direction", PASSES)
@pytest.mark.parametrize("variant", VARIANTS)
def bench_encoder(
    measure: Measure, device: torch.device, generator: torch.Generator, variant: str, direction: str
) -> None:
    """Time a pass of the encoder."""
    kind = VARIANTS[variant]
    config = OccupancyNetworkConfig(SHAPE, modalities=4, **kind.preset)
    encoder = kind(config).encoder.to(device)
    half = torch.randn(1, config.modalities, *config.encoder_shape, generator=generator, device=device)
    work = PASSES[direction](encoder, lambda: joined(encoder(half)), [])
    measure(f"encoder, {direction}", half.shape, "voxels", math.prod(config.encoder_shape), work)
