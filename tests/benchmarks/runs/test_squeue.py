import os
from pathlib import Path

import pytest

from benchmarks.runs import squeue
from benchmarks.runs.executor import Ending
from benchmarks.runs.slurm import SlurmExecutor, SlurmSettings
from benchmarks.runs.squeue import Queue, QueuedJob
from ossnet.errors import UserError


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of an `squeue` that prints its file `answer`, and fails where there is none."""
    folder = tmp_path / "slurm"
    folder.mkdir()
    for command in ("sbatch", "srun", "squeue", "scancel"):
        script = folder / command
        script.write_text(f'#!/bin/sh\necho "$@" >> {folder}/calls\ncat {folder}/answer\n')
        script.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    return folder


def test_jobs_by_their_id(slurm: Path) -> None:
    (slurm / "answer").write_text("17_3|RUNNING|0\n17_4|FAILED|768\n18|COMPLETING|0\n")
    assert Queue().jobs() == {
        "17_3": QueuedJob("RUNNING"),
        "17_4": QueuedJob("FAILED", 768),
        "18": QueuedJob("COMPLETING"),
    }


@pytest.mark.parametrize(
    ("wait_status", "status"),
    # Ended with 3; killed by signal 9 under srun, or itself; `sys.exit(-1)`, which is no signal.
    [(0, 0), (3 << 8, 3), (137 << 8, -9), (9, -9), (255 << 8, 255)],
)
def test_the_status_of_a_job(wait_status: int, status: int) -> None:
    assert QueuedJob("FAILED", wait_status).status == status


def test_what_has_ended() -> None:
    # One that was queued again, or is held, is not over.
    states = ("PENDING", "CONFIGURING", "RUNNING", "SUSPENDED", "COMPLETING", "REQUEUED", "REQUEUE_HOLD")
    assert not any(QueuedJob(state).ended for state in states)
    assert all(QueuedJob(state).ended for state in ("COMPLETED", "FAILED", "TIMEOUT", "OUT_OF_MEMORY", "CANCELLED"))


def test_slurm_is_not_asked_all_the_time(slurm: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr(squeue.time, "monotonic", lambda: clock[0])
    (slurm / "answer").write_text("")
    queue = Queue()

    def calls() -> int:
        queue.jobs()
        return len((slurm / "calls").read_text().splitlines())

    assert [calls(), calls()] == [1, 1]
    clock[0] += squeue.POLL_S
    assert [calls(), calls()] == [2, 2]
    queue.invalidate()
    assert calls() == 3


@pytest.fixture
def executor(slurm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SlurmExecutor:
    """An executor that asks SLURM as often as it is asked; its job 17 is of the folder of the test."""
    monkeypatch.setattr(squeue, "POLL_S", 0)
    (slurm / "answer").write_text("17|RUNNING|0\n")
    (tmp_path / "slurm.json").write_text('{"job_id": "17"}')
    return SlurmExecutor(print, tmp_path / "logs", SlurmSettings())


def test_while_slurm_does_not_answer_no_job_counts_as_ended(
    executor: SlurmExecutor, slurm: Path, tmp_path: Path
) -> None:
    task = executor.find_task(tmp_path)
    (slurm / "answer").unlink()
    assert not task.finished()
    with pytest.raises(UserError, match="SLURM does not answer"):
        executor.find_task(tmp_path)


def test_a_job_that_slurm_has_forgotten_has_ended(executor: SlurmExecutor, slurm: Path, tmp_path: Path) -> None:
    task = executor.find_task(tmp_path)
    (slurm / "answer").write_text("16|RUNNING|0\n")
    assert task.finished()
    assert task.reason() == "no longer known to SLURM"
    assert task.log == tmp_path / "logs" / "17_0_log.out"
    assert executor.find_task(tmp_path) is None


@pytest.mark.parametrize(
    ("state", "log", "reason"),
    [
        ("OUT_OF_MEMORY", "", "OUT_OF_MEMORY"),
        (
            "FAILED",
            "slurmstepd-node1: error: StepId=5.0 exceeded memory limit (41 > 20), being killed",
            "OUT_OF_MEMORY",
        ),
        ("FAILED", "slurmstepd: error: Detected 1 oom_kill event in StepId=5.0.", "OUT_OF_MEMORY"),
        ("FAILED", "this network exceeded memory limit", "killed by signal 9"),
        ("TIMEOUT", "", "TIMEOUT"),
    ],
)
def test_what_counts_as_out_of_memory(
    state: str, log: str, reason: str, executor: SlurmExecutor, slurm: Path, tmp_path: Path
) -> None:
    task = executor.find_task(tmp_path)
    (slurm / "answer").write_text(f"17|{state}|35072\n")
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "17_0_log.out").write_text(f"before\n{log}\nafter\n")
    assert task.finished()
    assert (task.ending() == Ending.OUT_OF_MEMORY) is (reason == "OUT_OF_MEMORY")
    assert task.reason() == reason
