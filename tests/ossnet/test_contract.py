"""What every model of the registry keeps, whatever its kind."""

import io
from functools import cache
from typing import NamedTuple

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from ossnet.config import build, plain
from ossnet.errors import UserError
from ossnet.field import labels_of, labels_of_logits
from ossnet.inference.extraction import EXTRACTORS
from ossnet.model import Batch, Draw, SegmentationModel
from ossnet.registry import model_names, model_type

UNET = {"encoder_channels": (4, 8), "decoder_channels": (4,), "groups": 2}
TINY = {
    "occupancy": {"encoder_channels": (4, 6), "patch_size": 3, "decoder_width": 16, "decoder_blocks": 2},
    "unet3d": UNET,
    "unet2d": UNET,
    "iosnet": {"encoder_channels": (4, 6), "decoder_width": 16, "location": True, "neighbours": True},
    "hnoseg-xs": {"filters": 4},
    "segresnet": {"init_filters": 8, "window": (16, 16, 16)},
}
"""Sizes that make a model of each family quick."""


SHAPE = (15, 17, 21)
"""Grid of the images, of which no edge can be halved."""


class Size(NamedTuple):
    modalities: int
    classes: int
    nested: bool = False


SIZES = [Size(1, 4), Size(3, 2)]
NESTED = Size(1, 4, nested=True)

pytestmark = pytest.mark.parametrize("name", model_names())
sizes = pytest.mark.parametrize("size", SIZES, ids=str)


def make(name: str, size: Size, seed: int = 0) -> SegmentationModel:
    kind = model_type(name)
    torch.manual_seed(seed)
    return kind(build(kind.config_type, TINY[kind.family] | kind.preset | {"shape": SHAPE, **size._asdict()}, name))


@cache
def trained(name: str, size: Size) -> tuple[SegmentationModel, list[float]]:
    """A model after a few steps on one batch, in evaluation mode, and the loss before each step."""
    model, batch = make(name, size), batch_of(size)
    optimiser = torch.optim.Adam(model.parameters(), lr=3e-3)
    losses = []
    for _ in range(8):
        optimiser.zero_grad()
        loss = model.loss(batch, torch.Generator().manual_seed(0))
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return model.eval(), losses


@cache
def segmented(name: str, size: Size) -> Tensor:
    model, _ = trained(name, size)
    return model.segment(image_of(size).numpy())


def image_of(size: Size) -> Tensor:
    return torch.randn(size.modalities, *SHAPE, generator=torch.Generator().manual_seed(1))


def batch_of(size: Size) -> Batch:
    """Two cases whose label is a threshold on their first modality."""
    images = torch.stack([image_of(size), -image_of(size)])
    labels = ((images[:, 0] + 2) * size.classes / 4).clamp(0, size.classes - 1).to(torch.uint8)
    edges = torch.tensor(SHAPE)
    return Batch(images, labels, lambda generator: Draw((torch.rand(2, 64, 3, generator=generator) * edges).long()))


def some_locations() -> Tensor:
    """Coordinates [100, 3] between voxels, the corners of the volume among them."""
    drawn = torch.rand(92, 3, generator=torch.Generator().manual_seed(2))
    return torch.cat([torch.cartesian_prod(*[torch.arange(2.0)] * 3), drawn]) * (torch.tensor(SHAPE) - 1)


@sizes
def test_training_lowers_a_finite_loss(name: str, size: Size) -> None:
    _, losses = trained(name, size)
    assert torch.tensor(losses).isfinite().all()
    assert losses[-1] < losses[0]


@sizes
def test_every_parameter_learns(name: str, size: Size) -> None:
    model, _ = trained(name, size)
    model.zero_grad()
    loss = model.loss(batch_of(size), torch.Generator().manual_seed(0))
    assert loss.shape == ()
    loss.backward()
    for parameter_name, parameter in model.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert parameter.grad.isfinite().all(), parameter_name
        assert parameter.grad.any(), parameter_name


@sizes
def test_loss_draws_from_its_generator_alone(name: str, size: Size) -> None:
    model, _ = trained(name, size)
    state = torch.get_rng_state()
    first, second = (model.loss(batch_of(size), torch.Generator().manual_seed(5)) for _ in range(2))
    assert torch.equal(first, second)
    assert torch.equal(torch.get_rng_state(), state)


@sizes
@pytest.mark.parametrize("whole", [True, False], ids=["voxels", "between"])
def test_occupancy_is_a_probability_whatever_the_passes(name: str, size: Size, whole: bool) -> None:
    model, _ = trained(name, size)
    locations = some_locations().long() if whole else some_locations()
    answers = [model.occupancy(image_of(size), locations, max_locations) for max_locations in (7, 1000)]
    assert_close(*answers, atol=1e-5, rtol=0)
    occupancy = answers[0]
    assert occupancy.dtype == torch.float32
    assert occupancy.shape == ((100,) if size.classes == 2 else (100, size.classes))
    assert ((occupancy >= 0) & (occupancy <= 1)).all()
    assert len(occupancy.unique()) > 10
    if size.classes > 2:
        assert_close(occupancy.sum(-1), torch.ones(100))


