"""Conditional batch normalisation with one mean and variance for all features, as released, and one per feature."""

from typing import get_args

import pytest
import torch

from benchmarks.micro.measure import Measure
from benchmarks.micro.passes import PASSES
from ossnet.network.decoder import ConditionalBatchNorm, NormalizationName

LATENT_SIZE = 320
SHAPE = (1, 2**12, 512)


@pytest.mark.parametrize("direction", PASSES)
@pytest.mark.parametrize("normalization", get_args(NormalizationName))
def bench_conditional_norm(
    measure: Measure,
    device: torch.device,
    generator: torch.Generator,
    normalization: NormalizationName,
    direction: str,
) -> None:
    """Time a pass of a normalisation."""
    norm = ConditionalBatchNorm(LATENT_SIZE, SHAPE[-1], normalization).to(device)
    x = torch.randn(SHAPE, generator=generator, device=device, requires_grad=True)
    latent = torch.randn(1, LATENT_SIZE, generator=generator, device=device, requires_grad=True)
    work = PASSES[direction](norm, lambda: norm(x, latent), [x, latent])
    measure(f"conditional norm, {direction}", SHAPE, "elements", x.numel(), work)
