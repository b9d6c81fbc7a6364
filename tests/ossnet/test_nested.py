"""Nested regions: from logits to classes and back, and their loss, by hand."""

import math

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from ossnet.field import VoxelField, labels_of, labels_of_logits, logits_of
from ossnet.losses import class_loss, class_probabilities, mean_over_regions, probabilities
from ossnet.nested import class_of, is_nested, nest, regions_of

LOG3 = math.log(3)


def loss_of_mask(logits: Tensor, mask: Tensor) -> Tensor:
    return class_loss(logits, mask[:, 0])


def test_the_number_of_values_tells_regions_from_classes() -> None:
    assert is_nested(torch.zeros(5, 3), classes=4)
    assert not is_nested(torch.zeros(5, 4), classes=4)
    assert is_nested(torch.zeros(2, 5), classes=3, dim=0)
    # One location of two classes.
    assert not is_nested(torch.zeros(1), classes=2)


def test_a_location_outside_an_outer_region_is_outside_all_inner_ones() -> None:
    occupancies = torch.tensor([[0.9, 0.2, 0.8], [0.4, 0.9, 0.9], [0.9, 0.8, 0.7], [0.9, 0.6, 0.5]])
    nested = nest(occupancies.clone(), dim=-1)
    assert_close(nested, torch.tensor([[0.9, 0.2, 0.2], [0.4, 0.4, 0.4], [0.9, 0.8, 0.7], [0.9, 0.6, 0.5]]))
    assert labels_of(nested, 4).tolist() == [1, 0, 3, 2]
    assert torch.equal(nest(occupancies.T.clone(), dim=0), nested.T)


@pytest.mark.parametrize("shape", [(2, 7), (2, 3, 4, 5)])
def test_classes_are_in_as_many_regions_and_come_back(shape: tuple[int, ...]) -> None:
    classes = torch.randint(0, 4, shape, generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    regions = regions_of(classes, 3)
    assert regions.shape == (2, 3, *shape[1:])
    assert torch.equal(class_of(regions.float().movedim(1, -1)), classes)


def test_probabilities_by_hand() -> None:
    logits = torch.tensor([[LOG3, 0.0, LOG3], [0.0, LOG3, -LOG3]])
    occupancies = torch.tensor([[0.75, 0.5, 0.5], [0.5, 0.5, 0.25]])
    assert_close(probabilities(logits, dim=-1, classes=4), occupancies)
    of_classes = torch.tensor([[0.25, 0.25, 0.0, 0.5], [0.5, 0.0, 0.25, 0.25]])
    assert_close(class_probabilities(logits, dim=-1, classes=4), of_classes)
    assert_close(class_probabilities(logits.T[None], dim=1, classes=4), of_classes.T[None])
    # Without nested regions they are the probabilities.
    assert_close(class_probabilities(logits, dim=-1, classes=3), logits.softmax(-1))
    assert_close(class_probabilities(logits[:, :1], dim=-1, classes=2), torch.tensor([0.75, 0.5]))


def test_the_loss_is_the_mean_of_the_binary_losses_of_the_regions() -> None:
    logits = torch.tensor([[[LOG3, -LOG3], [LOG3, 0.0]]])  # [B, regions, n]
    classes = torch.tensor([[2, 0]], dtype=torch.uint8)
    # Region 1: 3/4 for inside, 3/4 for outside. Region 2: 3/4 for inside, 1/2 for outside.
    terms = [-math.log(p) for p in (3 / 4, 3 / 4, 3 / 4, 1 / 2)]
    assert class_loss(logits, classes, classes=3).item() == pytest.approx(sum(terms) / 4)
    weights = torch.tensor([[2.0, 0.5]])
    weighted = (2 * terms[0] + terms[1] / 2 + 2 * terms[2] + terms[3] / 2) / 4
    assert class_loss(logits, classes, weights, classes=3).item() == pytest.approx(weighted)
    assert mean_over_regions(loss_of_mask, logits, classes).item() == pytest.approx(sum(terms) / 4)


def test_a_single_region_is_the_foreground_of_two_classes() -> None:
    logits, labels = torch.randn(2, 1, 9, generator=torch.Generator().manual_seed(0)), torch.ones(2, 9)
    assert_close(class_loss(logits, labels, classes=2), class_loss(logits, labels))
    assert_close(mean_over_regions(loss_of_mask, logits, labels), class_loss(logits, labels))


@pytest.mark.parametrize("regions", [2, 3])
def test_a_field_of_voxels_has_regions_if_it_is_told_so(regions: int) -> None:
    values = nest(torch.rand(regions, 4, 3, 5, generator=torch.Generator().manual_seed(0)), dim=0)
    field = VoxelField(values, regions + 1)
    voxels = torch.cartesian_prod(*map(torch.arange, field.shape))
    assert (field.classes, field(voxels).shape) == (regions + 1, (60, regions))
    assert torch.equal(labels_of(field(voxels), field.classes), (values > 0.5).sum(0).flatten().to(torch.uint8))
    logits = field.logits(voxels)
    assert_close(logits, logits_of(field(voxels), field.classes))
    assert torch.equal(labels_of_logits(logits, field.classes), labels_of(field(voxels), field.classes))
    # Interpolation keeps the regions nested.
    between = field(voxels * 0.7)
    assert (between.diff(dim=-1) <= 0).all()