@sizes
def test_whole_coordinates_are_voxels(name: str, size: Size) -> None:
    model, _ = trained(name, size)
    voxels = some_locations().long()
    for dtype in (torch.float32, torch.float64):
        between = model.occupancy(image_of(size), voxels.to(dtype))
        assert_close(between, model.occupancy(image_of(size), voxels), atol=1e-5, rtol=0)


@sizes
def test_segment_is_what_occupancy_says_at_every_voxel(name: str, size: Size) -> None:
    model, _ = trained(name, size)
    segmentation = segmented(name, size)
    assert (segmentation.shape, segmentation.dtype) == (SHAPE, torch.uint8)
    voxels = torch.cartesian_prod(*(torch.arange(edge) for edge in SHAPE))
    assert torch.equal(segmentation.flatten(), labels_of(model.occupancy(image_of(size), voxels), size.classes))


@sizes
def test_the_field_describes_itself(name: str, size: Size) -> None:
    model, _ = trained(name, size)
    field = model.field(image_of(size))
    assert (field.shape, field.classes, field.device.type) == (SHAPE, size.classes, "cpu")
    assert field.prior is None or len(field.prior.shape) == (3 if size.classes == 2 else 4)
    assert not field(some_locations()).requires_grad
    assert field(torch.empty(0, 3)).shape == ((0,) if size.classes == 2 else (0, size.classes))


def test_nested_regions_are_learned_and_stay_nested_whatever_the_passes(name: str) -> None:
    model, losses = trained(name, NESTED)
    assert losses[-1] < losses[0]
    voxels = torch.cartesian_prod(*(torch.arange(edge) for edge in SHAPE))
    whole, parts = (model.occupancy(image_of(NESTED), voxels, count) for count in (10**4, 1000))
    assert_close(whole, parts, atol=1e-5, rtol=0)
    assert whole.shape == (len(voxels), 3)
    assert ((whole >= 0) & (whole <= 1)).all()
    assert (whole.diff(dim=-1) <= 0).all()
    segmentation = model.segment(image_of(NESTED))
    assert torch.equal(segmentation.flatten().long(), (whole > 0.5).sum(-1))
    field = model.field(image_of(NESTED))
    assert torch.equal(labels_of_logits(field.logits(voxels), 4), segmentation.flatten())


def test_weights_follow_from_the_seed(name: str) -> None:
    first, same, other = (make(name, SIZES[0], seed).state_dict() for seed in (3, 3, 4))
    assert all(torch.equal(first[key], same[key]) for key in first)
    assert not all(torch.equal(first[key], other[key]) for key in first)


@sizes
def test_a_state_dict_is_the_whole_model(name: str, size: Size) -> None:
    model, _ = trained(name, size)
    file = io.BytesIO()
    torch.save(model.state_dict(), file)
    file.seek(0)
    restored = make(name, size, seed=1).eval()
    restored.load_state_dict(torch.load(file, weights_only=True))
    answers = [m.occupancy(image_of(size), some_locations()) for m in (model, restored)]
    assert torch.equal(*answers)


@sizes
def test_every_tensor_is_made_where_the_image_is(name: str, size: Size) -> None:
    model, _ = trained(name, size)
    expected = model.occupancy(image_of(size), some_locations()), segmented(name, size)
    image, locations = image_of(size), some_locations()
    # Whatever is made without a word on the device would come to lie on another one than the image.
    with torch.device("meta"):
        answers = model.occupancy(image, locations), model.segment(image)
    assert [answer.device.type for answer in answers] == ["cpu", "cpu"]
    assert all(map(torch.equal, answers, expected))


def test_it_can_be_made_without_memory(name: str) -> None:
    with torch.device("meta"):
        model = make(name, SIZES[0])
    assert all(parameter.is_meta for parameter in model.parameters())


def test_its_class_says_what_the_suite_asks(name: str) -> None:
    kind = model_type(name)
    assert kind.family in TINY
    assert kind.extraction in EXTRACTORS


def test_a_configuration_is_plain_values_of_known_fields(name: str) -> None:
    config = make(name, SIZES[1]).config
    assert build(type(config), plain(config), name) == config
    with pytest.raises(UserError, match="widht"):
        build(type(config), plain(config) | {"widht": 3}, name)


def test_parameter_groups_hold_every_parameter_once(name: str) -> None:
    model = make(name, SIZES[0])
    groups = model.parameter_groups()
    assert set(groups) == {"weights", "activation"}
    assert sorted(id(p) for group in groups.values() for p in group) == sorted(id(p) for p in model.parameters())
