import itertools
import math
import shutil
from collections import Counter
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from ossnet.config import build
from ossnet.data.prepared import PreparedCase
from ossnet.errors import UserError
from ossnet.model import Batch, SegmentationModel
from ossnet.network.configuration import OccupancyNetworkConfig
from ossnet.network.occupancy_network import OSSNetC
from ossnet.training import loop
from ossnet.training.batches import BatchMaker
from ossnet.training.checkpoint import load_checkpoint, load_weights
from ossnet.training.loop import EpochReport, best_epoch, train
from ossnet.training.recipe import Recipe

SHAPE = (16, 16, 16)
CONFIG = OccupancyNetworkConfig(
    **{"shape": SHAPE, "modalities": 1, "encoder_channels": (4, 4), "decoder_width": 8, "decoder_blocks": 1},
    **{"patch_size": 3, **OSSNetC.preset},
)
EPOCHS = 3
Whole = Callable[[str], Path]


def make_recipe(**changes: Any) -> Recipe:
    settings = {"epochs": EPOCHS, "batch_size": 2, "sampling": {"count": 32}}
    return build(Recipe, settings | {"validation": {"locations": 256, "every": 2}} | changes, "recipe")


def make_case(seed: int) -> PreparedCase:
    places = torch.stack(torch.meshgrid(*[torch.arange(16)] * 3, indexing="ij"), -1)
    label = (((places - torch.tensor([5 + seed, 8, 8])) ** 2).sum(-1) < 16).to(torch.uint8)
    noise = torch.randn(SHAPE, generator=torch.Generator().manual_seed(seed))
    return PreparedCase(f"case {seed}", (label + 0.1 * noise)[None], label, None, np.eye(4), (1, 1, 1))


CASES = [make_case(seed) for seed in range(3)]
VALIDATION_CASES = [make_case(seed) for seed in range(3, 5)]


def make_model() -> OSSNetC:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return OSSNetC(CONFIG)


def run(
    folder: Path,
    report: Callable[[EpochReport], None] = lambda _: None,
    *,
    seed: int = 7,
    strategy: str = "uniform",
    **changes: Any,
) -> OSSNetC:
    model, sampling = make_model(), {"count": 32, "strategy": strategy, "memory_cell": 5}
    recipe = make_recipe(sampling=sampling, **changes)
    train(model, CASES, VALIDATION_CASES, recipe, seed, folder, "identity", report)
    return model


def course(folder: Path) -> list[dict[str, Any]]:
    """The history without the durations."""
    history = load_checkpoint(folder / "checkpoint.pt")["history"]
    return [{name: value for name, value in past.items() if not name.endswith(("seconds", "_s"))} for past in history]


def assert_same(first: Path, second: Path) -> None:
    """Assert that two trainings left the same best and last weights, optimiser, generator and history."""
    states = [load_checkpoint(folder / "checkpoint.pt") for folder in (first, second)]
    assert course(first) == course(second)
    assert torch.equal(*(state["generator"] for state in states))
    first_memory, second_memory = (state["unsureness"] for state in states)
    assert (first_memory is None and second_memory is None) or torch.equal(first_memory, second_memory)
    for weights in (
        [state["model"] for state in states],
        [load_weights(f / "model.safetensors") for f in (first, second)],
    ):
        assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    slow = [state["optimizer"]["lookahead_state"] for state in states]
    assert all(torch.equal(slow[0][key]["slow_params"], slow[1][key]["slow_params"]) for key in slow[0])


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """The folder of a training by a strategy of sampling that was never interrupted."""

    @cache
    def trained(strategy: str) -> Path:
        folder = tmp_path_factory.mktemp(strategy)
        run(folder, strategy=strategy)
        return folder

    return trained


