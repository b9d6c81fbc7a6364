"""The executor on a real SLURM."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from benchmarks.runs import squeue
from benchmarks.runs.executor import Ending, MakeRun, Task
from benchmarks.runs.slurm import SlurmExecutor, SlurmSettings
from ossnet.errors import UserError

Executors = Callable[[MakeRun], SlurmExecutor]

# A worker need not be able to import this module: functions that are made within functions travel by value.


@pytest.fixture
def executor_of(slurm_cluster: SlurmSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Executors:
    """An executor that calls a work, and asks SLURM as often as it is asked."""
    monkeypatch.setattr(squeue, "POLL_S", 0.1)
    return lambda work: SlurmExecutor(work, tmp_path / "logs", slurm_cluster)


@pytest.fixture
def folders(tmp_path: Path) -> list[Path]:
    made = [tmp_path / name for name in ("first run", "second", "third")]
    for folder in made:
        folder.mkdir()
    return made


@pytest.fixture
def stay_once() -> MakeRun:
    """Write one's process id and stay; called again for the same folder, end."""

    def work(folder: str) -> None:
        import os
        import time
        from pathlib import Path

        if (Path(folder) / "pid").exists():
            (Path(folder) / "again").touch()
            return
        (Path(folder) / "pid.part").write_text(str(os.getpid()))
        (Path(folder) / "pid.part").rename(Path(folder) / "pid")
        time.sleep(120)

    return work


def wait_for(condition: Callable[[], bool], seconds: float = 300) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.1)


def job_id(task: Task) -> str:
    return task.name.removeprefix("slurm ")


def worker(folder: Path) -> int:
    """Its process id, when it has got to work."""
    wait_for((folder / "pid").exists)
    return int((folder / "pid").read_text())


def test_an_array_runs_in_the_order_of_its_folders(
    executor_of: Executors, folders: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def work(folder: str) -> None:
        import os
        from pathlib import Path

        names = ("SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID")
        (Path(folder) / "job").write_text("_".join(os.environ[name] for name in names))
        print(f"made {folder}")
        if folder.endswith("third"):
            raise ValueError("no third")

    # Not from the root of the repository.
    monkeypatch.chdir(tmp_path)
    executor = executor_of(work)
    assert executor.detached
    tasks = executor.submit(folders)
    wait_for(lambda: all(task.finished() for task in tasks))
    assert [(folder / "job").read_text() for folder in folders] == [job_id(task) for task in tasks]
    assert json.loads((folders[1] / "slurm.json").read_text()) == {"job_id": job_id(tasks[1])}
    log = tmp_path / "logs" / f"{job_id(tasks[1])}_0_log.out"
    assert tasks[1].reason() == "ended with status 0"
    assert tasks[1].log == log
    assert f"made {folders[1]}" in log.read_text()
    assert tasks[2].reason() == "ended with status 1"
    assert [task.ending() for task in tasks] == [Ending.RETURNED, Ending.RETURNED, Ending.LOST]
    assert executor.submit([]) == []


def test_a_killed_worker_is_told_and_its_run_can_be_submitted_again(
    executor_of: Executors, folders: list[Path], stay_once: MakeRun
) -> None:
    executor = executor_of(stay_once)
    (task,) = executor.submit(folders[:1])
    os.kill(worker(folders[0]), signal.SIGKILL)
    wait_for(task.finished)
    assert task.reason() == "killed by signal 9"
    assert task.ending() == Ending.LOST
    assert executor.find_task(folders[0]) is None
    (task,) = executor.submit(folders[:1])
    wait_for(task.finished)
    assert task.reason() == "ended with status 0"
    assert (folders[0] / "again").exists()


def test_a_running_job_is_found_and_cancelled(executor_of: Executors, folders: list[Path], stay_once: MakeRun) -> None:
    (submitted,) = executor_of(stay_once).submit(folders[:1])
    pid = worker(folders[0])
    executor = executor_of(stay_once)
    assert executor.find_task(folders[1]) is None
    task = executor.find_task(folders[0])
    assert task is not None
    assert task.name == submitted.name
    assert not task.finished()
    assert task.reason() == "still in the queue"
    task.cancel()
    wait_for(lambda: task.finished() and submitted.finished())
    assert task.reason() == "CANCELLED"
    assert task.ending() == Ending.CANCELLED
    assert not psutil.pid_exists(pid)
    assert executor.find_task(folders[0]) is None


def test_a_worker_that_takes_too_much_memory_is_told(executor_of: Executors, folders: list[Path]) -> None:
    def work(folder: str) -> None:
        import time

        held = b"x" * 3 * 2**29
        time.sleep(60)
        print(len(held))

    (task,) = executor_of(work).submit(folders[:1])
    wait_for(task.finished)
    assert task.ending() == Ending.OUT_OF_MEMORY
    assert task.reason() == "OUT_OF_MEMORY"


def test_a_run_that_is_cut_off_by_the_time_limit_goes_on(
    executor_of: Executors, folders: list[Path], stay_once: MakeRun
) -> None:
    (task,) = executor_of(stay_once).submit(folders[:1])
    worker(folders[0])
    # What SLURM sends some time before its limit.
    subprocess.run(["scancel", "--signal=USR2", job_id(task)], check=True)
    while not (folders[0] / "again").exists():
        # Between its two turns it counts as queued.
        assert not task.finished()
        time.sleep(0.1)
    wait_for(task.finished)
    assert task.reason() == "ended with status 0"


def test_what_slurm_refuses_is_told(
    slurm_cluster: SlurmSettings, folders: list[Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    executor = SlurmExecutor(print, tmp_path / "logs", replace(slurm_cluster, partition="nowhere"))
    with pytest.raises(UserError, match="nvalid partition"):
        executor.submit(folders[:1])
    assert capfd.readouterr().err == ""
    assert not (folders[0] / "slurm.json").exists()
