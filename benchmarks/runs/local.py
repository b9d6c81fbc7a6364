"""The executor of this machine: one forked process per run."""

import gc
import os
import signal
import sys
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from typing import Any

import submitit
from submitit.core.submission import process_job
from submitit.core.utils import JobPaths

from benchmarks.machine.forkserver import forkserver_context
from benchmarks.runs.executor import Ending, MakeRun, status_text

INTERRUPT_S = 2.0
"""Seconds that an interrupted worker has to tidy up before it is killed."""


def kernel_oom_kills() -> int:
    """Return how many processes the kernel has killed for lack of memory since it booted; 0 where it does not count."""
    counters = Path("/proc/vmstat")
    lines = counters.read_text(encoding="utf-8").splitlines() if counters.exists() else []
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)


class _ForkingExecutor(submitit.LocalExecutor):
    """submitit's local executor without the controller process that it puts between this process and the worker.

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
        self.process = self.context.Process(target=_run_job, args=(self.folder, log, environment))
        self.process.start()
        return submitit.LocalJob(self.folder, job_id)


def _run_job(folder: Path, log: Path, environment: Mapping[str, str]) -> None:
    """Run a job of submitit, away from the terminal, the environment and the session of the server."""
    gc.freeze()  # What the server has imported stays, and to search it for garbage takes half a second.
    os.setsid()
    os.environ.clear()
    os.environ.update(environment)
    with log.open("ab") as output:
        for stream in (sys.stdout, sys.stderr):
            os.dup2(output.fileno(), stream.fileno())
    process_job(folder)


@dataclass(frozen=True)
class _LocalTask:
    """A worker process of this machine.

    Attributes:
        log: file of its output.
        oom_kills: `kernel_oom_kills` before it started.
        gpu: the GPU that it sees; None where no GPU was chosen for it.
    """

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
        """Interrupt the worker and its children, as Ctrl-C would, and kill them if that does not end it soon."""
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

    A worker survives when the process that started it is killed. The next one does not find it: the worker's lock on
    the run folder keeps others away. Logs are in `<run folder>/log`.

    Args:
        make_run: function that a worker calls with the path of a run folder.
        workers: number of tasks at a time.
        gpus: numbers or UUIDs of GPUs. Each task sees one of them, that with the fewest other tasks. Where there are
            none, tasks see what this process sees.
        imports: modules that are imported before a task starts, see `benchmarks.machine.forkserver`.
    """

    detached = False

    def __init__(self, make_run: MakeRun, workers: int, gpus: Sequence[str] = (), imports: Sequence[str] = ()) -> None:
        self.capacity = workers
        self._context = forkserver_context(imports)
        self._make_run = make_run
        self._gpus = gpus
        self._tasks: list[_LocalTask] = []

    def submit(self, folders: Sequence[Path]) -> list[_LocalTask]:
        """Start one process per run folder, at once."""
        return [self._start(folder) for folder in folders]

    def _start(self, folder: Path) -> _LocalTask:
        self._tasks = [task for task in self._tasks if not task.finished()]
        busy = [task.gpu for task in self._tasks]
        gpu = min(self._gpus, key=busy.count, default=None)
        executor = _ForkingExecutor(folder.absolute() / "log")
        executor.context = self._context
        if gpu is not None:
            executor.environment = {"CUDA_VISIBLE_DEVICES": gpu}
        oom_kills = kernel_oom_kills()
        job = executor.submit(self._make_run, str(folder))
        self._tasks.append(_LocalTask(executor.process, job.paths.stdout, oom_kills, gpu))
        return self._tasks[-1]

    def find_task(self, folder: Path) -> None:
        """Return None: a process that outlived the one that started it cannot be waited for."""
