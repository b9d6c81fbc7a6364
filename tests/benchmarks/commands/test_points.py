import json
from pathlib import Path

import pytest
import torch

from benchmarks.commands import points
from benchmarks.commands.points import CPU_WORKERS, local_executor, visible_gpus
from benchmarks.machine.forkserver import FOR_RUNS, FOR_RUNS_WITHOUT_GPU
from benchmarks.runs.local import LocalExecutor
from benchmarks.runs.plan import Plan, PlannedRun
from benchmarks.runs.run_folder import Run, lock
from ossnet.errors import UserError


@pytest.mark.parametrize(
    ("count", "named", "expected"),
    [(0, None, []), (2, None, ["0", "1"]), (2, "3,5", ["3", "5"]), (1, "GPU-x", ["GPU-x"]), (0, "", [])],
)
def test_the_gpus_that_torch_sees(
    count: int, named: str | None, expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    if named is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", named)
    assert visible_gpus() == expected


@pytest.mark.parametrize(
    ("gpus", "workers", "expected"), [([], None, CPU_WORKERS), (["0", "1", "2"], None, 3), (["0"], 4, 4), ([], 1, 1)]
)
def test_there_are_as_many_runs_at_a_time_as_gpus_by_default(
    gpus: list[str], workers: int | None, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(points, "visible_gpus", lambda: gpus)
    monkeypatch.setattr(points, "LocalExecutor", lambda make_run, *how: how)
    assert local_executor(workers) == (expected, gpus, FOR_RUNS if gpus else FOR_RUNS_WITHOUT_GPU)


@pytest.fixture
def planned(tmp_path: Path) -> dict[str, PlannedRun]:
    """Two runs of one training, in two studies, and one run of another training; all are done."""
    runs = {}
    for name, training in {"table2": "first", "inference": "first", "other": "second"}.items():
        run = Run(tmp_path / "runs" / name, "c", 0, epochs=2, work=8.0, trained_in=tmp_path / "trainings" / training)
        runs[name] = PlannedRun(run, {"measurement": name, "training": {"dataset": training}}, {})
        run.prepare(runs[name].spec, {})
        run.training.mkdir(parents=True, exist_ok=True)
        for folder in (run.folder, run.training):
            (folder / "result.json").write_text("{}")
    return runs


def done(planned: dict[str, PlannedRun]) -> list[str]:
    return [name for name, (run, *_) in planned.items() if run.done and run.is_trained]


def test_force_deletes_other_runs_of_the_same_training(
    planned: dict[str, PlannedRun], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    executor = LocalExecutor(print, 1)
    with lock(planned["table2"].run.folder), pytest.raises(UserError, match=r"table2 is in progress.*--force"):
        points._delete([planned["inference"]], tmp_path, executor)
    assert done(planned) == ["table2", "inference", "other"]
    points._delete([planned["inference"]], tmp_path, executor)
    assert done(planned) == ["other"]
    assert not planned["table2"].run.done
    assert not planned["table2"].run.is_trained
    assert "1 other runs" in capsys.readouterr().err
    points._delete([planned["other"]], tmp_path, executor)
    assert capsys.readouterr().err == ""


def test_runs_of_the_first_study_come_first_and_its_longest_of_all(tmp_path: Path) -> None:
    short, long, shared, longest = (
        PlannedRun(Run(tmp_path / name, "c", 0, epochs=1, work=work), {}, {})
        for name, work in {"short": 1.0, "long": 2.0, "shared": 1.5, "longest": 9.0}.items()
    )
    first = Plan("table2", "own", "tiny", (short.run, shared.run, long.run))
    second = Plan("table1", "own", "tiny", (shared.run, longest.run))
    assert points._in_order([first, second], [longest, shared, short, long]) == [long, shared, short, longest]


def test_the_failure_of_a_training_in_progress_is_kept(planned: dict[str, PlannedRun]) -> None:
    runs = [run for run, *_ in planned.values()]
    for run in runs:
        (run.training / "failure.json").write_text(json.dumps({"reason": "OOM"}))
    with lock(planned["other"].run.training):
        points.clear_training_failures(runs)
    assert [run.training.name for run in runs if (run.training / "failure.json").exists()] == ["second"]
