from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from ossnet.memory.accounting import StorageAccount
from ossnet.network.patch_reader import PatchReader
from ossnet.network.patches import PatchVolume, Pooling


def image(*shape: int) -> Tensor:
    return torch.randn(2, *shape, generator=torch.Generator().manual_seed(0))


def voxels(shape: tuple[int, ...]) -> Tensor:
    return torch.cartesian_prod(*(torch.arange(-1, size + 1) for size in shape))


# In a volume of 3 voxels along an axis, every patch of 7 reaches beyond it.
@pytest.mark.parametrize("shape", [(6, 9, 7), (10, 3, 16), (20, 18, 17)])
@pytest.mark.parametrize("size", [1, 3, 7])
@pytest.mark.parametrize("pooling", [None, "average", "max"])
def test_the_patches_of_a_padded_volume(shape: tuple[int, ...], size: int, pooling: Pooling | None) -> None:
    volume, context = image(*shape), (pooling is not None, pooling or "average")
    reader, padded = PatchReader(volume, size, *context), PatchVolume(volume, size, *context)
    integer = voxels(shape)[::5]
    fractional = (integer + torch.tensor([0.25, 0.5, 0.875])).minimum(torch.tensor(shape))
    for locations in (integer, fractional):
        # The channels are behind a patch's first axis.
        assert_close(reader(locations).permute(0, 1, 3, 4, 2), padded(locations))


VIEWS: dict[str, Callable[[Tensor], Tensor]] = {
    "part": lambda x: x[..., 1:-2],
    "transposed": lambda x: x.transpose(1, 3),
    "channels last": lambda x: x.movedim(0, -1).clone().movedim(-1, 0),
}


@pytest.mark.parametrize("view", VIEWS)
def test_an_image_may_have_any_strides(view: str) -> None:
    volume = VIEWS[view](image(12, 11, 13))
    locations = voxels(volume.shape[1:])
    assert torch.equal(PatchReader(volume, 3)(locations), PatchReader(volume.contiguous(), 3)(locations))


def test_the_image_is_neither_changed_nor_copied() -> None:
    volume, kept = image(99, 99, 99), image(99, 99, 99)
    locations = voxels((99, 99, 99))[:300].clone()
    with StorageAccount() as account:
        reader = PatchReader(volume, 3, True)
        reader(locations)
    assert torch.equal(volume, kept)
    assert account.live_bytes <= volume.nbytes + locations.nbytes  # Views count as what they are views of.
    assert account.peak_bytes < 1.5 * volume.nbytes


def test_no_locations_give_no_patches() -> None:
    assert PatchReader(image(6, 6, 6), 3, True)(torch.empty(0, 3, dtype=torch.int64)).shape == (0, 3, 4, 3, 3)
