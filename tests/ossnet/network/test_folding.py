import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from ossnet.network.decoder import DecoderBlock, NormalizationName
from ossnet.network.folding import fold_block, split_convolution
from ossnet.network.patches import PatchConvolution


def normal(*shape: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(sum(shape)))


def test_a_norm_in_a_layer_by_hand() -> None:
    block = DecoderBlock(1, 1, 1, "scalar", nn.ReLU).double().eval()
    for layer, weight, bias in ((block.linear1, 3.0, 1.0), (block.norm1.gamma, 2.0, 1.0), (block.norm1.beta, 0.5, 0.0)):
        nn.init.constant_(layer.weight, weight)
        nn.init.constant_(layer.bias, bias)
    nn.init.constant_(block.norm1.norm.running_mean, 5.0)
    nn.init.constant_(block.norm1.norm.running_var, 4.0 - 1e-5)
    # For latent 4: gamma 9, beta 2, and the standard deviation is 2: 9 (3 x + 1 - 5) / 2 + 2.
    first, _ = fold_block(block, torch.tensor([4.0], dtype=torch.float64))
    assert_close(first.weight.item(), 13.5)
    assert_close(first.bias.item(), -16.0)


@pytest.mark.parametrize("normalization", ["scalar", "feature"])
def test_a_folded_block_is_the_block(normalization: NormalizationName) -> None:
    block = DecoderBlock(6, 6, 3, normalization, nn.SiLU).double().eval()
    for parameter in [*block.parameters(), block.norm1.norm.running_mean, block.norm2.norm.running_mean]:
        nn.init.normal_(parameter)
    x, latent = normal(5, 6), normal(3)
    first, second = fold_block(block, latent)
    hidden = nn.functional.silu(first.weight @ x.T + first.bias)
    ours = nn.functional.silu(second.weight @ hidden + second.bias + x.T)
    assert_close(ours.T, block(x[None], latent[None])[0])


@pytest.mark.parametrize("size", [1, 3, 5])
def test_products_of_planes_are_the_convolution(size: int) -> None:
    convolution = PatchConvolution(2, 3, size).double()
    patches = normal(4, size, size, size, 2)
    columns = patches.flatten(1).T
    products = split_convolution(convolution)
    result = torch.cat([product.weight @ columns[product.columns] for product in products])
    assert_close(result.T, convolution(patches.flatten(1)) - convolution.bias.repeat(size**3))


def test_planes_beyond_reach_are_left_out() -> None:
    products = split_convolution(PatchConvolution(1, 1, 7))
    # Planes 0 and 1 take from 0 to 4, planes 2 and 3 from all, planes 4 and 5 from 1 to 6, and plane 6 from 3 to 6.
    columns = [(product.columns.start // 49, product.columns.stop // 49) for product in products]
    assert columns == [(0, 5), (0, 7), (1, 7), (3, 7)]
    assert [product.rows.stop // 49 for product in products] == [2, 4, 6, 7]
