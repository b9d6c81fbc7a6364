"""Two processes with one case each against one process with both, on CPUs.

The processes run this file, see the end of it.
"""

import os
import runpy
import shutil
import signal
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.distributed as dist
from torch import Tensor

from ossnet.command import run_command
from ossnet.config import build
from ossnet.data.prepared import PreparedCase
from ossnet.errors import UserError
from ossnet.model import SegmentationModel
from ossnet.network.decoder import ScalarBatchNorm
from ossnet.network.execution import set_execution
from ossnet.registry import model_type
from ossnet.training.batches import BatchMaker
from ossnet.training.checkpoint import load_checkpoint, load_weights
from ossnet.training.confidence import ConfidenceMemory
from ossnet.training.distributed import ALONE, Processes, connected
from ossnet.training.learner import Learner
from ossnet.training.loop import EpochReport, train
from ossnet.training.optimization import make_optimizer
from ossnet.training.recipe import Recipe

SHAPE = (16, 16, 16)
CPU = torch.device("cpu")
NETWORK: dict[str, dict[str, Any]] = {
    "occupancy": {"encoder_channels": (4, 4), "decoder_width": 8, "decoder_blocks": 2, "patch_size": 3},
    "unet3d": {"encoder_channels": (4, 8), "decoder_channels": (4,), "groups": 2},
    "unet2d": {"encoder_channels": (4, 8), "decoder_channels": (4,), "groups": 2, "slices_per_case": 3},
}


def make_recipe(**changes: Any) -> Recipe:
    sampling = {"count": 48, "strategy": "confidence", "memory_cell": 5}
    settings = {"epochs": 3, "batch_size": 2, "sampling": sampling, "validation": {"locations": 256, "every": 2}}
    return build(Recipe, settings | changes, "recipe")


def make_case(seed: int) -> PreparedCase:
    places = torch.stack(torch.meshgrid(*[torch.arange(16)] * 3, indexing="ij"), -1)
    label = (((places - torch.tensor([5 + seed, 8, 8])) ** 2).sum(-1) < 16).to(torch.uint8)
    noise = torch.randn(SHAPE, generator=torch.Generator().manual_seed(seed))
    border = torch.from_numpy(np.flatnonzero(label.numpy())[seed:])
    return PreparedCase(f"case {seed}", (label + 0.1 * noise)[None], label, border, np.eye(4), (1, 1, 1))


CASES = [make_case(seed) for seed in range(3)]
VALIDATION_CASES = [make_case(seed) for seed in range(3, 6)]


def make_model(name: str, dtype: torch.dtype = torch.float32, **network: Any) -> SegmentationModel:
    kind = model_type(name)
    config = kind.config_type(shape=SHAPE, modalities=1, **{**NETWORK[kind.family], **kind.preset, **network})
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = kind(config)
        # Some weights are 0 at the start, and gradients behind them would be, too.
        for parameter in model.parameters():
            parameter.data += 0.1 * torch.randn_like(parameter)
    return model.to(dtype)


STEPS: dict[str, dict[str, Any]] = {
    **{name: {"model": name} for name in ("a", "c", "d", "onet", "unet2d-depth", "unet3d")},
    "features": {"model": "c", "network": {"normalization": "feature"}},
    "classes": {"model": "c", "network": {"classes": 3}},
    "nested regions": {"model": "c", "network": {"classes": 3, "nested": True}},
    "uniform": {"model": "c", "recipe": {"sampling": {"count": 48}}},
    "border": {"model": "c", "recipe": {"sampling": {"count": 48, "strategy": "border"}}},
    "divided unevenly": {"model": "d", "cases": [2, 0, 1]},
    "fewer cases than processes": {"model": "d", "cases": [2]},
    "checkpointing": {"model": "d", "recipe": {"checkpointing": True}},
    "float32": {"model": "d", "dtype": torch.float32},
    "bfloat16": {"model": "d", "dtype": torch.float32, "recipe": {"precision": "bfloat16"}},
    "float16": {"model": "d", "dtype": torch.float32, "recipe": {"precision": "float16"}},
    "parts": {"model": "d", "recipe": {"norm_parts": 2}},
    "parts of features, unevenly": {
        **{"model": "c", "network": {"normalization": "feature"}, "cases": [2, 0, 1]},
        "recipe": {"norm_parts": 2, "batch_size": 4, "checkpointing": True},
    },
    "lean parts, unevenly": {
        **{"model": "d", "cases": [2, 0, 1], "recipe": {"norm_parts": 2, "batch_size": 4, "memory": "lean"}},
        "alone": {"norm_parts": 2, "batch_size": 4},
    },
}
"""Steps to compare: a model, changes to its network and recipe, the cases of the batch and the dtype of the model.

`alone` has the changes to the recipe for one process, where they are others.
"""


