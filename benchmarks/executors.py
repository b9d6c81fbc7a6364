"""Where runs are made: in processes of this machine, or as jobs of SLURM. Both stand on `submitit`."""

import contextlib
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Protocol

import pydantic.dataclasses
import submitit
from pydantic import Field, StrictBool, StrictInt
from submitit.core.utils import FailedJobError, FailedSubmissionError, JobPaths

from benchmarks.squeue import Queue, QueuedJob, last_line
from ossnet.config import STRICT
from ossnet.errors import UserError
from ossnet.files import write_text

Work = Callable[[str], object]
"""Makes the run of a folder, whose path it takes; it can be pickled, and goes on where an earlier call was cut off."""

INTERRUPT_S = 2.0
"""Time that an interrupted worker has to tidy up."""

TIMEOUTS = 20
"""A run is queued again so often after SLURM's time limit cut it off: longer than the limit, but not without end."""

# In a job's log, where its step was ended for its memory but the job counts as failed.
MEMORY_KILL = re.compile(r"^slurmstepd.*(exceeded memory limit|oom.kill)", re.MULTILINE | re.IGNORECASE)


class Task(Protocol):
    """One call of the work, in a process of its own."""

    @property
    def name(self) -> str:
        """For people: `pid 4711` or `slurm 17_3`."""

    def finished(self) -> bool:
        """Whether it ended, in any way. Never raises."""

    def reason(self) -> str:
        """How a finished task ended, and the file of its log; for a run that left no record of its own."""

    def out_of_memory(self) -> bool:
        """Whether the scheduler ended the finished task for its memory."""

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


def _ending(status: int) -> str:
    """How a process ended, by its status as `subprocess` gives it."""
    return f"killed by signal {-status}" if status < 0 else f"ended with status {status}"


