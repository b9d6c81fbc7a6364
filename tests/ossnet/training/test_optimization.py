from collections.abc import Callable
from typing import Any

import pytest
import torch

from ossnet.config import plain
from ossnet.model import SegmentationModel
from ossnet.training.optimization import Optimization, make_optimizer, set_learning_rates
from ossnet.training.run import RunSpec


@pytest.mark.parametrize(
    ("epoch", "factor"), [(0, 1), (19, 1), (19.9, 1), (20, 0.1), (29, 0.1), (30, 0.01), (49, 0.01)]
)
def test_the_schedule_of_the_paper(epoch: float, factor: float) -> None:
    assert Optimization().factor(epoch, 50) == pytest.approx(factor)


def test_the_cosine_schedule() -> None:
    factors = [Optimization(schedule="cosine").factor(epoch, 15) for epoch in (0, 5, 7.5, 10, 15)]
    assert factors == pytest.approx([1, 0.75, 0.5, 0.25, 0])


def test_learned_activations_have_a_learning_rate_of_their_own(tiny_spec: Callable[..., RunSpec]) -> None:
    (group,) = make_optimizer(tiny_spec("unet3d").make_model(), Optimization()).param_groups
    assert group["lr"] == 3e-4
    optimizer = make_optimizer(tiny_spec("c").make_model(), Optimization())
    assert [group["lr"] for group in optimizer.param_groups] == [3e-4, 1e-2]
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0, 0]
    set_learning_rates(optimizer, 0.1)
    set_learning_rates(optimizer, 0.1)
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([3e-5, 1e-3])


def test_lookahead_joins_fast_and_slow_weights(intensity_model: Callable[..., SegmentationModel]) -> None:
    model = intensity_model((2, 2, 2), threshold=0.0)
    optimizer = make_optimizer(model, Optimization(learning_rate=0.1, lookahead_k=2, lookahead_alpha=0.8))
    course = []
    for _ in range(2):
        model.threshold.grad = torch.ones_like(model.threshold)
        optimizer.step()
        course.append(model.threshold.item())
    # RAdam's first steps are plain: -0.1 each. After the second, Lookahead goes 0.8 of the way from 0 to -0.2.
    assert course == pytest.approx([-0.1, -0.16])


@pytest.mark.parametrize("on_host", [False, True])
def test_without_lookahead_radam_is_alone(intensity_model: Callable[..., SegmentationModel], on_host: bool) -> None:
    alone = Optimization(learning_rate=0.1, lookahead=False, lookahead_k=2)
    assert alone == Optimization(learning_rate=0.1, lookahead=False)
    model = intensity_model((2, 2, 2), threshold=0.0)
    optimizer = make_optimizer(model, alone, on_host)
    for _ in range(2):
        optimizer.zero_grad()
        (1 * model.threshold).backward()
        optimizer.step()
    assert model.threshold.item() == pytest.approx(-0.2)
    resumed = make_optimizer(intensity_model((2, 2, 2), threshold=-0.2), alone, on_host)
    resumed.load_state_dict(optimizer.state_dict())
    assert resumed.state_dict()["state"][0]["step"] == 2


def test_the_default_has_the_plain_values_that_it_had_before_lookahead_could_be_left_out() -> None:
    assert "lookahead" not in plain(Optimization())
    assert plain(Optimization(lookahead=False))["lookahead"] is False


@pytest.mark.parametrize(
    "settings",
    [
        *({"learning_rate": 0}, {"lookahead_alpha": 1.5}, {"schedule": "linear"}, {"lr": 1e-3}),
        *({"betas": betas} for betas in ((2, 3), (0.9, 1), (-0.1, 0.9))),
    ],
    ids=str,
)
def test_invalid_settings_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(settings))):
        Optimization(**settings)
