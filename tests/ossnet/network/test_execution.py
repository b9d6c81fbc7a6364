"""How networks are computed leaves what they compute: exactly with checkpointing, up to rounding in 16 bits."""

from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from ossnet.config import build
from ossnet.errors import UserError
from ossnet.memory.accounting import StorageAccount
from ossnet.model import Batch, Draw, SegmentationModel
from ossnet.network.activation import PadeActivationUnit
from ossnet.network.execution import DEFAULT, ExecutableModule, Execution, set_execution
from ossnet.registry import model_type

NAMES = ["a", "d", "unet3d", "unet2d-width"]
EXECUTIONS = [
    Execution(checkpointing=True),
    Execution(checkpointing=True, precision="bfloat16"),
    Execution(precision="float16"),
]
SHAPE = (16, 24, 16)
SIZES: dict[str, dict[str, Any]] = {
    "occupancy": {"encoder_channels": (4, 8), "decoder_width": 16, "decoder_blocks": 3, "patch_size": 3},
    "unet3d": {"encoder_channels": (4, 8), "decoder_channels": (4,), "groups": 2},
    "unet2d": {"encoder_channels": (4, 8), "decoder_channels": (4,), "groups": 2, "slices_per_case": 4},
}


def make(name: str, execution: Execution = DEFAULT) -> SegmentationModel:
    kind = model_type(name)
    config = build(kind.config_type, SIZES[kind.family] | kind.preset | {"shape": SHAPE, "modalities": 2}, name)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = kind(config)
    set_execution(model, execution)
    return model


def batch() -> Batch:
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(2, 2, *SHAPE, generator=generator)
    locations = (torch.rand(2, 50, 3, generator=generator) * torch.tensor(SHAPE)).long()
    return Batch(images, (images[:, 0] > 0).to(torch.uint8), lambda _: Draw(locations))


@cache
def learn(name: str, execution: Execution) -> tuple[Tensor, dict[str, Tensor]]:
    """The second of two losses, and all that a step of the optimiser has made: gradients, weights and statistics."""
    model = make(name, execution)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for _ in range(2):
        optimizer.zero_grad()
        loss = model.loss(batch(), torch.Generator().manual_seed(2))
        loss.backward()
        optimizer.step()
    gradients = {f"gradient of {name}": p.grad for name, p in model.named_parameters() if p.grad is not None}
    return loss.detach(), model.state_dict() | gradients


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", NAMES)
def test_checkpointing_changes_no_bit(name: str, precision: Any) -> None:
    loss, learned = learn(name, Execution(precision=precision))
    again, learned_again = learn(name, Execution(checkpointing=True, precision=precision))
    assert torch.equal(loss, again)
    assert learned.keys() == learned_again.keys()
    for key, value in learned.items():
        assert torch.equal(value, learned_again[key]), key


def test_statistics_go_on_after_a_backward_pass_that_fails() -> None:
    class Failing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.BatchNorm1d(1)
            self.calls = 0

        def forward(self, x: Tensor) -> Tensor:
            self.calls += 1
            if self.calls == 2:
                raise MemoryError
            return self.norm(x).square()

    block = Failing()
    result = Execution(checkpointing=True).run(block, torch.ones(2, 1, requires_grad=True))
    with pytest.raises(MemoryError):
        result.sum().backward()
    assert block.norm.momentum == 0.1
    assert block.norm.num_batches_tracked == 1


@pytest.mark.parametrize(
    ("name", "precision", "bound"), [*[(name, "bfloat16", 0.02) for name in NAMES], ("d", "float16", 0.0025)]
)
def test_16_bits_are_float32_rounded(name: str, precision: Any, bound: float) -> None:
    """With 8 and 11 bits of a number's fraction."""
    exact, _ = learn(name, DEFAULT)
    rounded, learned = learn(name, Execution(precision=precision))
    assert rounded != exact
    assert_close(rounded, exact, rtol=bound, atol=0)
    assert {value.dtype for value in learned.values()} <= {torch.float32, torch.int64}


@pytest.mark.parametrize("name", NAMES)
def test_predictions_stay_what_they_are(name: str) -> None:
    model = make(name).eval()
    image = batch().images[0]
    locations = batch().draw_locations(torch.Generator()).locations[0]
    before = model.occupancy(image, locations)
    for execution in EXECUTIONS:
        set_execution(model, execution)
        after = model.occupancy(image, locations)
        assert after.dtype == torch.float32
        assert_close(after, before, rtol=0, atol=0 if execution.precision == "float32" else 0.02)
    set_execution(model, DEFAULT)
    assert torch.equal(model.occupancy(image, locations), before)


def test_voxel_indices_are_never_rounded_to_bfloat16() -> None:
    model = make("a", Execution(precision="bfloat16")).eval()
    latents = torch.zeros(1, 1, model.encode(batch().images[:1]).latents.shape[-1])
    # In bfloat16 300 and 301 are the same number.
    voxels = torch.tensor([[[300, 300, 300], [301, 300, 300]]])
    with torch.no_grad():
        logits = model.decode(voxels, torch.zeros(1, 2, 3, 3, 3, 2), latents)
    assert logits[0, 0] != logits[0, 1]


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(*[nn.Sequential(nn.Linear(8, 8), PadeActivationUnit()) for _ in range(10)])

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


@pytest.mark.parametrize(
    ("execution", "kept"),
    [
        # Of each layer its result and the activation's; of the last activation it is the result itself.
        (DEFAULT, 20 * 4),
        (Execution(precision="bfloat16"), 20 * 2 + 2),
        (Execution(checkpointing=True), 4),
        (Execution(checkpointing=True, precision="bfloat16"), 2 + 2),
    ],
    ids=str,
)
@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_what_a_block_keeps(execution: Execution, kept: int, device: str) -> None:
    """In bytes an element: with checkpointing nothing but the result, in bfloat16 a copy of the input besides."""
    elements = 10_000 * 8
    block = Block().to(device)
    x = torch.zeros(10_000, 8, device=device)
    with StorageAccount() as account:
        result = execution.run(block, x)
        held = account.live_bytes / elements
        result.sum().backward()
    assert held == pytest.approx(kept, rel=0.01)


def test_a_model_that_knows_no_other_way_says_so() -> None:
    with pytest.raises(UserError, match="model Linear has neither checkpointing nor another precision"):
        set_execution(nn.Linear(1, 1), Execution(checkpointing=True))
    set_execution(nn.Linear(1, 1), DEFAULT)


def test_every_executable_module_of_a_model_is_set() -> None:
    model = make("d", EXECUTIONS[0])
    modules = [module for module in model.modules() if isinstance(module, ExecutableModule)]
    assert [type(module).__name__ for module in modules] == ["VolumeEncoder", "PatchEncoder", "OccupancyDecoder"]
    assert {module.execution for module in modules} == {EXECUTIONS[0]}
    assert make("d").encoder.execution == DEFAULT
