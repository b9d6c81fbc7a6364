from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from baselines.hnoseg import HNOSegConfig, HNOSegXS, correlation_loss, from_lowest_modes, lowest_modes
from ossnet.model import Batch

MakeBatch = Callable[[Tensor, Tensor], Batch]
Learn = Callable[..., tuple[float, float]]


def small(**changes: object) -> HNOSegXS:
    torch.manual_seed(0)
    sizes = {"shape": (8, 10, 12), "modalities": 2, "filters": 4, "modes": (2, 2, 3)}
    return HNOSegXS(HNOSegConfig(**(sizes | changes)))


def image(*grid: int) -> Tensor:
    return torch.randn(2, *grid, generator=torch.Generator().manual_seed(1))


def parameters(model: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def test_the_published_number_of_parameters() -> None:
    model = HNOSegXS(HNOSegConfig(shape=(16, 16, 16), modalities=4, classes=4))
    f, modalities, classes = 24, 4, 4
    stem = modalities * f * 2**3 + f + f * f + f
    mixing = 2 * f * f + f
    assert parameters(model) == stem + 8 * (3 * f * f + mixing) + 3 * mixing + f * classes == 28_248


@pytest.mark.parametrize("blocks", [1, 2, 3, 8])
def test_the_last_blocks_take_the_outputs_of_the_first(blocks: int) -> None:
    linked = [block.link is not None for block in small(blocks=blocks).operator.blocks]
    assert [i for i, link in enumerate(linked) if link] == {1: [], 2: [], 3: [2], 8: [5, 6, 7]}[blocks]


def test_a_link_skips_what_is_in_between() -> None:
    operator = small().operator
    seen: dict[int, tuple[Tensor, ...]] = {}
    outputs: dict[int, Tensor] = {}

    def look(block: torch.nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        i = list(operator.blocks).index(block)
        seen[i], outputs[i] = inputs, output

    for block in operator.blocks:
        block.register_forward_hook(look)
    operator(image(8, 10, 12)[None])
    for i, earlier in ((5, 2), (6, 1), (7, 0)):
        assert torch.equal(seen[i][0], outputs[i - 1])
        assert torch.equal(seen[i][1], outputs[earlier])
    assert all(len(seen[i]) == 1 for i in range(5))


def test_a_grid_without_a_mode_at_each_end_is_refused() -> None:
    for changes in ({"shape": (8, 3, 8)}, {"training_shape": (2, 8, 8)}):
        with pytest.raises(ValueError, match="too small"):
            small(**changes)


def hartley_of(x: Tensor) -> Tensor:
    """The transform of x [H, W, D] by its definition: the mean over voxels v of x(v) cas(2 pi k.v / N)."""
    phases = [torch.outer(torch.arange(n), torch.arange(n)).to(x.dtype) / n for n in x.shape]
    angle = (
        phases[0][:, None, None, :, None, None]
        + phases[1][None, :, None, None, :, None]
        + phases[2][None, None, :, None, None, :]
    ) * (2 * torch.pi)
    return ((angle.cos() + angle.sin()) * x).mean((3, 4, 5))


def test_the_lowest_modes_are_those_of_the_transform_by_definition() -> None:
    x = torch.randn(4, 5, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    expected = hartley_of(x)[[0, 3]][:, [0, 1, 3, 4]][:, :, [0, 1, 2, 3, 4, 5]]
    # Two modes along the second axis are at most half of it, and of the third axis there are only three.
    assert_close(lowest_modes(x[None, None], (1, 2, 9))[0, 0], expected)


def test_the_inverse_undoes_it_where_all_modes_are_kept_and_else_keeps_the_low_ones() -> None:
    x = torch.randn(1, 2, 4, 6, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert_close(from_lowest_modes(lowest_modes(x, (9, 9, 9)), (4, 6, 8)), x)
    low = from_lowest_modes(lowest_modes(x, (1, 2, 2)), (4, 6, 8))
    assert not torch.allclose(low, x)
    assert_close(lowest_modes(low, (1, 2, 2)), lowest_modes(x, (1, 2, 2)))


def test_a_constant_has_one_mode_whatever_the_grid() -> None:
    for grid in ((4, 6, 8), (5, 3, 2)):
        modes = lowest_modes(torch.full((1, 1, *grid), 3.0), (2, 2, 2))
        assert modes[0, 0, 0, 0, 0] == pytest.approx(3)
        assert modes.abs().sum() == pytest.approx(3, abs=1e-5)


def test_the_loss_by_hand() -> None:
    labels = torch.tensor([0, 0, 1, 1]).reshape(1, 1, 2, 2)
    same, opposite, unrelated = (torch.tensor(p).reshape(1, 1, 2, 2) for p in ([0.1, 0.1, 0.3, 0.3], *PREDICTIONS))
    assert correlation_loss(same, labels).item() == pytest.approx(0, abs=1e-6)
    assert correlation_loss(opposite, labels).item() == pytest.approx(2, abs=1e-6)
    assert correlation_loss(unrelated, labels).item() == pytest.approx(1)
    # As two classes whose probabilities sum to one; and of a case without foreground, whose correlation is 0.
    both = torch.stack([1 - same, same], 1)
    assert correlation_loss(both, labels).item() == pytest.approx(0, abs=1e-6)
    assert correlation_loss(both, torch.zeros_like(labels)).item() == pytest.approx(1)


PREDICTIONS = ([0.9, 0.9, 0.2, 0.2], [0.0, 1.0, 0.0, 1.0])


def test_the_loss_of_a_constant_prediction_has_a_finite_gradient() -> None:
    prediction = torch.full((1, 2, 2, 2), 0.5, requires_grad=True)
    correlation_loss(prediction, torch.arange(8).reshape(1, 2, 2, 2) % 2).backward()
    assert prediction.grad is not None
    assert prediction.grad.isfinite().all()


def test_a_training_shape_serves_the_training_alone(batch_of: MakeBatch) -> None:
    model, half = small(), small(training_shape=(4, 5, 6))
    labels = (image(8, 10, 12)[:1] > 0).to(torch.uint8)
    batch = batch_of(image(8, 10, 12)[None], labels)
    losses = [each.loss(batch, torch.Generator()).item() for each in (model, half)]
    assert losses[0] != pytest.approx(losses[1])
    assert torch.equal(*(each.predict(image(8, 10, 12)) for each in (model, half)))
    assert [each.learned_per_case(7) for each in (model, half)] == [960, 120]


def test_weights_are_drawn_for_self_normalising_networks() -> None:
    model = HNOSegXS(HNOSegConfig(shape=(16, 16, 16), modalities=4, filters=64))
    first, second = model.operator.stem[0], model.operator.stem[2]
    assert first.weight.std().item() == pytest.approx((4 * 8) ** -0.5, rel=0.05)
    assert second.weight.std().item() == pytest.approx(64**-0.5, rel=0.05)


def test_it_learns_a_sphere(learn_sphere: Learn) -> None:
    torch.manual_seed(0)
    loss, right = learn_sphere(
        HNOSegXS(HNOSegConfig(shape=(16, 16, 16), modalities=1, filters=8, blocks=4)), cases=1, steps=60
    )
    assert loss < 0.15
    assert right > 0.95
