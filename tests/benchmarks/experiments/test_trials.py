from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.experiments import trials
from benchmarks.experiments.trials import EPOCHS, Trials, largest_batch, time_steps, trial_identity
from benchmarks.scoring.scoring import Job
from ossnet.data.case import Dataset
from ossnet.errors import UserError
from ossnet.training.run import RunSpec

Specs = Callable[..., RunSpec]


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job("own.csv", {}, str(tmp_path / "cache"), 1, "python -m benchmarks run league")


def test_steps_of_a_training_are_timed_and_recorded_once(
    tiny_spec: Specs, dataset: Dataset, job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec, path = tiny_spec("onet"), tmp_path / "trials" / "league-own-tiny.jsonl"
    seconds = time_steps(spec, dataset, job)
    assert len(seconds) == EPOCHS - 1
    assert all(0 < each < 60 for each in seconds)
    monkeypatch.setattr(trials, "time_steps", lambda *_: [0.5, 0.1, 0.2])
    monkeypatch.setattr(trials, "predicted_bytes", lambda spec, batch: 7 * batch)
    made = Trials(path).make(spec, dataset, job)
    assert (made.model, made.batch_size, made.seconds_per_step, made.predicted_bytes) == ("onet", 2, 0.2, 14)
    assert made.provenance["command"] == job.command
    again, another = Trials(path), Trials(path)
    assert again.of(spec) == made
    assert again.of(tiny_spec("c")) is None
    again.make(tiny_spec("c"), dataset, job)
    monkeypatch.setattr(trials, "time_steps", lambda *_: pytest.fail("another process has made the trial"))
    assert another.make(tiny_spec("c"), dataset, job).seconds_per_step == 0.2
    assert Trials(path).of(spec) == made


def test_a_trial_is_of_all_that_a_steps_time_depends_on(tiny_spec: Specs) -> None:
    identity = trial_identity(tiny_spec())
    lengths = {"epochs": 9, "steps_per_epoch": 7, "validation": {"every": 3}, "optimization": {"learning_rate": 0.5}}
    assert trial_identity(tiny_spec(seed=5, changes={"recipe": lengths})) == identity
    for changes in ({"recipe": {"batch_size": 3}}, {"network": {"decoder_width": 9}}, {"recipe": {"norm_parts": 2}}):
        assert trial_identity(tiny_spec(changes=changes)) != identity


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "trials.jsonl").write_text('{"model": "c"}\n', encoding="utf-8")
    with pytest.raises(UserError, match="delete it"):
        Trials(tmp_path / "trials.jsonl")


@pytest.mark.parametrize(("limit", "batch"), [(0, 1), (149, 1), (150, 2), (1000, 19), (1049, 19), (1050, 20)])
def test_the_largest_batch_of_a_memory(
    limit: int, batch: int, tiny_spec: Specs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trials, "predicted_bytes", lambda spec, size: 50 + 50 * size)
    assert largest_batch(tiny_spec(), limit) == batch


def test_the_largest_batch_where_memory_grows_faster_than_two_cases_tell(
    tiny_spec: Specs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trials, "predicted_bytes", lambda spec, size: size**2)
    assert largest_batch(tiny_spec(), 50) == 7
