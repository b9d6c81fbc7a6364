"""The step that memory and time are measured of, on real tensors and on those without values."""

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch.utils._pytree import tree_leaves

from baselines.unet2d import UNet2dConfig
from baselines.unet3d import UNet3dConfig
from ossnet.errors import UserError
from ossnet.memory.footprint import count, predict
from ossnet.memory.workload import Phase, Step, Workload
from ossnet.network.configuration import OccupancyNetworkConfig
from ossnet.network.execution import Execution, Memory
from ossnet.network.occupancy_network import OSSNetC
from ossnet.training.optimization import Optimization, make_optimizer

SHAPE = (16, 16, 8)
SMALL = OccupancyNetworkConfig(
    shape=SHAPE,
    modalities=2,
    encoder_channels=(4, 8),
    decoder_width=16,
    decoder_blocks=2,
    patch_size=3,
    **OSSNetC.preset,
)
UNETS = {"shape": SHAPE, "modalities": 2, "encoder_channels": (8, 16), "decoder_channels": (8,)}


def workload(model: str, phase: Phase, batch_size: int = 1) -> Workload:
    if model == "unet3d":
        return Workload(model, UNet3dConfig(**UNETS), phase, batch_size)
    if model == "unet2d-depth":
        return Workload(model, UNet2dConfig(**UNETS, slices_per_case=2, max_slices=4), phase, batch_size)
    return Workload(model, SMALL, phase, batch_size, locations=32)


def weights(step: Step) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in step.model.parameters()])


@pytest.mark.parametrize("model", ["c", "unet3d", "unet2d-depth"])
@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_every_model_can_be_prepared(model: str, device: str) -> None:
    training = workload(model, "training", batch_size=2).prepare(device)
    assert training.model.training
    assert [len(tensor) for tensor in training.inputs[:2]] == [2, 2]
    training()
    training()
    assert all(p.grad is not None for p in training.model.parameters())
    inference = workload(model, "inference", batch_size=2).prepare(device)
    assert not inference.model.training
    assert len(inference.inputs[0]) == 1
    inference()
    assert all(p.grad is None for p in inference.model.parameters())
    assert {tensor.device.type for tensor in (*training.inputs, *inference.inputs)} == {device}


@pytest.mark.parametrize("settings", [{"locations": "fourier"}, {"conditioning": False}], ids=str)
@pytest.mark.parametrize("memory", ["plain", "leanest"])
def test_every_way_into_the_decoder_is_predicted(settings: dict[str, Any], memory: Memory) -> None:
    # The learned activation is many operations, all of which are predicted by the other tests.
    config = replace(SMALL, decoder_blocks=1, activation="gelu", **settings)
    assert predict(Workload("c", config, "training", 2, 32, Execution.of(memory))).allocated_bytes > 0
    if memory == "plain":
        inference = Workload("c", config, "inference", 1, 32)
        assert count(inference, "cpu").allocated_bytes == predict(inference, "cpu").allocated_bytes


def test_training_learns_and_inference_does_not() -> None:
    training, inference = (workload("c", phase).prepare("cpu") for phase in ("training", "inference"))
    start = weights(training)
    assert torch.equal(start, weights(inference))
    training()
    inference()
    assert not torch.equal(start, weights(training))
    assert torch.equal(start, weights(inference))


def test_old_gradients_are_gone_when_the_network_is_evaluated_again() -> None:
    step = workload("c", "training").prepare("cpu")
    step()
    evaluate, held = step.evaluate, []

    def look_and_evaluate() -> torch.Tensor | None:
        held.extend(p.grad for p in step.model.parameters() if p.grad is not None)
        return evaluate()

    step.evaluate = look_and_evaluate
    step()
    assert held == []


