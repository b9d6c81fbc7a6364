"""How a run is made, whatever it measures."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from benchmarks.experiments import pipeline
from benchmarks.experiments.pipeline import train_and_measure
from benchmarks.runs.run_folder import Run, State
from benchmarks.scoring.scoring import Job, Outcome, training_folder
from ossnet.config import plain
from ossnet.data.case import Dataset
from ossnet.errors import UserError
from ossnet.training.run import RunSpec

Measure = Callable[..., Outcome]
Make = Callable[[Measure], None]


@pytest.fixture
def spec(tiny_spec: Callable[..., RunSpec]) -> RunSpec:
    return tiny_spec("c")


@pytest.fixture
def run(spec: RunSpec, tmp_path: Path) -> Run:
    run = Run(tmp_path / "runs" / "own-c-seed0-0123", "c", 0, trained_in=training_folder(tmp_path, spec))
    run.prepare(
        {}, plain(Job("own.csv", {}, str(tmp_path / "cache"), torch.get_num_threads(), "python -m benchmarks run"))
    )
    return run


@pytest.fixture
def make_by(run: Run, spec: RunSpec, dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Make the run with what measures it; its training takes no time."""
    trained = run.training / "result.json"
    monkeypatch.setattr(pipeline, "train_and_record", lambda *_: trained.write_text("{}"))
    monkeypatch.setattr(pipeline, "open_dataset", lambda *_, **__: dataset)
    monkeypatch.setattr(pipeline, "load_run", lambda *_: (None, spec))

    def make_with(measure: Measure) -> None:
        scoring = SimpleNamespace(training=spec, score=measure, split_of=lambda data: "test")
        monkeypatch.setattr(pipeline, "read_scoring", lambda _: scoring)
        train_and_measure(run.folder)

    return make_with


def read(run: Run, name: str) -> Any:
    return json.loads((run.folder / name).read_text())


def test_where_there_is_a_result_everything_else_is_there(
    run: Run, make_by: Make, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    def measure(model: object, data: Dataset, cache: Path, folder: Path) -> Outcome:
        assert (data, cache, folder) == (dataset, run.folder.parents[1] / "cache", run.folder)
        # Of a run that is killed now, it is known where and when.
        assert read(run, "provenance.json")["attempts"][0]["command"] == "python -m benchmarks run"
        assert run.is_trained
        assert run.state == State.MISSING
        return Outcome({"colour": "red"}, {"painting_s": 2.0})

    write = pipeline.write_json

    def write_last(path: Path, values: Any) -> None:
        assert path == run.folder / "result.json"
        assert read(run, "provenance.json")["timing"] == {"painting_s": 2.0}
        write(path, values)

    monkeypatch.setattr(pipeline, "write_json", write_last)
    make_by(measure)
    assert run.state == State.DONE
    assert read(run, "result.json") == {"colour": "red"}


def test_a_failure_to_measure_is_none_to_train(run: Run, make_by: Make) -> None:
    def measure(*_: object) -> Outcome:
        raise UserError("there is no case to measure")

    make_by(measure)
    assert run.failure == "there is no case to measure"
    assert run.is_trained
    assert not (run.training / "failure.json").exists()


def test_a_library_that_fails_on_a_full_gpu_is_out_of_memory(
    run: Run, make_by: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def measure(*_: object) -> Outcome:
        raise RuntimeError("GET was unable to find an engine to execute this computation")

    make_by(measure)
    assert run.failure == "RuntimeError: GET was unable to find an engine to execute this computation"
    monkeypatch.setattr(torch.cuda, "memory_stats", lambda: {"num_ooms": 1})
    make_by(measure)
    assert run.failure == "OOM"


def test_a_job_of_another_version_is_a_failure_in_one_line(run: Run) -> None:
    (run.folder / "job.json").write_text(json.dumps({"colour": "red"}))
    train_and_measure(run.folder)
    assert run.state == State.FAILED
    assert run.failure is not None
    assert f"{run.folder / 'job.json'}: " in run.failure
    assert "\n" not in run.failure
