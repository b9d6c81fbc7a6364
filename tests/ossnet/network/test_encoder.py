import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.testing import assert_close

from ossnet.network.activation import PadeActivationUnit
from ossnet.network.encoder import OutputSkip, ResidualBlock, VolumeEncoder, lowest_grid

Shape = tuple[int, int, int]
PAPER = [((128, 128, 80), (16, 32, 64, 128), (8, 8, 5)), ((256, 256, 256), (8, 16, 32, 64, 128), (8, 8, 8))]


def normal(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def small(latents: int = 1, output_skips: bool = False, segmentation_channels: int = 0) -> VolumeEncoder:
    torch.manual_seed(0)
    return VolumeEncoder((8, 12, 9), 2, (4, 6), latents, output_skips, segmentation_channels, nn.SiLU)


@given(st.tuples(*[st.integers(1, 300)] * 3), st.integers(0, 6))
def test_the_lowest_grid_is_what_pooling_leaves(shape: Shape, blocks: int) -> None:
    expected = shape
    for _ in range(blocks):
        expected = (expected[0] // 2, expected[1] // 2, expected[2] // 2)
    assert lowest_grid(shape, blocks) == expected


@pytest.mark.parametrize("outputs", [0, 1, 4])
@pytest.mark.parametrize(("shape", "channels", "grid"), PAPER, ids=["BraTS", "LiTS"])
def test_shapes_at_the_papers_resolutions(shape: Shape, channels: tuple[int, ...], grid: Shape, outputs: int) -> None:
    latents = 6 if outputs else 1
    with torch.device("meta"):
        encoder = VolumeEncoder(shape, 4, channels, latents, outputs > 0, outputs, PadeActivationUnit)
        encoding = encoder(torch.empty(2, 4, *shape))
    assert encoding.latents.shape == (2, latents, math.prod(grid))
    if outputs:
        assert encoding.segmentation is not None
        assert encoding.segmentation.shape == (2, outputs, *grid)
    else:
        assert encoding.segmentation is None


def test_a_block_without_its_main_path_is_the_pooled_skip() -> None:
    block, x = ResidualBlock(3, 3, nn.ReLU).eval(), normal(1, 3, 4, 6, 5)
    nn.init.zeros_(block.main[-1].weight)
    assert isinstance(block.skip, nn.Identity)
    assert_close(block(x), F.relu(F.avg_pool3d(x, 2)))
    wider = ResidualBlock(3, 4, nn.ReLU).eval()
    nn.init.zeros_(wider.main[-1].weight)
    weight = wider.skip.weight.flatten(1)
    assert_close(wider(x), F.relu(torch.einsum("oi,bihwd->bohwd", weight, F.avg_pool3d(x, 2))))


def test_an_output_skip_takes_maxima_and_halves_the_channels() -> None:
    skip = OutputSkip(4, (2, 2, 1), nn.Identity).eval()
    nn.init.zeros_(skip.convolution.weight)
    with torch.no_grad():
        for output in range(2):  # Pass channels 0 and 1 through.
            skip.convolution.weight[output, output, 2, 2, 2] = 1
    x = normal(1, 4, 4, 8, 3)
    assert_close(skip(x), F.max_pool3d(x, (2, 4, 3))[:, :2], atol=1e-4, rtol=0)


def test_one_latent_is_the_head_of_the_last_block() -> None:
    encoder, volume = small().eval(), normal(2, 2, 8, 12, 9)
    features = encoder.blocks[1](encoder.blocks[0](volume))
    assert_close(encoder(volume).latents.view(2, 1, 2, 3, 2), encoder.head(features))


def test_output_skips_bring_every_block_into_every_latent() -> None:
    encoder, volume = small(latents=3, output_skips=True, segmentation_channels=1).eval(), normal(1, 2, 8, 12, 9)
    assert encoder.head[0].in_channels == (4 + 6) // 2
    outputs: list[Tensor] = []
    for skip in encoder.skips:
        skip.register_forward_hook(lambda _module, _inputs, output: outputs.append(output))
    latents = encoder(volume).latents
    assert latents.shape == (1, 3, 12)
    assert [output.shape for output in outputs] == [(1, 2, 2, 3, 2), (1, 3, 2, 3, 2)]
    for latent in latents[0]:
        for gradient in torch.autograd.grad(latent.sum(), outputs, retain_graph=True):
            assert gradient.any()


def test_the_segmentation_reads_the_last_block_alone() -> None:
    encoder, volume = small(3, True, 1).eval(), normal(1, 2, 8, 12, 9)
    features = encoder.blocks[1](encoder.blocks[0](volume))
    segmentation = encoder(volume).segmentation
    assert segmentation is not None
    assert_close(segmentation, F.conv3d(features, encoder.segmentation.weight, padding=2))


def test_samples_are_encoded_on_their_own() -> None:
    encoder, volumes = small(3, True, 1).eval(), normal(3, 2, 8, 12, 9)
    assert_close(encoder(volumes).latents[1:2], encoder(volumes[1:2]).latents)
