"""The released code's use of memory: the same shapes and gradients as this package's layers, by other tensors."""

from typing import Literal

import pytest
import torch

from benchmarks.probes.released_layers import decode, use_released_layers
from ossnet.network.configuration import OccupancyNetworkConfig
from ossnet.network.occupancy_network import OSSNetD


@pytest.mark.parametrize(("activation", "computed"), [("relu", False), ("relu", True), ("pau", True)])
def test_the_network_computes_the_same(activation: Literal["relu", "pau"], computed: bool) -> None:
    config = OccupancyNetworkConfig(
        shape=(16, 16, 16),
        modalities=2,
        encoder_channels=(4, 8),
        patch_size=3,
        decoder_width=8,
        decoder_blocks=2,
        activation=activation,
        **OSSNetD.preset,
    )
    torch.manual_seed(0)
    network = OSSNetD(config).eval()
    locations, patches = torch.rand(1, 5, 3), torch.rand(1, 5, 3, 3, 3, 4)
    latents = network.encoder(torch.rand(1, 2, 8, 8, 8)).latents
    expected = network.decode(locations, patches, latents)
    use_released_layers(network, computed)
    torch.testing.assert_close(decode(network, locations, patches, latents), expected)
