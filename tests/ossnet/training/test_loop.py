import math
from collections import Counter
from collections.abc import Callable
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
from ossnet.network.occupancy_network import OccupancyNetworkConfig, OSSNetC
from ossnet.training import loop
from ossnet.training.checkpoint import load_checkpoint, load_weights
from ossnet.training.loop import EpochReport, best_epoch, train
from ossnet.training.recipe import Recipe

SHAPE = (16, 16, 16)
CONFIG = OccupancyNetworkConfig(
    **{"shape": SHAPE, "modalities": 1, "encoder_channels": (4, 4), "decoder_width": 8, "decoder_blocks": 1},
    **{"patch_size": 3, **OSSNetC.preset},
)
EPOCHS = 5


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


def run(folder: Path, report: Callable[[EpochReport], None] = lambda _: None, **changes: Any) -> OSSNetC:
    model = make_model()
    train(model, CASES, VALIDATION_CASES, make_recipe(**changes), 7, folder, "identity", report)
    return model


def course(folder: Path) -> list[dict[str, Any]]:
    """The history without the durations."""
    history = load_checkpoint(folder / "checkpoint.pt")["history"]
    return [{name: value for name, value in past.items() if name != "seconds"} for past in history]


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
def sampling(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Uniform sampling, unless a test parametrises the strategy."""
    return {"count": 32, "strategy": getattr(request, "param", "uniform"), "memory_cell": 5}


with_and_without_memory = pytest.mark.parametrize("sampling", ["uniform", "confidence"], indirect=True)


@pytest.fixture(scope="module")
def whole(sampling: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a training that was never interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    run(folder, sampling=sampling)
    return folder


@pytest.mark.parametrize(("steps", "expected"), [(None, [1] * 5), (6, [2, 2, 2, 3, 3])])
def test_an_epoch_holds_each_case_once_or_as_often_as_its_steps_need(steps: int | None, expected: list[int]) -> None:
    recipe = make_recipe(steps_per_epoch=steps)
    order = loop._epoch_order(5, recipe, torch.Generator().manual_seed(0))
    assert sorted(Counter(order.tolist()).values()) == expected
    assert recipe.cases_per_epoch(5) == sum(expected)
    assert recipe.steps(5) == len(order.split(recipe.batch_size))


@with_and_without_memory
def test_two_trainings_are_identical(sampling: dict[str, Any], whole: Path, tmp_path: Path) -> None:
    run(tmp_path, sampling=sampling)
    assert_same(tmp_path, whole)


def test_another_seed_is_another_training(whole: Path, tmp_path: Path) -> None:
    train(make_model(), CASES, VALIDATION_CASES, make_recipe(), 8, tmp_path, "identity")
    assert course(tmp_path) != course(whole)


def test_checkpointing_is_the_same_training(whole: Path, tmp_path: Path) -> None:
    run(tmp_path, checkpointing=True)
    assert_same(tmp_path, whole)


def test_in_bfloat16_it_is_another_training_that_learns(whole: Path, tmp_path: Path) -> None:
    model = run(tmp_path, precision="bfloat16", epochs=8, optimization={"learning_rate": 0.03})
    losses = [past["loss"] for past in course(tmp_path)]
    assert losses[-1] < 0.8 * losses[0]
    assert losses[0] != course(whole)[0]["loss"]
    assert losses[0] == pytest.approx(course(whole)[0]["loss"], rel=0.1)
    assert all(parameter.dtype == torch.float32 for parameter in model.parameters())


@with_and_without_memory
def test_it_learns(sampling: dict[str, Any], tmp_path: Path) -> None:
    run(tmp_path, sampling=sampling, epochs=8, optimization={"learning_rate": 0.03})
    losses = [past["loss"] for past in course(tmp_path)]
    assert losses[-1] < 0.8 * losses[0]


@pytest.mark.parametrize(
    ("sampling", "last"), [*(("uniform", epoch) for epoch in range(EPOCHS)), ("confidence", 2)], indirect=["sampling"]
)
def test_interrupted_after_an_epoch_it_goes_on_exactly(
    last: int, sampling: dict[str, Any], whole: Path, tmp_path: Path
) -> None:
    def interrupt(report: EpochReport) -> None:
        if report.epoch == last:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, interrupt, sampling=sampling)
    seen: list[int] = []
    run(tmp_path, lambda report: seen.append(report.epoch), sampling=sampling)
    assert seen == list(range(EPOCHS))
    assert_same(tmp_path, whole)


@with_and_without_memory
@pytest.mark.parametrize("step", [0, 3, 4])
def test_interrupted_in_an_epoch_it_goes_on_exactly(
    step: int, sampling: dict[str, Any], whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Three cases in batches of two make two steps per epoch.
    steps = iter(range(100))
    loss = OSSNetC.loss

    def interrupted(model: OSSNetC, batch: Batch, generator: torch.Generator) -> torch.Tensor:
        if next(steps) == step:
            raise KeyboardInterrupt
        return loss(model, batch, generator)

    with monkeypatch.context() as patch:
        patch.setattr(OSSNetC, "loss", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path, sampling=sampling)
    run(tmp_path, sampling=sampling)
    assert_same(tmp_path, whole)


@with_and_without_memory
@pytest.mark.parametrize(("function", "call"), [("save_weights", 0), ("save_checkpoint", 1), ("score", 1)])
def test_interrupted_between_two_files_it_goes_on_exactly(
    function: str, call: int, sampling: dict[str, Any], whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = iter(range(100))
    original = getattr(loop, function)

    def interrupted(*arguments: object) -> object:
        if next(calls) == call:
            raise KeyboardInterrupt
        return original(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(loop, function, interrupted)
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path, sampling=sampling)
    run(tmp_path, sampling=sampling)
    assert_same(tmp_path, whole)


def test_a_finished_training_is_not_repeated(whole: Path, tmp_path: Path) -> None:
    run(tmp_path)
    written = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    model = run(tmp_path)
    assert {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == written
    weights = load_weights(whole / "model.safetensors")
    assert all(torch.equal(value, weights[name]) for name, value in model.state_dict().items())


def test_the_history_is_a_table(whole: Path) -> None:
    table = pd.read_csv(whole / "history.csv")
    assert list(table) == ["epoch", "loss", "seconds", "dice", "iou", "protocol"]
    assert table["epoch"].tolist() == list(range(EPOCHS))
    # Validated every second epoch and after the last.
    assert table["iou"].notna().tolist() == [False, True, False, True, True]
    assert sorted(path.name for path in whole.iterdir()) == ["checkpoint.pt", "history.csv", "model.safetensors"]


def scripted(monkeypatch: pytest.MonkeyPatch, ious: list[float]) -> list[dict[str, torch.Tensor]]:
    """Have the validation give these IoUs, one after the other, and return the weights that it gets."""
    seen: list[dict[str, torch.Tensor]] = []

    def score(model: SegmentationModel, *_: object) -> dict[str, dict[str, float]]:
        seen.append({name: value.clone() for name, value in model.state_dict().items()})
        return {"one": {"dice": 0.5, "iou": ious[len(seen) - 1]}}

    monkeypatch.setattr(loop, "score", score)
    return seen


NAN = float("nan")


@pytest.mark.parametrize(
    ("ious", "best"),
    [([0.2, 0.6, 0.6], 1), ([0.3, 0.2, 0.1], 0), ([NAN, 0.4, NAN], 1), ([0.4, NAN, 0.5], 2), ([NAN] * 3, 0)],
)
def test_the_best_epoch_is_kept(ious: list[float], best: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = scripted(monkeypatch, ious)
    model = run(tmp_path, epochs=3, validation={"every": 1})
    for weights in (model.state_dict(), load_weights(tmp_path / "model.safetensors")):
        assert all(torch.equal(weights[name], value) for name, value in seen[best].items())
    history = [EpochReport(**past) for past in load_checkpoint(tmp_path / "checkpoint.pt")["history"]]
    chosen = best_epoch(history)
    assert chosen is not None
    assert chosen.epoch == best


def test_without_validation_the_last_epoch_is_kept(tmp_path: Path) -> None:
    model = make_model()
    train(model, CASES, [], make_recipe(), 7, tmp_path, "identity")
    state = load_checkpoint(tmp_path / "checkpoint.pt")
    assert all(torch.equal(value, state["model"][name]) for name, value in model.state_dict().items())
    assert best_epoch([EpochReport(**past) for past in state["history"]]) is None


def test_a_checkpoint_of_another_run_is_refused(whole: Path, tmp_path: Path) -> None:
    (tmp_path / "checkpoint.pt").write_bytes((whole / "checkpoint.pt").read_bytes())
    with pytest.raises(UserError, match=r"checkpoint\.pt .*another configuration"):
        train(make_model(), CASES, [], make_recipe(), 7, tmp_path, "other")


def test_a_damaged_checkpoint_is_refused(whole: Path, tmp_path: Path) -> None:
    (tmp_path / "checkpoint.pt").write_bytes((whole / "checkpoint.pt").read_bytes()[:-100])
    with pytest.raises(UserError, match=r"checkpoint\.pt .*damaged"):
        run(tmp_path)


def test_a_full_disk_stops_it_and_room_lets_it_go_on(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
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
    assert_same(tmp_path, whole)


@pytest.mark.parametrize("sampling", ["confidence"], indirect=True)
def test_the_uncertainty_of_every_case_is_in_the_checkpoint(whole: Path) -> None:
    uncertainty = load_checkpoint(whole / "checkpoint.pt")["unsureness"]
    assert uncertainty.shape == (len(CASES), 4**3)
    assert ((uncertainty >= 0) & (uncertainty <= 1)).all()
    assert (uncertainty < 1).any(dim=1).all()


def test_learning_rates_follow_the_schedule(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    factors: list[float] = []
    monkeypatch.setattr(loop, "set_learning_rates", lambda _, factor: factors.append(factor))
    run(tmp_path, epochs=2, optimization={"schedule": "cosine"})
    # Two steps per epoch: after 0, 1/4, 1/2 and 3/4 of the run.
    assert factors == pytest.approx([(1 + math.cos(math.pi * part / 4)) / 2 for part in range(4)])
