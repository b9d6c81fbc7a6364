from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks import pool
from benchmarks.jobs import Job
from benchmarks.pool import run_jobs
from ossnet.run import RunSpec


def test_runs_are_made_in_processes_and_a_crash_is_told(
    tiny_spec: Callable[..., RunSpec],
    data_csv: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pool, "POLL_S", 0.05)
    good, crashed = (
        Job.under(tmp_path / "runs", tiny_spec(model, changes={"recipe": {"epochs": 1}}), str(data_csv), "laptop")
        for model in ("unet3d", "c")
    )
    # No mistake that a worker would tell of: where it wants a file to lock is a folder.
    (crashed.folder / "lock").mkdir(parents=True)
    run_jobs([good, crashed], tmp_path / "cache", workers=2, threads=1, label="runs")
    assert good.done
    assert good.failure is None
    log = crashed.folder / "log.txt"
    assert crashed.failure == f"the process ended with status 1; see {log}"
    assert "IsADirectoryError" in log.read_text()
    error = capfd.readouterr().err
    assert "unet3d seed 0: done after " in error
    assert "c seed 0: failed: the process ended with status 1" in error
    assert error.splitlines()[-1].startswith("runs: done in ")


def test_what_is_done_is_not_made_again(
    tiny_spec: Callable[..., RunSpec], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = Job.under(tmp_path, tiny_spec(), "own.csv", "laptop")
    job.prepare()
    (job.folder / "result.json").write_text("{}")
    monkeypatch.setattr(pool, "_start", lambda *_: pytest.fail("a run that is done was started"))
    run_jobs([job], tmp_path / "cache", workers=2, threads=1, label="runs")


class Worker:
    """A process that ends by itself, or only when it is told to."""

    returncode: int | None

    def __init__(self, ends: bool) -> None:
        self.returncode = 0 if ends else None

    def poll(self) -> int | None:
        return self.returncode

    def terminate(self) -> None:
        self.returncode = -15

    def wait(self) -> int | None:
        return self.returncode


def jobs_of(tiny_spec: Callable[..., RunSpec], folder: Path, count: int) -> list[Job]:
    return [Job.under(folder, tiny_spec(seed=seed), "own.csv", "laptop") for seed in range(count)]


def test_no_more_than_so_many_at_a_time(
    tiny_spec: Callable[..., RunSpec], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[int] = []
    at_a_time: list[int] = []

    def start(job: Job, *_: object) -> Any:
        started.append(job.spec.seed)
        job.folder.mkdir()
        (job.folder / "result.json").write_text("{}")
        return pool._Running(job, Worker(ends=True), 0.0, 0.0)

    monkeypatch.setattr(pool, "_start", start)
    monkeypatch.setattr(pool, "_finish", lambda item: None)
    monkeypatch.setattr(pool.time, "sleep", lambda _: at_a_time.append(len(started)))
    run_jobs(jobs_of(tiny_spec, tmp_path, 5), tmp_path, workers=2, threads=1, label="runs")
    assert started == [0, 1, 2, 3, 4]
    assert at_a_time == [2, 4, 5]


def test_interrupted_it_ends_its_workers(
    tiny_spec: Callable[..., RunSpec], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workers = [Worker(ends=False), Worker(ends=False)]
    waiting = iter(workers)

    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(pool, "_start", lambda job, *_: pool._Running(job, next(waiting), 0.0, 0.0))
    monkeypatch.setattr(pool.time, "sleep", interrupt)
    jobs = jobs_of(tiny_spec, tmp_path, 3)
    with pytest.raises(KeyboardInterrupt):
        run_jobs(jobs, tmp_path, workers=2, threads=1, label="runs")
    assert [worker.returncode for worker in workers] == [-15, -15]
    assert [job.failure for job in jobs] == [None] * 3


def of_model(model: str, trained: float = 0.0) -> Any:
    effort = 3.0 if model == "unet3d" else 1.0
    spec = SimpleNamespace(model=model)
    return SimpleNamespace(spec=spec, effort=effort, trained=lambda: trained, trained_at=lambda: 130.0)


def running(model: str, trained: float) -> Any:
    return SimpleNamespace(job=of_model(model, trained))


@pytest.mark.parametrize(
    ("waiting", "at_work", "seconds", "workers", "expected"),
    [
        # Before the first epoch of any run nothing is known.
        (["a", "b"], [], {}, 2, None),
        # 100 s to come and a half of 60 s, shared by two.
        (["a"], [("b", 0.5)], {"a": 100.0, "b": 60.0}, 2, 65.0),
        # A model that has not started takes the mean of the others: 80 + 80 + 60 - 60.
        (["c", "c"], [("b", 1.0)], {"a": 100.0, "b": 60.0}, 1, 160.0),
        # Three times the effort at the others' pace: 3 x 80.
        (["unet3d"], [], {"a": 100.0, "b": 60.0}, 1, 240.0),
        # The last run cannot be shared.
        ([], [("a", 0.1), ("b", 1.0)], {"a": 100.0, "b": 60.0}, 2, 90.0),
        ([], [], {"a": 100.0}, 2, 0.0),
    ],
)
def test_the_time_to_go(
    waiting: list[str],
    at_work: list[tuple[str, float]],
    seconds: dict[str, float],
    workers: int,
    expected: float | None,
) -> None:
    remaining = pool._remaining_s(
        [of_model(model) for model in waiting], [running(*item) for item in at_work], seconds, workers
    )
    assert remaining == (None if expected is None else pytest.approx(expected))


def test_the_pace_counts_what_was_trained_in_this_process() -> None:
    # Half was there before; a quarter of the run took 30 s.
    item = pool._Running(of_model("a", 0.75), Worker(ends=False), 100.0, 0.5)
    assert item.seconds() == pytest.approx(120)
    assert pool._Running(of_model("a", 0.5), Worker(ends=False), 100.0, 0.5).seconds() is None
