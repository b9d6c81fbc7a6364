from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from ossnet.memory.accounting import StorageAccount
from ossnet.network import tiles
from ossnet.network.activation import PadeActivationUnit
from ossnet.network.encoder import ResidualBlock, VolumeEncoder
from ossnet.network.tiles import encode_in_tiles, run_in_tiles


def normal(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def trained(module: nn.Module) -> nn.Module:
    for norm in module.modules():
        if isinstance(norm, nn.BatchNorm3d):
            for values in (norm.running_mean, norm.weight, norm.bias):
                nn.init.normal_(values)
            nn.init.uniform_(norm.running_var, 0.5, 2.0)
    return module.eval()


@pytest.fixture(params=[1, 2000, 10**9], ids=["planes", "tiles", "whole"])
def tile_bytes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(tiles, "TILE_BYTES", request.param)
    return iter(())


@pytest.mark.usefixtures("tile_bytes")
@pytest.mark.parametrize("activation", [PadeActivationUnit, nn.GELU])
@pytest.mark.parametrize("channels", [(2, 5), (3, 3)])
@pytest.mark.parametrize("grid", [(8, 6, 10), (7, 5, 9), (4, 4, 2)])
@torch.no_grad()
def test_a_block_in_tiles_is_the_block(
    activation: type[nn.Module], channels: tuple[int, int], grid: tuple[int, int, int]
) -> None:
    torch.manual_seed(0)
    block, x = trained(ResidualBlock(*channels, activation)), normal(1, channels[0], *grid)
    assert_close(run_in_tiles(block, x), block(x), atol=1e-5, rtol=1e-5)


@pytest.mark.usefixtures("tile_bytes")
@pytest.mark.parametrize("output_skips", [False, True])
@torch.no_grad()
def test_an_encoder_in_tiles_is_the_encoder(output_skips: bool) -> None:
    torch.manual_seed(0)
    encoder = VolumeEncoder((16, 12, 9), 2, (4, 6), 3, output_skips, 1, PadeActivationUnit)
    trained(encoder)
    x = normal(1, 2, 16, 12, 9)
    expected, ours = encoder(x), encode_in_tiles(encoder, x)
    assert_close(ours.latents, expected.latents, atol=1e-5, rtol=1e-5)
    assert_close(ours.segmentation, expected.segmentation, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_activations_at_full_size_never_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.zeros(1, 1, 64, 64, 64, device="meta")
    block = ResidualBlock(1, 8, PadeActivationUnit).to("meta").eval()
    with StorageAccount() as plain:
        block(x)
    monkeypatch.setattr(tiles, "TILE_BYTES", 2**18)
    with StorageAccount() as tiled:
        run_in_tiles(block, x)
    # Eight channels at full size take eight times the input; pooled, two of them take twice the input.
    assert plain.peak_bytes > 2 * 8 * x.nbytes
    assert tiled.peak_bytes < 5 * x.nbytes
