"""Where runs are made: what an executor is, and the one of this machine. For a cluster see `benchmarks.runs.slurm`."""

import os
import signal
import sys
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from typing import Any, Protocol

import submitit
from submitit.core.submission import process_job
from submitit.core.utils import JobPaths

from benchmarks.machine.forkserver import forking

Work = Callable[[str], object]
"""Makes the run of a folder, whose path it takes; it can be pickled, and goes on where an earlier call was cut off."""

INTERRUPT_S = 2.0
"""Time that an interrupted worker has to tidy up."""


class Ending(StrEnum):
    """How a task ended that left no record of its own."""

    RETURNED = "returned"
    """By itself, having left the run, or its training, to another process that was at work on it."""
    LOST = "lost"
    OUT_OF_MEMORY = "out of memory"
    EVICTED = "evicted"
    """By the scheduler, for reasons that are not the task's: it preempted it, or lost the node."""
    CANCELLED = "cancelled"


class Task(Protocol):
    """One call of the work, in a process of its own."""

    @property
    def name(self) -> str:
        """For people: `pid 4711` or `slurm 17_3`."""

    @property
    def log(self) -> Path:
        """Where its output is."""

    def finished(self) -> bool:
        """Whether it ended, in any way. Never raises."""

    def ending(self) -> Ending:
        """How a finished task ended, where it did not come to its own end."""

    def reason(self) -> str:
        """How a finished task ended, in words, without a path."""

    def cancel(self) -> None:
        """End it, or take it from the queue; nothing where it has ended."""


class Executor(Protocol):
    """Starts tasks.

    Attributes:
        capacity: tasks that it should hold at a time, queued ones included; the caller keeps to it.
        detached: whether its tasks outlive the caller. If not, the caller cancels them before it ends.
    """

    capacity: int
    detached: bool

    def submit(self, folders: Sequence[Path]) -> Sequence[Task]:
        """Start or queue one task a run folder, in that order."""

    def adopt(self, folder: Path) -> Task | None:
        """The task that an earlier process submitted for this run folder, where it is still queued or running."""


def status_text(status: int) -> str:
    """How a process ended, by its status as `subprocess` gives it."""
    return f"killed by signal {-status}" if status < 0 else f"ended with status {status}"


def kernel_oom_kills() -> int:
    """How many processes the kernel has ended for lack of memory since it started; 0 where it does not tell."""
    counters = Path("/proc/vmstat")
    lines = counters.read_text(encoding="utf-8").splitlines() if counters.exists() else []
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)


class _Worker(submitit.LocalExecutor):
    """submitit's local executor, without the controller process that it puts between this process and the worker.

    The controller would keep the worker's status to itself, end it after minutes, hide the GPUs from it, and get every
    Ctrl-C of the terminal. The worker has a session of its own instead, so that Ctrl-C reaches this process only. It is
    forked from a server that has imported what every worker needs: that takes seconds, and runs are many.
    """

    context: ForkServerContext
    process: ForkServerProcess
    environment: Mapping[str, str] = {}

    def _submit_command(self, command: str) -> submitit.LocalJob[Any]:
        job_id = uuid.uuid4().hex[:8]
        job = {"SUBMITIT_EXECUTOR": "local", "SUBMITIT_LOCAL_JOB_ID": job_id}
        log = JobPaths(self.folder, job_id).stdout
        log.touch()
        environment = {**os.environ, **job, **self.environment}
        self.process = self.context.Process(target=_begin, args=(self.folder, log, environment))
        self.process.start()
        return submitit.LocalJob(self.folder, job_id)


def _begin(folder: Path, log: Path, environment: Mapping[str, str]) -> None:
    """What a worker does first: leave the terminal, the environment and the session that the server gave it."""
    os.setsid()
    os.environ.clear()
    os.environ.update(environment)
    with log.open("ab") as output:
        for stream in (sys.stdout, sys.stderr):
            os.dup2(output.fileno(), stream.fileno())
    process_job(folder)


@dataclass(frozen=True)
class _LocalTask:
    process: ForkServerProcess
    log: Path
    oom_kills: int
    gpu: str | None = None

    @property
    def name(self) -> str:
        return f"pid {self.process.pid}"

    def finished(self) -> bool:
        return self.process.exitcode is not None

    def reason(self) -> str:
        return status_text(self._status())

    def ending(self) -> Ending:
        if self._status() == 0:
            return Ending.RETURNED
        # The kernel ends a process for its memory by the same signal as anyone else, but counts how often it did.
        killed = self._status() == -signal.SIGKILL
        return Ending.OUT_OF_MEMORY if killed and kernel_oom_kills() > self.oom_kills else Ending.LOST

    def cancel(self) -> None:
        """Interrupt the worker and its children, as Ctrl-C would, and kill them when that does not end it soon."""
        if self.finished():
            return
        self._signal(signal.SIGINT)
        self.process.join(INTERRUPT_S)
        if not self.finished():
            self._signal(signal.SIGKILL)
            self.process.join()

    def _status(self) -> int:
        self.process.join()
        status = self.process.exitcode
        assert status is not None
        return status

    def _signal(self, number: signal.Signals) -> None:
        pid = self.process.pid
        assert pid is not None
        try:
            os.killpg(pid, number)
        except ProcessLookupError:
            # It has no children yet, and heads no group: it has only just been forked.
            self.process.kill()


class LocalExecutor:
    """Processes of this machine.

    A worker survives when the process that started it is killed. The next one cannot adopt it: it is for the work to
    lock its folder. Logs are in `<run folder>/log`.

    Args:
        work: what a worker calls with the path of a run folder.
        workers: tasks at a time.
        gpus: by their numbers or UUIDs; each task sees one of them, that with the fewest other tasks. Of a machine
            without GPUs tasks see what this process sees.
        imports: modules that tasks find imported, see `benchmarks.machine.forkserver`.
    """

    detached = False

    def __init__(self, work: Work, workers: int, gpus: Sequence[str] = (), imports: Sequence[str] = ()) -> None:
        self.capacity = workers
        self._context = forking(imports)
        self._work = work
        self._gpus = gpus
        self._tasks: list[_LocalTask] = []

    def submit(self, folders: Sequence[Path]) -> list[_LocalTask]:
        """Start one process a run folder, at once."""
        return [self._start(folder) for folder in folders]

    def _start(self, folder: Path) -> _LocalTask:
        self._tasks = [task for task in self._tasks if not task.finished()]
        busy = [task.gpu for task in self._tasks]
        gpu = min(self._gpus, key=busy.count, default=None)
        worker = _Worker(folder.absolute() / "log")
        worker.context = self._context
        if gpu is not None:
            worker.environment = {"CUDA_VISIBLE_DEVICES": gpu}
        oom_kills = kernel_oom_kills()
        job = worker.submit(self._work, str(folder))
        self._tasks.append(_LocalTask(worker.process, job.paths.stdout, oom_kills, gpu))
        return self._tasks[-1]

    def adopt(self, folder: Path) -> None:
        """None: a process that outlived the one that started it cannot be waited for."""
