from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from baselines.unet3d import UNet3d, UNet3dConfig
from ossnet.errors import UserError
from ossnet.model import Batch, VoxelisedModel

MakeBatch = Callable[[Tensor, Tensor], Batch]
Learn = Callable[..., tuple[float, float]]


def small(**changes: object) -> UNet3d:
    torch.manual_seed(0)
    sizes = {"shape": (8, 6, 5), "modalities": 2, "encoder_channels": (4, 8), "decoder_channels": (4,), "groups": 2}
    return UNet3d(UNet3dConfig(**(sizes | changes)))


def image(*grid: int) -> Tensor:
    return torch.randn(2, *grid, generator=torch.Generator().manual_seed(1))


def test_the_defaults_are_the_papers() -> None:
    config = UNet3dConfig(shape=(256, 256, 160), modalities=4)
    assert config.encoder_channels == (8, 32, 128, 384)
    assert config.decoder_channels == (128, 32, 8)


@pytest.mark.parametrize("classes", [2, 3])
def test_an_untold_model_loses_the_logarithm_of_its_classes(classes: int, batch_of: MakeBatch) -> None:
    model = small(classes=classes)
    for parameter in model.unet.head.parameters():
        torch.nn.init.zeros_(parameter)
    labels = torch.zeros(2, 8, 6, 5, dtype=torch.uint8)
    labels[:, 2:] = 1
    loss = model.loss(batch_of(torch.stack([image(8, 6, 5)] * 2), labels), torch.Generator())
    assert loss.item() == pytest.approx(torch.tensor(float(classes)).log().item())


@pytest.mark.parametrize("classes", [2, 3])
def test_segment_says_what_the_field_says_after_resizing(classes: int) -> None:
    model = small(classes=classes, training_shape=(4, 3, 4)).eval()
    volume = image(8, 6, 5)
    field = model.field(volume)
    assert (field.shape, field.classes, field.prior) == ((8, 6, 5), classes, None)
    segmentation = model.segment(volume.numpy())
    assert segmentation.dtype == torch.uint8
    assert torch.equal(segmentation, super(VoxelisedModel, model).segment(volume, max_locations=50))
    if classes == 3:
        torch.testing.assert_close(field.probabilities.sum(0), torch.ones(8, 6, 5))


def test_a_training_shape_resizes_image_and_label_alike(batch_of: MakeBatch) -> None:
    """Doubling by repetition is undone by the nearest label, and by trilinear halving, which averages equal pairs."""
    small_image, label = image(4, 3, 2), torch.arange(24, dtype=torch.uint8).reshape(4, 3, 2) % 2
    large_image, large_label = small_image, label
    for axis in (-3, -2, -1):
        large_image = large_image.repeat_interleave(2, axis)
        large_label = large_label.repeat_interleave(2, axis)
    native, resized = small(), small(training_shape=(4, 3, 2))
    expected = native.loss(batch_of(small_image[None], label[None]), torch.Generator())
    actual = resized.loss(batch_of(large_image[None], large_label[None]), torch.Generator())
    torch.testing.assert_close(actual, expected)


def test_it_learns_from_all_voxels_of_the_training_grid() -> None:
    assert small().learned_per_case(7) == 8 * 6 * 5
    assert small(training_shape=(4, 3, 2)).learned_per_case(7) == 4 * 3 * 2


def test_it_learns_a_sphere(learn_sphere: Learn) -> None:
    torch.manual_seed(0)
    sizes = {"encoder_channels": (8, 16, 32), "decoder_channels": (16, 8)}
    loss, right = learn_sphere(UNet3d(UNet3dConfig(shape=(16, 16, 16), modalities=1, **sizes)), cases=2, steps=30)
    assert loss < 0.05
    assert right > 0.98


def test_images_are_of_any_grid_but_of_the_models_channels() -> None:
    model = small().eval()
    assert model.segment(image(9, 7, 6)).shape == (9, 7, 6)
    for ask in (model.segment, model.field):
        with pytest.raises(UserError, match=r"this model takes \[2, H, W, D\]"):
            ask(torch.zeros(3, 9, 7, 6))
