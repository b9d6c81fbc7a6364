import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from benchmarks.runs import local
from benchmarks.runs.executor import Ending, MakeRun
from benchmarks.runs.local import LocalExecutor

pytestmark = pytest.mark.usefixtures("forkserver")

# A worker need not be able to import this module: functions that are made within functions travel by value.


def wait_for(condition: Callable[[], bool], seconds: float = 300) -> None:
    """Wait for an event; so long only lest a test hangs where it never comes."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


@pytest.fixture
def folders(tmp_path: Path) -> list[Path]:
    made = [tmp_path / name for name in ("first run", "second")]
    for folder in made:
        folder.mkdir()
    return made


@pytest.fixture
def stay() -> MakeRun:
    """Write one's process id and that of a child, and stay busy; where the folder says so, deaf to interrupts."""

    def work(folder: str) -> None:
        import os
        import signal
        import subprocess
        from pathlib import Path

        if (Path(folder) / "deaf").exists():
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        child = subprocess.Popen(["sleep", "600"])
        try:
            (Path(folder) / "pids.part").write_text(f"{os.getpid()} {child.pid}")
            (Path(folder) / "pids.part").rename(Path(folder) / "pids")
            while True:
                sum(range(10_000))
        finally:
            (Path(folder) / "tidied").touch()

    return work


def pids(folder: Path) -> list[int]:
    wait_for((folder / "pids").exists)
    return [int(pid) for pid in (folder / "pids").read_text().split()]


def alive(pid: int) -> bool:
    """Return whether a process runs; an orphan that has ended may stay a zombie where nobody collects it."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_tasks_run_at_a_time_in_the_order_of_their_folders_each_with_a_session_of_its_own(
    folders: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def meet(folder: str) -> None:
        import os
        import sys
        import time
        from pathlib import Path

        devices = os.environ.get("CUDA_VISIBLE_DEVICES")
        (Path(folder) / "seen").write_text(f"{devices} {os.getsid(0)} {os.getpid()} {sys.executable}")
        while len(list(Path(folder).parent.glob("*/seen"))) < 2:
            time.sleep(0.02)

    # Not from the root of the repository, and with GPUs that a worker must see as this process does.
    monkeypatch.chdir(folders[0])
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    executor = LocalExecutor(meet, workers=2)
    assert (executor.capacity, executor.detached) == (2, False)
    tasks = executor.submit(folders)
    wait_for(lambda: all(task.finished() for task in tasks))
    # In a session of its own, Ctrl-C in the terminal does not reach it.
    pids = [task.name.removeprefix("pid ") for task in tasks]
    seen = [(folder / "seen").read_text() for folder in folders]
    assert seen == [f"3 {pid} {pid} {sys.executable}" for pid in pids]
    (log,) = (folders[0] / "log").glob("*_log.out")
    assert tasks[0].reason() == "ended with status 0"
    assert tasks[0].log == log
    assert tasks[0].ending() == Ending.RETURNED
    assert executor.find_task(folders[0]) is None
    tasks[0].cancel()


def test_an_exception_is_told_as_a_status_and_in_the_log(folders: list[Path]) -> None:
    def work(folder: str) -> None:
        raise ValueError(f"nothing in {folder}")

    (task,) = LocalExecutor(work, workers=1).submit(folders[:1])
    wait_for(task.finished)
    assert task.reason() == "ended with status 1"
    assert task.ending() == Ending.LOST
    assert f"ValueError: nothing in {folders[0]}" in task.log.read_text()


def test_a_killed_worker_is_out_of_memory_where_the_kernel_has_counted_one_more(
    folders: list[Path], stay: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    (task,) = LocalExecutor(stay, workers=1).submit(folders[:1])
    started = pids(folders[0])
    assert not task.finished()
    for pid in started:
        os.kill(pid, signal.SIGKILL)
    wait_for(task.finished)
    assert task.reason() == "killed by signal 9"
    assert task.ending() == Ending.LOST
    kills = local.kernel_oom_kills()
    monkeypatch.setattr(local, "kernel_oom_kills", lambda: kills + 1)
    assert task.ending() == Ending.OUT_OF_MEMORY


def test_cancelled_a_worker_tidies_up_and_ends_with_its_children(
    folders: list[Path], stay: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "INTERRUPT_S", 300)
    (task,) = LocalExecutor(stay, workers=1).submit(folders[:1])
    started = pids(folders[0])
    task.cancel()
    assert task.finished()
    wait_for(lambda: not any(alive(pid) for pid in started))
    assert (folders[0] / "tidied").exists()
    task.cancel()


def test_cancelled_a_worker_that_does_not_listen_is_killed(
    folders: list[Path], stay: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "INTERRUPT_S", 0.1)
    (folders[0] / "deaf").touch()
    (task,) = LocalExecutor(stay, workers=1).submit(folders[:1])
    started = pids(folders[0])
    task.cancel()
    wait_for(lambda: not any(alive(pid) for pid in started))
    assert task.reason() == "killed by signal 9"


def test_cancelled_a_worker_that_has_just_started_ends(folders: list[Path], stay: MakeRun) -> None:
    tasks = LocalExecutor(stay, workers=2).submit(folders)
    for task in tasks:
        task.cancel()
    assert all(task.finished() for task in tasks)


def test_each_worker_sees_the_gpu_with_the_fewest_others(folders: list[Path]) -> None:
    def work(folder: str) -> None:
        import os
        import time
        from pathlib import Path

        (Path(folder) / "gpu").write_text(os.environ["CUDA_VISIBLE_DEVICES"])
        while not (Path(folder) / "end").exists():
            time.sleep(0.02)

    executor = LocalExecutor(work, 2, ["3", "GPU-x"])
    tasks = executor.submit(folders)

    def wait_for_gpu(folder: Path, gpu: str) -> None:
        wait_for(lambda: (folder / "gpu").exists() and (folder / "gpu").read_text() == gpu)

    for task, folder, gpu in zip(tasks, folders, ("3", "GPU-x"), strict=True):
        wait_for_gpu(folder, gpu)
        assert not task.finished()
    (folders[1] / "end").touch()
    wait_for(tasks[1].finished)
    (folders[1] / "end").unlink()
    (folders[1] / "gpu").unlink()
    (again,) = executor.submit(folders[1:])
    wait_for_gpu(folders[1], "GPU-x")
    for folder in folders:
        (folder / "end").touch()
    wait_for(tasks[0].finished)
    wait_for(again.finished)