def test_a_seed_makes_the_same_step() -> None:
    torch.manual_seed(7)
    before = torch.get_rng_state()
    first, same, other = (workload("c", "training").prepare("cpu", seed) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    for step in (first, same, other):
        step()
    assert torch.equal(weights(first), weights(same))
    assert not torch.equal(weights(first), weights(other))
    assert all(torch.equal(a, b) for a, b in zip(first.inputs, same.inputs, strict=True))


def test_locations_lie_in_the_volume() -> None:
    images, labels, locations = workload("c", "training", batch_size=3).prepare("cpu").inputs
    assert images.shape == (3, 2, *SHAPE)
    assert labels.shape == (3, *SHAPE)
    assert labels.unique().tolist() == [0, 1]
    assert locations.shape == (3, 32, 3)
    assert (locations >= 0).all()
    assert (locations < torch.tensor(SHAPE)).all()


@pytest.mark.parametrize("model", ["c", "unet3d", "unet2d-depth"])
def test_a_training_step_holds_what_the_suites_optimiser_holds(model: str) -> None:
    step = workload(model, "training").prepare("cpu")
    step()
    # The suite's own, over parameters that have the gradients of a step.
    optimizer = make_optimizer(step.model, Optimization())
    optimizer.step()
    held = [value for value in tree_leaves(optimizer.state_dict()) if isinstance(value, torch.Tensor)]
    assert step.optimizer is not None
    state = [value for state in step.optimizer.state.values() for value in state.values()]
    shapes = Counter((tensor.shape, tensor.dtype) for tensor in held)
    assert Counter((tensor.shape, tensor.dtype) for tensor in [*state, *step.slow_weights]) == shapes
    groups = [[p.shape for p in group["params"]] for group in optimizer.param_groups]
    assert [[p.shape for p in group["params"]] for group in step.optimizer.param_groups] == groups


def test_a_slicing_model_trains_on_its_slices_and_segments_whole_volumes() -> None:
    training, inference = (workload("unet2d-depth", phase, 3).prepare("meta") for phase in ("training", "inference"))
    assert [tuple(tensor.shape) for tensor in training.inputs] == [(3, 2, 16, 16, 2), (3, 16, 16, 2)]
    assert [tuple(tensor.shape) for tensor in inference.inputs] == [(1, 2, *SHAPE)]


@pytest.mark.parametrize(("model", "locations"), [("c", None), ("unet3d", 16)])
def test_locations_go_with_models_that_evaluate_them(model: str, locations: int | None) -> None:
    config = UNet3dConfig(**UNETS) if model == "unet3d" else SMALL
    with pytest.raises(UserError, match=f"model {model} evaluates"):
        Workload(model, config, "inference", locations=locations).prepare("meta")


def test_a_lean_step_learns_as_a_plain_one() -> None:
    plain, lean = (
        replace(workload("c", "training", 2), execution=Execution.of(memory)).prepare("cpu")
        for memory in ("plain", "leanest")
    )
    start = weights(plain)
    for step in (plain, lean):
        step()
        step()
    torch.testing.assert_close(weights(lean) - start, weights(plain) - start, rtol=1e-3, atol=1e-6)
    assert all(p.grad is None for p in lean.model.parameters())


def test_lean_training_is_of_occupancy_networks_in_float32() -> None:
    for refused in (
        replace(workload("unet3d", "training"), execution=Execution(lean=True)),
        replace(workload("c", "training"), execution=Execution(precision="bfloat16", lean=True)),
    ):
        with pytest.raises(UserError, match="lean training"):
            refused.prepare("meta")


# In GB. Plain training takes 2.6 and 5.8.
@pytest.mark.parametrize(
    ("shape", "modalities", "least", "most"),
    [
        ((256, 256, 160), 4, 0.2, 0.25),
        ((512, 512, 512), 1, 0.4, 0.5),
    ],
)
def test_the_papers_volumes_train_in_little_memory(
    shape: tuple[int, int, int], modalities: int, least: float, most: float
) -> None:
    config = OSSNetC.config_for(shape, modalities)
    peak = predict(Workload("c", config, "training", 1, 2**14, Execution.of("leanest")))
    assert least * 1e9 < peak.allocated_bytes < most * 1e9
    # Images, labels and optimiser are in host memory.
    assert not {"inputs", "optimizer_state", "host"}.intersection(peak.by_part)


def test_lean_training_takes_less_the_leaner_it_is() -> None:
    config = replace(SMALL, decoder_width=64, decoder_blocks=1, activation="gelu")
    memories: tuple[Memory, ...] = ("plain", "checkpointing", "lean", "leanest")
    trainings = [Workload("c", config, "training", 1, 2**13, Execution.of(memory)) for memory in memories]
    peaks = [predict(training).allocated_bytes for training in trainings]
    assert peaks == sorted(peaks, reverse=True)
    assert peaks[-1] < 0.3 * peaks[0]
    # Lean training keeps Lookahead's copy of the weights in host memory.
    plain, leanest = (predict(replace(trainings[i], lookahead=False)).allocated_bytes for i in (0, -1))
    assert plain < peaks[0]
    assert leanest == peaks[-1]


def test_a_prediction_stands_for_all_chunks() -> None:
    """What is counted of real tensors, chunk by chunk, is predicted from a few; on a CPU the host counts, too."""
    config = replace(SMALL, decoder_blocks=1)
    lean = Workload("c", config, "training", 2, 2**11, Execution(lean=True))
    assert predict(lean, "cpu").allocated_bytes == pytest.approx(count(lean, "cpu").allocated_bytes, rel=0.001)
