import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.testing import assert_close

from ossnet.network.patch_encoder import PatchConvolution, PatchEncoder


def as_convolution(convolution: PatchConvolution, patches: Tensor) -> Tensor:
    """What a convolution makes of patches [n, s, s, s, C] with zeros around them, channels last again."""
    out = F.conv3d(patches.movedim(-1, 1), convolution.weight, convolution.bias, padding=convolution.size // 2)
    return out.movedim(1, -1)


def normal(*shape: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("size", [1, 3, 5])
@pytest.mark.parametrize("channels", [(1, 1), (3, 2), (2, 4)])
def test_it_is_a_convolution_gradients_included(size: int, channels: tuple[int, int]) -> None:
    convolution = PatchConvolution(*channels, size).double()
    patches = normal(4, size, size, size, channels[0]).requires_grad_()
    product = convolution(patches.flatten(1)).view(4, size, size, size, channels[1])
    expected = as_convolution(convolution, patches)
    assert_close(product, expected)
    weights, leaves = normal(*product.shape), (patches, convolution.weight, convolution.bias)
    for ours, plain in zip(
        torch.autograd.grad((weights * product).sum(), leaves),
        torch.autograd.grad((weights * expected).sum(), leaves),
        strict=True,
    ):
        assert_close(ours, plain)


def test_a_patch_of_the_paper() -> None:
    convolution = PatchConvolution(8, 4, 7).double()
    patches = normal(2, 7, 7, 7, 8)
    assert convolution.matrix().shape == (343 * 8, 343 * 4)
    assert_close(convolution(patches.flatten(1)).view(2, 7, 7, 7, 4), as_convolution(convolution, patches))


def test_the_matrix_by_hand() -> None:
    convolution = PatchConvolution(1, 1, 3)
    nn.init.zeros_(convolution.weight)
    with torch.no_grad():
        convolution.weight[0, 0, 1, 1, 0] = 1  # Each output takes the input one place before it along the last axis.
    matrix = convolution.matrix().view(9, 3, 9, 3)
    step = torch.tensor([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0]])
    assert torch.equal(matrix, torch.einsum("ij,kl->ikjl", torch.eye(9), step))


@pytest.mark.parametrize(("channels", "hidden"), [(1, 1), (2, 1), (3, 1), (4, 2), (8, 4)])
def test_two_convolutions_to_one_number_a_position(channels: int, hidden: int) -> None:
    encoder = PatchEncoder(channels, 3, nn.SiLU).double()
    first, second = encoder.layers[0], encoder.layers[2]
    assert (first.out_channels, second.out_channels) == (hidden, 1)
    patches = normal(5, 3, 3, 3, channels)
    expected = F.silu(as_convolution(second, F.silu(as_convolution(first, patches))))
    assert_close(encoder(patches), expected.flatten(1))


def test_no_patches_give_no_vectors() -> None:
    assert PatchEncoder(2, 3, nn.ReLU)(torch.empty(0, 3, 3, 3, 2)).shape == (0, 27)
