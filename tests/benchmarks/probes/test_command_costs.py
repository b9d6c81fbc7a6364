"""Commands are run and measured, at tiny shapes, and leave nothing behind."""

import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.machine.subprocess_worker import Outcome
from benchmarks.probes.command_costs import STEPS, arguments_of, prepared_grid
from benchmarks.probes.limits import LARGE_PREPARATION, LIMITS, PREPARATION, TRAINING
from benchmarks.probes.prober import Prober
from benchmarks.workload import PAPER_VOLUMES, Probe
from ossnet.training.profile import load_profile

SHAPE, LARGER_SHAPE = (34, 40, 20), (100, 70, 40)
"""Small shapes, of which the encoder for LiTS, with a block more, needs the larger one."""

TINY_TRAINING = replace(TRAINING, shape=SHAPE, locations=32, batch_size=3)
MEASURED = {"wall_s", "cpu_s", "process_bytes", "resident_before_bytes"}

pytestmark = pytest.mark.usefixtures("forkserver")


@pytest.fixture
def measure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> "Measure":
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return Measure(tmp_path)


class Measure:
    """Measures a probe as a study does, and looks what is left in the folder of temporary files."""

    def __init__(self, temporary: Path) -> None:
        self.temporary = temporary

    def __call__(self, probe: Probe, limit_s: float = 120) -> Outcome:
        with Prober("cpu", limit_s) as prober:
            outcome = prober.answer(probe, limit_s)
        assert list(self.temporary.glob("ossnet-*")) == []
        return outcome


@pytest.mark.parametrize("probe", [replace(PREPARATION, shape=SHAPE), replace(LARGE_PREPARATION, shape=LARGER_SHAPE)])
def test_a_preparation_is_measured(probe: Probe, measure: Measure) -> None:
    outcome = measure(probe)
    assert outcome.failure is None
    assert outcome.result.keys() == MEASURED
    assert all(value > 0 for value in outcome.result.values())
    assert outcome.result["process_bytes"] >= outcome.result["resident_before_bytes"]


def test_the_steps_of_a_training_are_measured(measure: Measure) -> None:
    outcome = measure(TINY_TRAINING)
    assert outcome.failure is None
    result = outcome.result
    assert result.keys() == MEASURED | {"steps", "steps_s", "waiting_share"}
    assert result["steps"] == STEPS
    assert 0 < result["steps_s"] < result["wall_s"]
    assert 0 < result["waiting_share"] < 1
    # Weights, gradients and the optimiser's state are larger than what was there before.
    assert result["process_bytes"] > result["resident_before_bytes"] + 10**8


def test_a_command_that_fails_gives_its_message(measure: Measure) -> None:
    outcome = measure(replace(TINY_TRAINING, implementation="released"))
    assert outcome.result is None
    assert outcome.failure is not None
    assert "recipe.memory" in outcome.failure


def test_a_command_without_time_is_ended_and_its_folder_removed(measure: Measure) -> None:
    outcome = measure(TINY_TRAINING, 0.5)
    assert (outcome.result, outcome.failure is None) == (None, False)


def test_full_size_commands_are_those_of_the_paper() -> None:
    paper = load_profile("paper")
    for data, name in (("brats", "brats2020"), ("lits", "lits")):
        grid, _ = PAPER_VOLUMES[data]
        settings = paper.settings("c", name)
        assert tuple(settings["preprocessing"]["shape"]) == grid
        assert {prepared_grid(probe.shape) for probe in LIMITS if probe.dataset == data} == {grid}
    assert prepared_grid(SHAPE) == (64, 64, 32)
    arguments = arguments_of(TRAINING, Path())
    for setting in ("batch_size=8", "sampling.count=16384", "memory=lean", f"steps_per_epoch={STEPS}"):
        assert f"recipe.{setting}" in arguments