def step(processes: Processes, setting: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Learn from one batch; return the gradients, the running statistics and other state."""
    dtype, indices = setting.get("dtype", torch.float64), setting.get("cases", [2, 0])
    changes = setting.get("recipe", {})
    recipe = make_recipe(**setting.get("alone", changes) if processes is ALONE else changes)
    model = make_model(setting["model"], dtype, **setting.get("network", {})).train()
    set_execution(model, recipe.execution)
    learner, generator = Learner(model, processes, recipe), torch.Generator().manual_seed(1)
    by_confidence = recipe.sampling.strategy == "confidence"
    memory = ConfidenceMemory(len(CASES), SHAPE, recipe.sampling) if by_confidence else None
    with ThreadPoolExecutor(1) as readers:
        maker = BatchMaker(CASES, recipe.sampling, recipe.augmentation, memory, model.slicing, readers, CPU, processes)
        batch = maker.begin(indices, generator)()
    batch = replace(batch, images=batch.images.to(dtype))
    loss = learner.loss(batch, generator, len(indices))
    optimizer = make_optimizer(model, recipe.optimization, on_host=recipe.execution.lean)
    learner.step(loss, optimizer)
    # On a CPU the weights that an optimiser holds in host memory are those of the model.
    gradients = {weight.data_ptr(): weight.grad for group in optimizer.param_groups for weight in group["params"]}
    processes.require_same_draws(generator)
    processes.take(model.buffers())
    state = {"loss": torch.tensor(processes.mean(loss.item()), dtype=torch.float64), "generator": generator.get_state()}
    return {
        "state": state if memory is None else state | {"memory": memory.uncertainty},
        "gradient": {name: gradients[parameter.data_ptr()] for name, parameter in model.named_parameters()},
        "buffer": dict(model.named_buffers()),
    }


def norm_by_hand(processes: Processes, norm_parts: int) -> dict[str, Any]:
    """Normalise this process's share of `VALUES` by a norm of the decoder, whose running statistics are 0 and 1."""
    model = make_model("c", torch.float64).train()
    Learner(model, processes, make_recipe(norm_parts=norm_parts))
    norm: Any = next(module for module in model.modules() if isinstance(module, ScalarBatchNorm))
    y = norm(VALUES[processes.share(2).cases])
    return {"y": y, "running": (norm.running_mean.item(), norm.running_var.item())}


def train_in(folder: Path, processes: Processes, report: Callable[[EpochReport], None] = lambda _: None) -> None:
    folder.mkdir(exist_ok=True)
    train(make_model("c"), CASES, VALIDATION_CASES, make_recipe(), 7, folder, "identity", report, processes)


def launch(folder: Path, work: str) -> list[tuple[int | None, str]]:
    """Run some work in two processes and return their exit statuses and what they print to standard error."""
    program = [(__file__, {"ARGUMENTS": (folder, work, rank)}, "process") for rank in range(2)]
    running = [get_context("forkserver").Process(target=runpy.run_path, args=each, daemon=True) for each in program]
    for process in running:
        process.start()
    for process in running:
        process.join(120)
    return [(process.exitcode, (folder / f"{work}-{rank}.err").read_text()) for rank, process in enumerate(running)]


@pytest.fixture(scope="module")
def place(forkserver: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which two processes have made all steps and trained without interruption."""
    folder = tmp_path_factory.mktemp("processes")
    assert launch(folder, "compare") == [(0, ""), (0, "")]
    return folder


Steps = tuple[dict[str, Any], dict[str, Any]]


@pytest.fixture(scope="module")
def steps(place: Path) -> Steps:
    """What each of the two processes has of each step."""
    return torch.load(place / "steps-0.pt"), torch.load(place / "steps-1.pt")


def relative_error(found: dict[str, Tensor], expected: dict[str, Tensor]) -> float:
    """Return the length of the difference of all values together, relative to that of the expected ones."""
    assert found.keys() == expected.keys()
    vectors = [torch.cat([values[name].double().flatten() for name in expected]) for values in (found, expected)]
    return ((vectors[0] - vectors[1]).norm() / vectors[1].norm()).item()


@pytest.mark.parametrize("name", STEPS)
def test_two_processes_have_the_gradients_and_statistics_of_one(name: str, steps: Steps) -> None:
    expected = step(ALONE, STEPS[name])
    first, second = (of_process[name] for of_process in steps)
    assert all(torch.equal(value, second[part][key]) for part, values in first.items() for key, value in values.items())
    assert torch.equal(first["state"]["generator"], expected["state"]["generator"])
    limit = {torch.float64: 1e-12, torch.float32: 1e-5}[STEPS[name].get("dtype", torch.float64)]
    # Weights of 16 bits make the sums of two processes round differently.
    limit = {"bfloat16": 0.03, "float16": 0.004}.get(name, limit)
    assert sum(gradient.any() for gradient in expected["gradient"].values()) > 10
    for part in ("gradient", "buffer") if expected["buffer"] else ("gradient",):
        error = relative_error(first[part], expected[part])
        print(f"{name}: relative error of the {part} {error:.1e}")
        assert error < limit
    assert first["state"]["loss"].item() == pytest.approx(expected["state"]["loss"].item(), rel=limit)
    if "memory" in expected["state"]:
        torch.testing.assert_close(first["state"]["memory"], expected["state"]["memory"], rtol=limit, atol=1e-6)


def test_the_memory_knows_the_predictions_of_both_processes(steps: Steps) -> None:
    """Each case of a batch has cells that are no longer wholly uncertain, and no other case has."""
    for name, expected in (("c", [True, False, True]), ("fewer cases than processes", [False, False, True])):
        memory = steps[1][name]["state"]["memory"]
        assert (memory < 1).any(1).tolist() == expected


# Two cases of one feature at two places: 0 and 2, and 4 and 10. Their means are 1 and 7, 4 together; their variances 1
# and 9, 14 together, or 56 / 3 unbiased. The parts' unbiased variances are 2 and 18.
VALUES = torch.tensor([[0.0, 2.0], [4.0, 10.0]], dtype=torch.float64)[..., None]
NORMALISED = {1: (VALUES - 4) / 14**0.5, 2: torch.tensor([[-1.0, 1.0], [-1.0, 1.0]], dtype=torch.float64)[..., None]}
RUNNING = {1: (0.4, 0.9 + 5.6 / 3), 2: (0.1, 0.9 + 0.2)}


@pytest.mark.parametrize("norm_parts", [1, 2])
def test_a_norm_of_one_and_of_two_parts_by_hand(norm_parts: int, place: Path) -> None:
    """Running statistics are then nine tenths of 0 and 1, and one tenth of those of the whole or of the first part."""
    found = [norm_by_hand(ALONE, norm_parts), torch.load(place / "norms-0.pt")[norm_parts]]
    found[1]["y"] = torch.cat([found[1]["y"], torch.load(place / "norms-1.pt")[norm_parts]["y"]])
    for values in found:
        torch.testing.assert_close(values["y"], NORMALISED[norm_parts], rtol=0, atol=1e-4)
        assert values["running"] == pytest.approx(RUNNING[norm_parts], abs=1e-6)


def test_killed_and_resumed_it_has_the_weights_of_a_training_without_interruption(place: Path, tmp_path: Path) -> None:
    (first_status, first_error), (second_status, _) = launch(place, "kill")
    assert second_status == -signal.SIGKILL
    assert first_status == 2
    assert first_error.startswith("test: another process of this training has ended")
    assert first_error.count("\n") == 1
    assert len(load_checkpoint(place / "interrupted" / "checkpoint.pt")["history"]) == 1
    shutil.copytree(place / "interrupted", tmp_path / "one")
    assert launch(place, "resume") == [(0, ""), (0, "")]
    for name in ("model.safetensors", "checkpoint.pt"):
        load = load_weights if name == "model.safetensors" else lambda path: load_checkpoint(path)["model"]
        found, expected = (load(place / folder / name) for folder in ("interrupted", "whole"))
        assert all(torch.equal(found[key], value) for key, value in expected.items())
    states = [load_checkpoint(place / folder / "checkpoint.pt") for folder in ("interrupted", "whole")]
    assert torch.equal(states[0]["unsureness"], states[1]["unsureness"])
    # One process can go on, too, up to rounding.
    train_in(tmp_path / "one", ALONE)
    assert relative_error(load_checkpoint(tmp_path / "one" / "checkpoint.pt")["model"], states[1]["model"]) < 1e-3


def test_a_training_of_two_processes_is_that_of_one(place: Path, tmp_path: Path) -> None:
    train_in(tmp_path / "one", ALONE)
    one, two = (load_checkpoint(folder / "checkpoint.pt") for folder in (tmp_path / "one", place / "whole"))
    assert torch.equal(one["generator"], two["generator"])
    # RAdam divides by the size of gradients, so that rounding of those near 0 does not stay small.
    assert relative_error(two["model"], one["model"]) < 1e-3
    for past, same in zip(one["history"], two["history"], strict=True):
        assert same["loss"] == pytest.approx(past["loss"], rel=1e-3)
        assert same["iou"] == (None if past["iou"] is None else pytest.approx(past["iou"], abs=0.02))
    assert {path.name for path in (place / "whole").iterdir()} == {path.name for path in (tmp_path / "one").iterdir()}


def test_shares_are_as_even_as_torch_divides() -> None:
    for cases, count in ((8, 2), (7, 2), (5, 4), (1, 3)):
        parts = torch.arange(cases).tensor_split(count)
        shares = [Processes(rank, count).share(cases) for rank in range(count)]
        assert sum(share.weight for share in shares) == pytest.approx(1)
        for part, share in zip(parts, shares, strict=True):
            assert list(range(cases))[share.cases] == (part.tolist() or [0])
            assert share.weight == len(part) / cases


@pytest.mark.parametrize(("batch_size", "norm_parts", "setting"), [(3, 1, "batch_size"), (6, 3, "norm_parts")])
def test_batches_that_cannot_be_divided_are_refused(batch_size: int, norm_parts: int, setting: str) -> None:
    Processes().require_division(batch_size, norm_parts)
    with pytest.raises(UserError, match=f"recipe.{setting} = .*2"):
        Processes(0, 2).require_division(batch_size, norm_parts)


def test_parts_need_batch_norms_that_can_be_divided() -> None:
    recipe = make_recipe(norm_parts=2)
    with pytest.raises(UserError, match=r"recipe\.norm_parts"):
        Learner(make_model("unet3d"), ALONE, recipe)
    model = make_model("c")
    model.other = torch.nn.BatchNorm1d(1)
    with pytest.raises(UserError, match="batch norm other"):
        Learner(model, ALONE, recipe)
    Learner(model, ALONE, make_recipe())


def test_lean_training_has_the_statistics_of_whole_batches_only() -> None:
    with pytest.raises(UserError, match=r"memory = lean"):
        Learner(make_model("c"), ALONE, make_recipe(norm_parts=2, memory="lean"))


def work_of_a_process(folder: Path, work: str, rank: int) -> int:
    """Do what `launch` asks for in one of two processes and return the exit status."""
    with (folder / f"{work}-{rank}.err").open("wb") as errors:
        os.dup2(errors.fileno(), sys.stderr.fileno())

    def report(past: EpochReport) -> None:
        if work == "kill" and rank == 1 and past.epoch == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def command() -> int:
        with connected(dist.FileStore(str(folder / f"store of {work}"), 2), rank, 2, CPU) as processes:
            if work == "compare":
                torch.save({name: step(processes, STEPS[name]) for name in STEPS}, folder / f"steps-{rank}.pt")
                norms = {parts: norm_by_hand(processes, parts) for parts in (1, 2)}
                torch.save(norms, folder / f"norms-{rank}.pt")
                train_in(folder / "whole", processes)
            else:
                train_in(folder / "interrupted", processes, report)
        return 0

    return run_command("test", command)


if __name__ == "process":
    sys.exit(work_of_a_process(*globals()["ARGUMENTS"]))
