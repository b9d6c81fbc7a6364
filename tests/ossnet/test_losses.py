import math

import pytest
import torch
from torch.testing import assert_close

from ossnet.losses import class_loss, probabilities

LOG3 = math.log(3)  # Its sigmoid is 3/4.


def test_binary_loss_by_hand() -> None:
    logits = torch.tensor([[[LOG3, LOG3, 0.0]]])
    # Probabilities 3/4, 3/4 and 1/2 of being inside; truly inside, outside, outside.
    expected = -(math.log(3 / 4) + math.log(1 / 4) + math.log(1 / 2)) / 3
    loss = class_loss(logits, torch.tensor([[1, 0, 0]], dtype=torch.uint8))
    assert loss.item() == pytest.approx(expected)


def test_several_classes_by_hand() -> None:
    logits = torch.tensor([[[0.0, 0.0], [math.log(2), 0.0], [0.0, 0.0]]])
    # Probabilities (1/4, 1/2, 1/4) and thirds; true classes 1 and 2.
    loss = class_loss(logits, torch.tensor([[1, 2]], dtype=torch.uint8))
    assert loss.item() == pytest.approx((math.log(2) + math.log(3)) / 2)


def test_two_classes_either_way() -> None:
    logits = torch.randn(2, 1, 3, 4, generator=torch.Generator().manual_seed(0))
    targets = (logits[:, 0] > 0.3).to(torch.uint8)
    both = torch.cat([torch.zeros_like(logits), logits], 1)
    assert_close(class_loss(logits, targets), class_loss(both, targets))
    assert_close(probabilities(logits, 1), probabilities(both, 1)[:, 1])


@pytest.mark.parametrize("outputs", [1, 2, 4])
def test_types_of_targets_and_weights_of_one_change_nothing(outputs: int) -> None:
    logits = torch.randn(2, outputs, 5, generator=torch.Generator().manual_seed(0))
    targets = torch.tensor([[0, 1, 1, 0, 1], [1, 1, 0, 0, 0]])
    expected = class_loss(logits, targets)
    for dtype in (torch.uint8, torch.float32):
        assert_close(class_loss(logits, targets.to(dtype)), expected)
    assert_close(class_loss(logits, targets, torch.ones(2, 5)), expected)


def test_weighted_losses_by_hand() -> None:
    # Divided by the number of targets, 2, and not by the sum of the weights.
    weights = torch.tensor([[2.0, 0.5]])
    one = class_loss(torch.tensor([[[LOG3, LOG3]]]), torch.tensor([[1, 0]]), weights)
    assert one.item() == pytest.approx(-(2 * math.log(3 / 4) + 0.5 * math.log(1 / 4)) / 2)
    two = class_loss(torch.tensor([[[0.0, 0.0], [LOG3, LOG3]]]), torch.tensor([[1, 0]]), weights)
    assert two.item() == pytest.approx(one.item())


@pytest.mark.parametrize("dim", [0, 1, -1])
def test_probabilities_of_classes_sum_to_one(dim: int) -> None:
    values = probabilities(torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(0)), dim)
    assert values.shape == (3, 4, 5)
    assert_close(values.sum(dim), torch.ones_like(values.sum(dim)))


def test_one_output_loses_its_axis() -> None:
    assert probabilities(torch.zeros(2, 1, 3), 1).tolist() == [[0.5] * 3] * 2
    assert probabilities(torch.zeros(2, 3, 1), -1).shape == (2, 3)


def test_certain_mistakes_stay_finite() -> None:
    loss = class_loss(torch.tensor([[[200.0, -200.0]]]), torch.tensor([[0, 1]]))
    assert loss.item() == pytest.approx(200)
