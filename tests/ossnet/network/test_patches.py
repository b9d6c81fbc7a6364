import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.testing import assert_close

from ossnet.memory.accounting import StorageAccount
from ossnet.network.patches import PatchConvolution, PatchEncoder, PatchVolume, Pooling

SHAPE = (6, 9, 7)


def image(channels: int = 2) -> Tensor:
    return torch.randn(channels, *SHAPE, generator=torch.Generator().manual_seed(0))


def voxels(outside: int = 0) -> Tensor:
    return torch.cartesian_prod(*(torch.arange(-outside, size + outside) for size in SHAPE))


def box(volume: Tensor, start: list[int], edge: int) -> Tensor:
    """The box [C, edge, edge, edge] of a volume [C, H, W, D] from voxel `start` on, zero outside."""
    i, j, k = (x + edge for x in start)
    return F.pad(volume, [edge] * 6)[:, i : i + edge, j : j + edge, k : k + edge]


def expected_patch(volume: Tensor, voxel: list[int], size: int, pooling: str | None) -> Tensor:
    patch = box(volume, [x - size // 2 for x in voxel], size)
    if pooling is not None:
        pool = {"average": F.avg_pool3d, "max": F.max_pool3d}[pooling]
        patch = torch.cat([patch, pool(box(volume, [x - size for x in voxel], 2 * size), 2)])
    return patch.movedim(0, -1)


@pytest.mark.parametrize("pooling", [None, "average", "max"])
@pytest.mark.parametrize("size", [1, 3, 7])
def test_patches_hold_the_voxels_around_each_place(size: int, pooling: str | None) -> None:
    volume, places = image(), voxels(outside=1)[::7]  # Two opposite corners are among them.
    patches = PatchVolume(volume, size, pooling is not None, pooling or "average")
    expected = [expected_patch(volume, place, size, pooling) for place in places.tolist()]
    assert_close(patches(places), torch.stack(expected))


def test_the_larger_context_reaches_from_seven_before_to_six_after() -> None:
    volume = torch.zeros(1, 1, 1, 40)
    volume[..., 20] = 8.0
    context = PatchVolume(volume, 7, larger_context=True)(torch.tensor([[0, 0, place] for place in range(40)]))[..., 1]
    seen = context.flatten(1).any(-1).nonzero().flatten().tolist()
    assert seen == list(range(20 - 6, 20 + 7 + 1))
    assert_close(context[20, 3, 3, 3], torch.tensor(1.0))  # Voxels -1 and 0 along each axis: one of eight is 8.


@pytest.mark.parametrize("dtype", [torch.float32, torch.int32, torch.int8, torch.uint8, torch.uint16])
def test_whole_coordinates_of_any_type_are_voxels(dtype: torch.dtype) -> None:
    patches = PatchVolume(image(), 3, larger_context=True)
    places = voxels(outside=1 if dtype == torch.float32 else 0)
    assert torch.equal(patches(places.to(dtype)), patches(places))


@given(st.tuples(*(st.floats(-1, size) for size in SHAPE)))
def test_a_patch_in_between_is_the_trilinear_mean_of_its_eight_neighbours(point: tuple[float, float, float]) -> None:
    patches, location = PatchVolume(image(), 3, larger_context=True), torch.tensor([point], dtype=torch.float64)
    corner = location.floor()
    expected = torch.zeros(3, 3, 3, 4, dtype=torch.float64)
    for offset in torch.cartesian_prod(*[torch.arange(2)] * 3):
        weight = (1 - (location - corner - offset).abs()).prod()
        if weight > 0:
            expected += weight * patches(corner.long() + offset)[0]
    assert_close(patches(location)[0].double(), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    "place",
    [
        *map(torch.tensor, ([-2, 0, 0], [0, 0, 8], [0, 9.01, 0], [-1.01, 0, 0], [float("nan"), 0, 0])),
        torch.tensor([0, 0, 255], dtype=torch.uint8),
    ],
    ids=str,
)
def test_further_outside_is_an_error(place: Tensor) -> None:
    with pytest.raises(ValueError, match="more than one voxel outside the volume"):
        PatchVolume(image(), 3)(torch.stack([torch.ones_like(place), place]))


@pytest.mark.parametrize("dtype", [torch.int64, torch.float32])
def test_no_locations_give_no_patches(dtype: torch.dtype) -> None:
    assert PatchVolume(image(), 3, True)(torch.empty(0, 3, dtype=dtype)).shape == (0, 3, 3, 3, 4)


def test_the_image_is_left_as_it_is() -> None:
    volume, kept = image(), image()
    PatchVolume(volume, 3, True)(voxels())
    assert torch.equal(volume, kept)


@pytest.mark.parametrize("pooling", ["average", "max"])
def test_making_takes_little_more_than_what_is_kept(pooling: Pooling) -> None:
    volume = torch.zeros(2, 200, 20, 20)
    with StorageAccount() as account:
        patches = PatchVolume(volume, 3, True, pooling)
    kept = volume.nbytes + sum(source.nbytes for source, *_ in patches.sources)
    assert account.live_bytes == kept
    assert account.peak_bytes < 1.2 * kept


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
