import errno
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from benchmarks.experiments import trials
from benchmarks.experiments.trials import EPOCHS, Trials, largest_batch, time_steps, trial_identity
from benchmarks.scoring.scoring import Job
from ossnet.data.case import Dataset
from ossnet.errors import UserError
from ossnet.training.run import RunSpec

Specs = Callable[..., RunSpec]

CASES = 100
NO_LOOKAHEAD = {"recipe": {"optimization": {"lookahead": False}}}


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job("own.csv", {}, str(tmp_path / "cache"), 1, "python -m benchmarks run league")


def test_steps_of_a_training_are_timed_and_recorded_once(
    tiny_spec: Specs, dataset: Dataset, job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec, path = tiny_spec("onet"), tmp_path / "trials" / "league-own-tiny.jsonl"
    monkeypatch.setattr(trials, "DURATION_S", 0.0)
    short = time_steps(spec, dataset, job)
    assert len(short) == EPOCHS - 1
    assert all(0 < each < 60 for each in short)
    # A longer trial has more epochs, of which as many count as the short one says.
    monkeypatch.setattr(trials, "_time_epochs", lambda spec, epochs, *_: [0.5] * (epochs - 1))
    monkeypatch.setattr(trials, "DURATION_S", 14.0)
    assert len(time_steps(spec, dataset, job)) == 10
    monkeypatch.setattr(trials, "time_steps", lambda *_: [0.5, 0.1, 0.2])
    monkeypatch.setattr(trials, "predicted_bytes", lambda spec: 7 * spec.recipe.batch_size)
    made = Trials(path).make(spec, None, dataset, job)
    assert (made.model, made.batch_size, made.seconds_per_step, made.predicted_bytes) == ("onet", 2, 0.2, 14)
    assert made.provenance["command"] == job.command
    again, another = Trials(path), Trials(path)
    assert again.of(spec) == made
    assert again.of(tiny_spec("c")) is None
    again.make(tiny_spec("c"), None, dataset, job)
    monkeypatch.setattr(trials, "time_steps", lambda *_: pytest.fail("another process has made the trial"))
    assert another.make(tiny_spec("c"), None, dataset, job).seconds_per_step == 0.2
    assert Trials(path).of(spec) == made


def test_a_trial_is_of_all_that_a_steps_time_depends_on(tiny_spec: Specs) -> None:
    identity = trial_identity(tiny_spec())
    lengths = {"epochs": 9, "steps_per_epoch": 7, "validation": {"every": 3}, "optimization": {"learning_rate": 0.5}}
    assert trial_identity(tiny_spec(seed=5, changes={"recipe": lengths})) == identity
    for changes in (
        {"recipe": {"batch_size": 3}},
        {"network": {"decoder_width": 9}},
        {"recipe": {"norm_parts": 2}},
        NO_LOOKAHEAD,
    ):
        assert trial_identity(tiny_spec(changes=changes)) != identity


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "trials.jsonl").write_text('{"model": "c"}\n', encoding="utf-8")
    with pytest.raises(UserError, match="delete it"):
        Trials(tmp_path / "trials.jsonl")


@pytest.mark.parametrize(
    ("memory", "limit", "batch"),
    [
        *((lambda size: 50 + 50 * size, limit, batch) for limit, batch in [(0, 1), (149, 1), (150, 2), (1049, 19)]),
        (lambda size: size**2, 50, 7),
        # Where the weights take more than the first cases, two cases tell nothing of the others.
        (lambda size: max(300, 20 * size), 627, 31),
        # Lean training holds one case at a time, whatever the batch.
        (lambda size: 5, 627, CASES),
    ],
)
def test_the_largest_batch_within_a_limit(
    memory: Callable[[int], int], limit: int, batch: int, tiny_spec: Specs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trials, "predicted_bytes", lambda spec: memory(spec.recipe.batch_size))
    assert largest_batch(tiny_spec(), limit, CASES) == batch


def test_a_batch_that_fills_the_memory_of_another_model_is_found_once(
    tiny_spec: Specs, dataset: Dataset, job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec, other = tiny_spec("onet"), tiny_spec("c")
    monkeypatch.setattr(trials, "predicted_bytes", lambda spec: spec.recipe.batch_size)
    monkeypatch.setattr(trials, "time_steps", lambda spec, *_: [0.1 * spec.recipe.batch_size])
    found = Trials(tmp_path / "trials.jsonl")
    own = found.make(spec, None, dataset, job)
    assert own.batch_size == found.make(spec, other, dataset, job).batch_size == other.recipe.batch_size == 2
    # The same steps are not timed twice.
    assert found.of(spec, other) == replace(own, identity=trial_identity(spec, other))
    one = replace(spec, recipe=replace(spec.recipe, batch_size=1))
    assert found.of(one, other) == found.of(spec, other)
    assert found.of(spec, spec) is found.of(one) is None


def test_a_trial_that_fails_is_recorded(
    tiny_spec: Specs, dataset: Dataset, job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> list[float]:
        raise MemoryError

    monkeypatch.setattr(trials, "time_steps", fail)
    monkeypatch.setattr(trials, "predicted_bytes", lambda spec: 7)
    made = Trials(tmp_path / "trials.jsonl").make(tiny_spec(), None, dataset, job)
    assert (made.failure, made.seconds) == ("OOM", ())
    assert Trials(tmp_path / "trials.jsonl").of(tiny_spec()) == made


def test_a_full_disk_is_no_failure_of_the_model(
    tiny_spec: Specs, dataset: Dataset, job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> list[float]:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(trials, "time_steps", fail)
    found = Trials(tmp_path / "trials.jsonl")
    with pytest.raises(OSError, match="No space left"):
        found.make(tiny_spec(), None, dataset, job)
    assert found.of(tiny_spec()) is None


def test_trials_with_another_number_of_threads_are_refused(
    tiny_spec: Specs, dataset: Dataset, job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trials, "time_steps", lambda *_: [0.5])
    monkeypatch.setattr(trials, "predicted_bytes", lambda spec: 7)
    found = Trials(tmp_path / "trials.jsonl")
    found.require_made_here(job)
    threads = torch.get_num_threads()
    assert found.make(tiny_spec(), None, dataset, job).provenance["cpu"]["torch_threads"] == 1
    assert torch.get_num_threads() == threads
    found.require_made_here(job)
    with pytest.raises(UserError, match="2 threads"):
        found.require_made_here(replace(job, threads=2))
