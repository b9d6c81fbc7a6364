"""The occupancy decoder at the paper's BraTS sizes, with features of the patch encoder and without (O-Net)."""

import pytest
import torch

from baselines.onet import ONet
from benchmarks.micro.measure import Measure
from benchmarks.micro.passes import PASSES
from ossnet.network.configuration import OccupancyNetworkConfig
from ossnet.network.occupancy_network import OccupancyNetwork, OSSNetC

VOLUME = (256, 256, 160)
LOCATIONS = 2**9
MODELS: dict[str, type[OccupancyNetwork]] = {"onet": ONet, "c": OSSNetC}


@pytest.mark.parametrize("direction", PASSES)
@pytest.mark.parametrize("model", MODELS)
def bench_decoder(
    measure: Measure, device: torch.device, generator: torch.Generator, model: str, direction: str
) -> None:
    """Time a pass of the decoder."""
    kind = MODELS[model]
    config = OccupancyNetworkConfig(VOLUME, modalities=4, **kind.preset)
    decoder = kind(config).decoder.to(device)

    def randn(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator, device=device, requires_grad=True)

    lowest = torch.tensor(config.lowest_grid)
    latents = randn(1, config.decoder_blocks + 1 if config.output_skips else 1, int(lowest.prod()))
    local = randn(1, LOCATIONS, config.patch_size**3) if config.patches else None
    scale = torch.tensor(VOLUME, device=device)
    locations = torch.rand(1, LOCATIONS, 3, generator=generator, device=device) * scale
    inputs = [latents] if local is None else [latents, local]
    work = PASSES[direction](decoder, lambda: decoder(locations, local, latents), inputs)
    measure(f"decoder, {direction}", locations.shape, "locations", LOCATIONS, work)
