from pathlib import Path

import pytest

from benchmarks.commands import status
from benchmarks.commands.status import MAX_LISTED, describe, queued_runs
from benchmarks.runs import run_folder as states
from benchmarks.runs.plan import Plan
from benchmarks.runs.run_folder import Run
from benchmarks.runs.squeue import QueuedJob


def plan_of(folder: Path, number: int) -> Plan:
    runs = [Run(folder / f"run{n}", "c", n, {"sampling": "border"}, epochs=4, work=10.0) for n in range(number)]
    return Plan("table1", "own", "laptop", tuple(runs))


def finish(run: Run, seconds: float) -> None:
    run.folder.mkdir(parents=True)
    (run.folder / "result.json").write_text("{}")
    (run.folder / "provenance.json").write_text(f'{{"seconds": {seconds}}}')


def test_what_is_running_and_what_failed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = plan_of(tmp_path, 5)
    # Before anything has run no time is guessed.
    assert describe(plan) == ["table1 on own, profile laptop: 5 runs, 0 done, 0 failed, 0 running, 5 missing"]
    finish(plan.runs[0], 60)
    plan.runs[1].prepare({}, {})
    plan.runs[1].fail("OOM")
    history = plan.runs[2].folder / "training" / "history.csv"
    history.parent.mkdir(parents=True)
    history.write_text("epoch\n0\n")
    monkeypatch.setattr(states, "is_locked", lambda folder: folder == plan.runs[2].folder)
    assert describe(plan) == [
        # Three quarters of one run and two whole ones, of a minute each.
        "table1 on own, profile laptop: 5 runs, 1 done, 1 failed, 1 running, 2 missing; about 3 min to go",
        "  c border seed 2: 25 % trained",
        "  c border seed 1: failed: OOM",
    ]


def test_a_long_list_is_cut(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, MAX_LISTED + 3)
    for run in plan.runs:
        run.prepare({}, {})
        run.fail("OOM")
    lines = describe(plan)
    assert len(lines) == 1 + MAX_LISTED + 1
    assert lines[-1] == "  and 3 more"


def test_what_waits_for_a_cluster_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = plan_of(tmp_path, 4)
    for run, job_id in zip(plan.runs, ("7_0", "7_1", "7_2"), strict=False):
        run.folder.mkdir()
        (run.folder / "slurm.json").write_text(f'{{"job_id": "{job_id}"}}')
    jobs = {"7_0": QueuedJob("PENDING"), "7_1": QueuedJob("FAILED")}
    monkeypatch.setattr(status.Queue, "jobs", lambda self: jobs)
    monkeypatch.setattr(status.shutil, "which", lambda _: None)
    assert queued_runs(plan) == set()
    monkeypatch.setattr(status.shutil, "which", lambda name: f"/usr/bin/{name}")
    assert queued_runs(plan) == {plan.runs[0].folder}
    assert describe(plan, queued_runs(plan))[0].endswith("4 missing (1 of them queued)")
