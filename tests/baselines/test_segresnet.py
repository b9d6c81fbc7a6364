"""MONAI's SegResNet as a model of the suite: what MONAI computes, and the windows that it gets."""

import pytest
import torch
from monai.inferers import sliding_window_inference
from monai.losses import DiceCELoss
from monai.networks.nets import SegResNet as MonaiSegResNet
from torch import Tensor
from torch.testing import assert_close

from baselines.segresnet import SegResNet, SegResNetConfig
from ossnet.model import Batch, Draw
from ossnet.training.optimization import Optimization, make_optimizer

SHAPE = (16, 24, 8)


def small(**changes: object) -> SegResNet:
    torch.manual_seed(0)
    sizes = {"shape": SHAPE, "modalities": 2, "init_filters": 8, "window": (32, 32, 32)}
    return SegResNet(SegResNetConfig(**(sizes | changes)))


def images(*grid: int) -> Tensor:
    return torch.randn(2, 2, *grid, generator=torch.Generator().manual_seed(1))


def batch_of(volumes: Tensor, classes: int = 2) -> Batch:
    labels = torch.randint(classes, (2, *volumes.shape[2:]), generator=torch.Generator().manual_seed(2))
    return Batch(volumes, labels.to(torch.uint8), draw_nothing)


def draw_nothing(generator: torch.Generator) -> Draw:
    raise AssertionError("a voxelised model draws no locations")


@pytest.mark.parametrize("classes", [2, 3])
def test_a_training_step_is_that_of_monai_alone(classes: int) -> None:
    model, batch = small(classes=classes), batch_of(images(*SHAPE), classes)
    torch.manual_seed(0)
    network = MonaiSegResNet(init_filters=8, in_channels=2, out_channels=1 if classes == 2 else 3)
    criterion = DiceCELoss(sigmoid=True) if classes == 2 else DiceCELoss(softmax=True, to_onehot_y=True)
    optimization = Optimization(learning_rate=1e-2, lookahead=False)
    ours = make_optimizer(model, optimization)
    theirs = torch.optim.RAdam(network.parameters(), lr=1e-2, foreach=True)
    loss = model.loss(batch, torch.Generator())
    expected = criterion(network(batch.images), batch.labels[:, None].long())
    for value, optimizer in ((loss, ours), (expected, theirs)):
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
    assert torch.equal(loss, expected)
    for mine, other in zip(model.parameters(), network.parameters(), strict=True):
        assert torch.equal(mine, other)


def test_inference_is_monais_sliding_window() -> None:
    model = small(window=(8, 16, 8), overlap=0.5).eval()
    volume = images(*SHAPE)[0]
    with torch.no_grad():
        expected = sliding_window_inference(volume[None], (8, 16, 8), 4, model.network, overlap=0.5)
    assert_close(model.predict(volume), expected[0, 0].sigmoid(), atol=1e-5, rtol=0)
    whole = small(window=(8, 16, 8)).eval().network(volume[None])[0, 0].sigmoid()
    assert not torch.allclose(model.predict(volume), whole, atol=1e-3)


def test_windows_reach_no_further_than_the_volume_in_steps_of_eight() -> None:
    model = small(window=(16, 16, 32))
    assert model.window((40, 12, 20)) == (16, 16, 24)
    assert model.learned_per_case(7) == 16 * 16 * 8
    with pytest.raises(ValueError, match="multiples of 8"):
        small(window=(16, 12, 16))


def test_windows_are_drawn_from_the_generator_whatever_the_share_of_a_batch() -> None:
    model = small(shape=(12, 24, 8), window=(8, 16, 8))
    values = torch.arange(12 * 24 * 8).reshape(1, 1, 12, 24, 8)
    drawn = set()
    for seed in range(60):
        starts = model.draw_starts(values, torch.Generator().manual_seed(seed))
        assert model.draw_starts(values.expand(3, -1, -1, -1, -1), torch.Generator().manual_seed(seed)) == starts
        window = model.cut(values, starts)
        assert window.shape == (1, 1, 8, 16, 8)
        assert [*divmod(int(window[0, 0, 0, 0, 0]) // 8, 24), 0] == starts
        drawn.add(tuple(starts))
    assert {start for start, *_ in drawn} == set(range(5))
    assert {start for _, start, _ in drawn} == set(range(9))


def test_a_smaller_volume_is_padded_as_monai_pads_it() -> None:
    model = small(window=(16, 16, 16)).eval()
    volume = images(11, 16, 13)[0]
    window = model.cut(volume[None], model.draw_starts(volume[None], torch.Generator()))
    assert window.shape == (1, 2, 16, 16, 16)
    assert torch.equal(window[0, :, 2:13, :, 1:14], volume)
    assert not window[0, :, :2].any()
    assert not window[..., 14:].any()
    with torch.no_grad():
        expected = model.network(window)[0, 0, 2:13, :, 1:14].sigmoid()
    assert_close(model.predict(volume), expected, atol=1e-5, rtol=0)
