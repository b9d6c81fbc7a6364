"""Runs as jobs of SLURM, sent by `submitit`."""

import contextlib
import json
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import pydantic.dataclasses
import submitit
from pydantic import Field, StrictBool, StrictInt
from submitit.core.utils import FailedJobError, FailedSubmissionError, JobPaths

from benchmarks.runs.local import Ending, Work, status_text
from benchmarks.runs.squeue import Queue, QueuedJob, last_line
from ossnet.checks import STRICT
from ossnet.errors import UserError
from ossnet.files import write_text

TIMEOUTS = 20
"""A run is queued again so often after SLURM's time limit cut it off: longer than the limit, but not without end."""

# In a job's log, where its step was ended for its memory but the job counts as failed.
MEMORY_KILL = re.compile(r"^slurmstepd.*(exceeded memory limit|oom.kill)", re.MULTILINE | re.IGNORECASE)


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


ENDINGS = {
    "COMPLETED": Ending.RETURNED,
    "OUT_OF_MEMORY": Ending.OUT_OF_MEMORY,
    "CANCELLED": Ending.CANCELLED,
    "PREEMPTED": Ending.EVICTED,
    "NODE_FAIL": Ending.EVICTED,
    "BOOT_FAIL": Ending.EVICTED,
    "REVOKED": Ending.EVICTED,
}

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
            return "still in the queue"
        if self.ending() == Ending.OUT_OF_MEMORY:
            return "OUT_OF_MEMORY"
        finished = self._end.state in ("COMPLETED", "FAILED")
        return status_text(self._end.status) if finished else self._end.state

    def ending(self) -> Ending:
        state = self._end.state if self._end is not None else ""
        if state == "FAILED" and self.log.exists():
            log = self.log.read_text(encoding="utf-8", errors="replace")
            return Ending.OUT_OF_MEMORY if MEMORY_KILL.search(log) else Ending.LOST
        return ENDINGS.get(state, Ending.LOST)

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
        self._submitter = submitit.SlurmExecutor(logs.absolute(), max_num_timeout=TIMEOUTS)
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
            wckey=None,  # Of the profile's `extra` alone: a cluster that checks keys does not know submitit's own.
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
