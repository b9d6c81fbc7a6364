"""The released code's use of memory: the same shapes and gradients as this package's layers, by other tensors."""

import pytest
import torch
from torch import nn

from benchmarks.released_layers import convolution_workspace, decode, use_released_layers
from ossnet.network import OccupancyNetworkConfig
from ossnet.variants import OSSNetD


def test_without_the_pade_unit_the_network_computes_the_same() -> None:
    config = OccupancyNetworkConfig(
        shape=(16, 16, 16),
        modalities=2,
        encoder_channels=(4, 8),
        patch_size=3,
        decoder_width=8,
        decoder_blocks=2,
        activation="relu",
        **OSSNetD.preset,
    )
    torch.manual_seed(0)
    network = OSSNetD(config).eval()
    locations, patches = torch.rand(1, 5, 3), torch.rand(1, 5, 3, 3, 3, 4)
    latents = network.encoder(torch.rand(1, 2, 8, 8, 8)).latents
    expected = network.decode(locations, patches, latents)
    use_released_layers(network)
    torch.testing.assert_close(decode(network, locations, patches, latents), expected)


@pytest.mark.parametrize(
    ("in_channels", "kernel", "expected"),
    [
        # Input of 1 channel padded to 4, and 8 output channels, of 6^3 voxels.
        (1, 3, (4 + 8) * 6**3 * 4),
        (6, 3, (8 + 8) * 6**3 * 4),
        (4, 3, 0),
        (1, 1, 0),
    ],
)
def test_workspace_of_a_convolution(in_channels: int, kernel: int, expected: int) -> None:
    x, weight = torch.zeros(1, in_channels, 6, 6, 6), torch.zeros(8, in_channels, *[kernel] * 3)
    out = nn.functional.conv3d(x, weight, padding=kernel // 2)
    assert convolution_workspace(torch.ops.aten.convolution.default, [x, weight], out) == expected


def test_other_operators_need_no_workspace() -> None:
    x = torch.zeros(1, 1, 4, 4, 4)
    assert convolution_workspace(torch.ops.aten.mul.Tensor, [x, x], x * x) == 0