@pytest.mark.parametrize(("steps", "expected"), [(None, [1, 1, 1]), (4, [2, 3, 3])])
def test_an_epoch_holds_each_case_once_or_as_often_as_its_steps_need(
    steps: int | None, expected: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[int] = []
    begin = BatchMaker.begin

    def record(maker: BatchMaker, indices: list[int], generator: torch.Generator) -> Callable[[], Batch]:
        drawn.extend(indices)
        return begin(maker, indices, generator)

    monkeypatch.setattr(BatchMaker, "begin", record)
    run(tmp_path, epochs=1, steps_per_epoch=steps)
    assert sorted(Counter(drawn).values()) == expected
    recipe = make_recipe(steps_per_epoch=steps)
    assert (recipe.cases_per_epoch(3), recipe.steps(3)) == (sum(expected), steps or 2)


def test_another_seed_is_another_training(whole: Whole, tmp_path: Path) -> None:
    run(tmp_path, seed=8)
    assert course(tmp_path) != course(whole("uniform"))


def test_checkpointing_is_the_same_training(whole: Whole, tmp_path: Path) -> None:
    assert run(tmp_path, checkpointing=True).encoder.execution.checkpointing
    assert_same(tmp_path, whole("uniform"))


def test_lean_training_is_the_same_up_to_rounding(tmp_path: Path) -> None:
    """Ten steps, in which Lookahead joins its slow weights twice."""
    changes: dict[str, Any] = {"epochs": 5, "strategy": "confidence", "optimization": {"learning_rate": 0.003}}
    models = {name: run(tmp_path / name, memory=name, **changes) for name in ("plain", "lean", "leanest")}
    losses = {name: [past["loss"] for past in course(tmp_path / name)] for name in models}
    before, plain = make_model().state_dict(), models["plain"].state_dict()
    moved = torch.cat([(value - before[name]).flatten().float() for name, value in plain.items()])
    for memory in ("lean", "leanest"):
        assert models[memory].encoder.execution.memory == memory
        lean = models[memory].state_dict()
        apart = torch.cat([(value - lean[name]).flatten().float() for name, value in plain.items()])
        assert apart.norm() < 1e-5 * moved.norm(), memory
        assert losses[memory] == pytest.approx(losses["plain"], rel=1e-5), memory


def test_lean_training_goes_on_exactly(tmp_path: Path) -> None:
    run(tmp_path / "whole", memory="lean")
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "halted", interrupting(1, lambda _: None), memory="lean")
    run(tmp_path / "halted", memory="lean")
    assert_same(tmp_path / "whole", tmp_path / "halted")


def test_float16_training_goes_on_exactly_with_its_scale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the six steps some overflow and are left out; after each other one the scale doubles."""
    scaler = partial(torch.amp.GradScaler, init_scale=2.0**24, growth_interval=1)
    monkeypatch.setattr(torch.amp, "GradScaler", scaler)
    run(tmp_path / "whole", precision="float16")
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "halted", interrupting(1, lambda _: None), precision="float16")
    run(tmp_path / "halted", precision="float16")
    assert_same(tmp_path / "whole", tmp_path / "halted")
    first, second = (load_checkpoint(tmp_path / name / "checkpoint.pt")["scaler"] for name in ("whole", "halted"))
    assert first == second
    assert 2.0**18 < first["scale"] < 2.0**30
    assert math.log2(first["scale"]) % 1 == 0


@pytest.mark.parametrize(
    ("strategy", "precision"),
    [("uniform", "float32"), ("confidence", "float32"), ("uniform", "bfloat16"), ("uniform", "float16")],
)
def test_it_learns(strategy: str, precision: str, tmp_path: Path) -> None:
    optimization = {"learning_rate": 0.03}
    model = run(tmp_path, strategy=strategy, precision=precision, epochs=8, optimization=optimization)
    losses = [past["loss"] for past in course(tmp_path)]
    assert losses[-1] < 0.8 * losses[0]
    assert model.encoder.execution.precision == precision
    assert all(parameter.dtype == torch.float32 for parameter in model.parameters())


def interrupting(call: int, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, interrupted at one of its calls."""
    calls = itertools.count()

    def interrupted(*arguments: Any) -> Any:
        if next(calls) == call:
            raise KeyboardInterrupt
        return function(*arguments)

    return interrupted


@pytest.mark.parametrize(("strategy", "last"), [("uniform", 0), ("uniform", 1), ("uniform", 2), ("confidence", 1)])
def test_interrupted_after_an_epoch_it_goes_on_exactly(strategy: str, last: int, whole: Whole, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, interrupting(last, lambda _: None), strategy=strategy)
    seen: list[int] = []
    run(tmp_path, lambda report: seen.append(report.epoch), strategy=strategy)
    assert seen == list(range(EPOCHS))
    assert_same(tmp_path, whole(strategy))


# Three cases in batches of two make two steps per epoch; the second epoch and the third are validated.
@pytest.mark.parametrize(
    ("function", "call"),
    [("loss", 0), ("loss", 3), ("loss", 4), ("save_weights", 0), ("save_checkpoint", 1), ("score", 1)],
)
def test_interrupted_within_an_epoch_it_goes_on_exactly(
    function: str, call: int, whole: Whole, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = OSSNetC if function == "loss" else loop
    with monkeypatch.context() as patch:
        patch.setattr(place, function, interrupting(call, getattr(place, function)))
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path, strategy="confidence")
    run(tmp_path, strategy="confidence")
    assert_same(tmp_path, whole("confidence"))


