"""How a run is made, whatever it measures."""

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from benchmarks import making
from benchmarks.making import make
from benchmarks.measurement import Job, Outcome
from benchmarks.runs import Run, State
from ossnet.config import plain

Measure = Callable[[Job, Path, torch.device], Outcome]
HOUR_S = 3600.0


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setattr(making.os, "nice", lambda _: 0)
    run = Run(tmp_path / "own-c-seed0-0123", "c", 0)
    run.prepare({}, plain(Job("own.csv", {}, "cache", torch.get_num_threads(), "python -m benchmarks run")))
    return run


def make_by(measure: Measure, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(making, "read_measurement", lambda folder: SimpleNamespace(measure=measure))
    make(run.folder)


def read(run: Run, name: str) -> Any:
    return json.loads((run.folder / name).read_text())


def test_where_there_is_a_result_everything_else_is_there(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def measure(job: Job, folder: Path, device: torch.device) -> Outcome:
        assert job.source == "own.csv"
        # Of a run that is killed now, it is known where and when.
        assert read(run, "provenance.json")["attempts"][0]["command"] == job.command
        assert run.state == State.MISSING
        return Outcome({"colour": "red"}, {"painting_s": 2.0})

    written: list[str] = []
    write = making.write_json
    monkeypatch.setattr(making, "write_json", lambda path, values: (written.append(path.name), write(path, values)))
    make_by(measure, run, monkeypatch)
    assert written == ["provenance.json", "provenance.json", "result.json"]
    assert run.state == State.DONE
    assert read(run, "result.json") == {"colour": "red"}
    assert read(run, "provenance.json")["timing"] == {"painting_s": 2.0}


def test_a_killed_attempt_counts_up_to_its_last_epoch(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    started = datetime.now(UTC).replace(microsecond=0)
    earlier = {"started": started.isoformat(), "seconds": 0.5}
    (run.folder / "provenance.json").write_text(json.dumps({"attempts": [earlier], "seconds": 0.5, "timing": {}}))
    (run.folder / "training").mkdir()
    history = run.folder / "training" / "history.csv"
    history.touch()
    os.utime(history, (started.timestamp() + HOUR_S,) * 2)
    make_by(lambda *_: Outcome({}, {}), run, monkeypatch)
    provenance = read(run, "provenance.json")
    assert provenance["attempts"][0]["seconds"] == HOUR_S
    assert provenance["seconds"] == HOUR_S + provenance["attempts"][1]["seconds"]


def test_a_library_that_fails_on_a_full_gpu_is_out_of_memory(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def measure(job: Job, folder: Path, device: torch.device) -> Outcome:
        raise RuntimeError("GET was unable to find an engine to execute this computation")

    make_by(measure, run, monkeypatch)
    assert run.failure == "RuntimeError: GET was unable to find an engine to execute this computation"
    monkeypatch.setattr(torch.cuda, "memory_stats", lambda: {"num_ooms": 1})
    make_by(measure, run, monkeypatch)
    assert run.failure == "OOM"


def test_a_job_of_another_version_is_a_failure_in_one_line(run: Run) -> None:
    (run.folder / "job.json").write_text(json.dumps({"colour": "red"}))
    make(run.folder)
    assert run.state == State.FAILED
    assert run.failure is not None
    assert f"{run.folder / 'job.json'}: " in run.failure
    assert "\n" not in run.failure