class _Worker(submitit.LocalExecutor):
    """submitit's local executor, without the controller process that it puts between this process and the worker.

    The controller would keep the worker's status to itself, end it after minutes, hide the GPUs from it, and get every
    Ctrl-C of the terminal. The worker has a session of its own instead, so that Ctrl-C reaches this process only.
    """

    process: subprocess.Popen[bytes]

    def _submit_command(self, command: str) -> submitit.LocalJob[Any]:
        job_id = uuid.uuid4().hex[:8]
        with JobPaths(self.folder, job_id).stdout.open("wb") as log:
            self.process = subprocess.Popen(
                shlex.split(command),
                env=os.environ | {"SUBMITIT_EXECUTOR": "local", "SUBMITIT_LOCAL_JOB_ID": job_id},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return submitit.LocalJob(self.folder, job_id, process=self.process)


@dataclass(frozen=True)
class _LocalTask:
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def name(self) -> str:
        return f"pid {self.process.pid}"

    def finished(self) -> bool:
        return self.process.poll() is not None

    def reason(self) -> str:
        return f"{_ending(self.process.wait())}; see {self.log}"

    def out_of_memory(self) -> bool:
        # The kernel ends a process by the same signal as anyone else and tells nobody.
        return False

    def cancel(self) -> None:
        """Interrupt the worker and its children, as Ctrl-C would, and kill them when that does not end it soon."""
        if self.finished():
            return
        os.killpg(self.process.pid, signal.SIGINT)
        try:
            self.process.wait(INTERRUPT_S)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


class LocalExecutor:
    """Processes of this machine.

    A worker survives when the process that started it is killed. The next one cannot adopt it: it is for the work to
    lock its folder. Logs are in `<run folder>/log`.

    Args:
        work: what a worker calls with the path of a run folder.
        workers: tasks at a time.
    """

    detached = False

    def __init__(self, work: Work, workers: int) -> None:
        self.capacity = workers
        self._work = work

    def submit(self, folders: Sequence[Path]) -> list[_LocalTask]:
        """Start one process a run folder, at once."""
        return [self._start(folder) for folder in folders]

    def _start(self, folder: Path) -> _LocalTask:
        worker = _Worker(folder / "log")
        job = worker.submit(self._work, str(folder))
        return _LocalTask(worker.process, job.paths.stdout)

    def adopt(self, folder: Path) -> None:
        """None: a process that outlived the one that started it cannot be waited for."""


@pydantic.dataclasses.dataclass(frozen=True, config=STRICT)
class SlurmSettings:
    """What each run asks of SLURM: the table `[slurm]` of a profile.

    Attributes:
        parallel: runs at a time.
        setup: lines of shell before the worker starts, such as `module load cuda`.
        extra: further options of `sbatch`, by their long name: `{qos = "long", exclusive = true}`; one that is
            false is left out.
    """

    partition: str | None = None
    account: str | None = None
    gpus: Annotated[int, Field(ge=0)] = 1
    cpus: Annotated[int, Field(ge=1)] = 4
    memory_gb: Annotated[int, Field(ge=1)] = 32
    time_min: Annotated[int, Field(ge=2)] = 1440
    parallel: Annotated[int, Field(ge=1)] = 32
    setup: tuple[str, ...] = ()
    extra: Mapping[str, StrictBool | StrictInt | str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Resumable(submitit.helpers.Checkpointable):
    """The work, called again with the same folder after a time-out or preemption: it has checkpoints of its own."""

    work: Work

    def __call__(self, folder: str) -> None:
        self.work(folder)


_GONE = QueuedJob("no longer known to SLURM")


@dataclass
class _SlurmTask:
    job_id: str
    log: Path
    queue: Queue
    _end: QueuedJob | None = None

    @property
    def name(self) -> str:
        return f"slurm {self.job_id}"

    def finished(self) -> bool:
        if self._end is None:
            try:
                job = self.queue.jobs().get(self.job_id, _GONE)
            except UserError:
                # The job goes on whether SLURM answers or not; the next time will tell.
                return False
            self._end = job if job is _GONE or job.ended else None
        return self._end is not None

    def reason(self) -> str:
        if self._end is None:
            how = "still in the queue"
        elif self.out_of_memory():
            how = "OUT_OF_MEMORY"
        elif self._end.state in ("COMPLETED", "FAILED"):
            how = _ending(self._end.status)
        else:
            how = self._end.state
        return f"{how}; see {self.log}"

    def out_of_memory(self) -> bool:
        if self._end is None or self._end.state != "FAILED" or not self.log.exists():
            return self._end is not None and self._end.state == "OUT_OF_MEMORY"
        return MEMORY_KILL.search(self.log.read_text(encoding="utf-8", errors="replace")) is not None

    def cancel(self) -> None:
        """`scancel`: SLURM gives a running worker some seconds (`KillWait`) before it kills it."""
        subprocess.run(["scancel", self.job_id], check=False)


class SlurmExecutor:
    """Jobs of SLURM: an array for each call of `submit`.

    A job that reaches its time limit or is preempted is queued again. One that was killed is not: submit its folder
    once more. The job's id is kept in `<run folder>/slurm.json`.

    Args:
        work: what a worker calls with the path of a run folder.
        logs: folder of the jobs' scripts and logs, on a file system that all nodes share.

    Raises:
        UserError: there is no SLURM here.
    """

    capacity = 1000  # Within SLURM's default limit of an array (`MaxArraySize`).
    detached = True

    def __init__(self, work: Work, logs: Path, settings: SlurmSettings) -> None:
        for command in ("sbatch", "srun", "squeue", "scancel"):
            if shutil.which(command) is None:
                raise UserError(f"no SLURM here: {command} is not on PATH; leave out --executor slurm")
        self._work = _Resumable(work)
        self._queue = Queue()
        extra = {option: value for option, value in settings.extra.items() if value is not False}
        self._submitter = submitit.SlurmExecutor(logs, max_num_timeout=TIMEOUTS)
        self._submitter.update_parameters(
            job_name="ossnet",
            partition=settings.partition,
            account=settings.account,
            gpus_per_node=settings.gpus or None,
            cpus_per_task=settings.cpus,
            mem=f"{settings.memory_gb}GB",
            time=settings.time_min,
            array_parallelism=settings.parallel,
            setup=list(settings.setup),
            stderr_to_stdout=True,
            # Since SLURM 22.05, srun does not take the number from the job.
            srun_args=[f"--cpus-per-task={settings.cpus}"],
            additional_parameters={"requeue": True, **extra},
        )

    def submit(self, folders: Sequence[Path]) -> list[_SlurmTask]:
        """Queue one task a run folder, all as one array.

        Raises:
            UserError: SLURM refuses the job.
        """
        if not folders:
            return []
        try:
            # submitit would print the whole of what the exception tells.
            with contextlib.redirect_stderr(None):
                jobs = self._submitter.map_array(self._work, [str(folder.absolute()) for folder in folders])
        except (FailedJobError, FailedSubmissionError) as error:
            raise UserError(f"{last_line(str(error))}; mend the table [slurm] of the profile") from error
        self._queue.forget()
        for folder, job in zip(folders, jobs, strict=True):
            write_text(folder / "slurm.json", json.dumps({"job_id": job.job_id}) + "\n")
        return [self._task(job.job_id) for job in jobs]

    def adopt(self, folder: Path) -> _SlurmTask | None:
        """By the job id that is kept in the folder.

        Raises:
            UserError: SLURM does not answer.
        """
        record = folder / "slurm.json"
        if not record.exists():
            return None
        job_id = json.loads(record.read_text(encoding="utf-8"))["job_id"]
        job = self._queue.jobs().get(job_id)
        return None if job is None or job.ended else self._task(job_id)

    def _task(self, job_id: str) -> _SlurmTask:
        return _SlurmTask(job_id, JobPaths(self._submitter.folder, job_id).stdout, self._queue)
