from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from baselines.unet2d import UNet2d, UNet2dConfig, UNet2dDepth, UNet2dHeight, UNet2dWidth
from ossnet.data.slices import Slicing
from ossnet.model import Batch

Learn = Callable[..., tuple[float, float]]

ORIENTATIONS = [UNet2dHeight, UNet2dWidth, UNet2dDepth]


def small(kind: type[UNet2d], **changes: object) -> UNet2d:
    torch.manual_seed(0)
    sizes = {"shape": (8, 6, 5), "modalities": 2, "encoder_channels": (4, 8), "decoder_channels": (4,), "groups": 2}
    return kind(UNet2dConfig(**(sizes | changes)))


def image(*grid: int) -> Tensor:
    return torch.randn(2, *grid, generator=torch.Generator().manual_seed(1))


def test_the_defaults_are_the_papers() -> None:
    config = UNet2dConfig(shape=(256, 256, 160), modalities=4)
    assert config.encoder_channels == (128, 256, 384, 512, 640)
    assert config.decoder_channels == (512, 384, 256, 128)


@pytest.mark.parametrize(("kind", "axis", "pixels"), [*zip(ORIENTATIONS, range(3), (30, 40, 48), strict=True)])
def test_it_learns_from_slices_of_its_orientation(kind: type[UNet2d], axis: int, pixels: int) -> None:
    model = small(kind, slices_per_case=3)
    assert model.slicing == Slicing(axis, 3)
    assert model.learned_per_case(7) == 3 * pixels


@pytest.mark.parametrize("kind", ORIENTATIONS)
def test_a_change_in_one_slice_stays_in_it(kind: type[UNet2d]) -> None:
    model, volume = small(kind), image(8, 6, 5)
    changed = volume.clone()
    changed.select(model.slice_axis + 1, 3).neg_()
    differs = (model.predict(volume) - model.predict(changed)).abs() > 1e-4
    other_axes = [axis for axis in range(3) if axis != model.slice_axis]
    assert differs.any(dim=other_axes[1]).any(dim=other_axes[0]).nonzero().flatten().tolist() == [3]


def test_orientations_are_one_network_on_turned_volumes() -> None:
    height, width, depth = (small(kind) for kind in ORIENTATIONS)
    volume = image(8, 6, 5)
    expected = height.predict(volume)
    torch.testing.assert_close(width.predict(volume.movedim(1, 2)).movedim(1, 0), expected, rtol=0, atol=1e-5)
    torch.testing.assert_close(depth.predict(volume.movedim(1, 3)).movedim(2, 0), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("max_slices", [1, 3, 100])
def test_slices_a_pass_do_not_change_the_answer(max_slices: int) -> None:
    volume = image(8, 6, 5)
    expected = small(UNet2dHeight).predict(volume)
    actual = small(UNet2dHeight, max_slices=max_slices).predict(volume)
    torch.testing.assert_close(actual, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("kind", ORIENTATIONS)
def test_all_slices_give_the_loss_of_the_whole_prediction(
    kind: type[UNet2d], batch_of: Callable[[Tensor, Tensor], Batch]
) -> None:
    label = (image(8, 6, 5)[0] > 0).to(torch.uint8)
    model = small(kind)
    loss = model.loss(batch_of(image(8, 6, 5)[None], label[None]), torch.Generator().manual_seed(0))
    expected = torch.nn.functional.binary_cross_entropy(model.predict(image(8, 6, 5)), label.float())
    torch.testing.assert_close(loss, expected, rtol=1e-4, atol=1e-5)


def test_it_learns_a_sphere(learn_sphere: Learn) -> None:
    torch.manual_seed(0)
    sizes = {"encoder_channels": (8, 16, 32), "decoder_channels": (16, 8)}
    loss, right = learn_sphere(UNet2dDepth(UNet2dConfig(shape=(16, 16, 16), modalities=1, **sizes)), cases=1, steps=60)
    assert loss < 0.1
    assert right > 0.97