def test_a_finished_training_is_not_repeated(whole: Whole, tmp_path: Path) -> None:
    folder = shutil.copytree(whole("uniform"), tmp_path / "again")
    written = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    model = run(folder)
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == written
    weights = load_weights(folder / "model.safetensors")
    assert all(torch.equal(value, weights[name]) for name, value in model.state_dict().items())


def test_the_history_is_a_table(whole: Whole) -> None:
    table = pd.read_csv(whole("uniform") / "history.csv")
    assert list(table) == ["epoch", "loss", "seconds", "dice", "iou", "waiting_s", "validation_s", "protocol"]
    assert table["epoch"].tolist() == list(range(EPOCHS))
    assert ((table["waiting_s"] > 0) & (table["waiting_s"] < table["seconds"])).all()
    # Validated every second epoch and after the last.
    assert table["iou"].notna().tolist() == [False, True, True]
    files = {path.name for path in whole("uniform").iterdir()}
    assert files == {"checkpoint.pt", "history.csv", "model.safetensors"}


NAN = float("nan")


@pytest.mark.parametrize(
    ("ious", "best"),
    [([0.2, 0.6, 0.6], 1), ([0.3, 0.2, 0.1], 0), ([NAN, 0.4, NAN], 1), ([0.4, NAN, 0.5], 2), ([NAN] * 3, 0)],
)
def test_the_best_epoch_is_the_first_of_the_highest_iou(ious: list[float], best: int) -> None:
    history = [EpochReport(epoch, 0.1, 1.0, 0.5, iou) for epoch, iou in enumerate(ious)]
    assert best_epoch(history) is history[best]


def test_the_weights_of_the_best_epoch_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[dict[str, torch.Tensor]] = []

    def score(model: SegmentationModel, *_: object) -> dict[str, dict[str, float]]:
        seen.append({name: value.clone() for name, value in model.state_dict().items()})
        return {"one": {"dice": 0.5, "iou": [0.2, 0.6, 0.6][len(seen) - 1]}}

    monkeypatch.setattr(loop, "score", score)
    model = run(tmp_path, validation={"every": 1})
    for weights in (model.state_dict(), load_weights(tmp_path / "model.safetensors")):
        assert all(torch.equal(weights[name], value) for name, value in seen[1].items())


def test_without_validation_the_last_epoch_is_kept(tmp_path: Path) -> None:
    model = make_model()
    train(model, CASES, [], make_recipe(), 7, tmp_path, "identity")
    state = load_checkpoint(tmp_path / "checkpoint.pt")
    assert all(torch.equal(value, state["model"][name]) for name, value in model.state_dict().items())
    assert best_epoch([EpochReport(**past) for past in state["history"]]) is None


def test_a_checkpoint_that_is_another_runs_or_damaged_is_refused(whole: Whole, tmp_path: Path) -> None:
    checkpoint = (whole("uniform") / "checkpoint.pt").read_bytes()
    (tmp_path / "checkpoint.pt").write_bytes(checkpoint)
    with pytest.raises(UserError, match=r"checkpoint\.pt .*another configuration"):
        train(make_model(), CASES, [], make_recipe(), 7, tmp_path, "other")
    (tmp_path / "checkpoint.pt").write_bytes(checkpoint[:-100])
    with pytest.raises(UserError, match=r"checkpoint\.pt .*damaged"):
        run(tmp_path)


def test_a_full_disk_stops_it_and_room_lets_it_go_on(
    whole: Whole, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    def fill(report: EpochReport) -> None:
        if report.epoch == 1:
            patch.setattr("os.replace", full)

    with monkeypatch.context() as patch, pytest.raises(UserError, match="No space left on device"):
        run(tmp_path, fill)
    assert len(course(tmp_path)) == 2
    assert not list(tmp_path.glob(".*"))
    run(tmp_path)
    assert_same(tmp_path, whole("uniform"))


def test_the_uncertainty_of_every_case_is_in_the_checkpoint(whole: Whole) -> None:
    uncertainty = load_checkpoint(whole("confidence") / "checkpoint.pt")["unsureness"]
    assert uncertainty.shape == (len(CASES), 4**3)
    assert ((uncertainty >= 0) & (uncertainty <= 1)).all()
    assert (uncertainty < 1).any(dim=1).all()


def test_learning_rates_follow_the_schedule(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    factors: list[float] = []
    monkeypatch.setattr(loop, "set_learning_rates", lambda _, factor: factors.append(factor))
    run(tmp_path, epochs=2, optimization={"schedule": "cosine"})
    # Two steps per epoch: after 0, 1/4, 1/2 and 3/4 of the run.
    assert factors == pytest.approx([(1 + math.cos(math.pi * part / 4)) / 2 for part in range(4)])
