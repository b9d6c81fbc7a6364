"""The executor of a cluster: one job of SLURM per run, submitted by `submitit`."""

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

from benchmarks.runs.executor import Ending, MakeRun, status_text
from benchmarks.runs.squeue import Queue, QueuedJob, last_line
from ossnet.checks import STRICT
from ossnet.errors import UserError
from ossnet.files import write_text

MAX_TIMEOUTS = 20
"""How often a run is queued again after SLURM's time limit: it may take longer than the limit, but not without end."""

MEMORY_KILL = re.compile(r"^slurmstepd.*(exceeded memory limit|oom.kill)", re.MULTILINE | re.IGNORECASE)
"""Matches the log of a job that SLURM lists as failed though its step was killed for its memory."""


@pydantic.dataclasses.dataclass(frozen=True, config=STRICT)
class SlurmSettings:
    """Resources of each run's job: the table `[slurm]` of a profile.

    Attributes:
        partition: SLURM's partition; None for the cluster's default.
        account: account that is charged; None for the user's default.
        gpus: number of GPUs.
        cpus: number of CPU cores.
        memory_gb: memory in GB.
        time_min: time limit in minutes; a run that reaches it is queued again and goes on.
        parallel: highest number of runs at a time.
        setup: shell commands before the worker starts, such as `module load cuda`.
        extra: further options of `sbatch` by their long names, as in `{qos = "long", exclusive = true}`; one that is
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
    """A call that is made again after a time-out or preemption, with the same folder, which holds the checkpoints."""

    make_run: MakeRun

    def __call__(self, folder: str) -> None:
        self.make_run(folder)


ENDINGS = {
    "COMPLETED": Ending.RETURNED,
    "OUT_OF_MEMORY": Ending.OUT_OF_MEMORY,
    "CANCELLED": Ending.CANCELLED,
    "PREEMPTED": Ending.EVICTED,
    "NODE_FAIL": Ending.EVICTED,
    "BOOT_FAIL": Ending.EVICTED,
    "REVOKED": Ending.EVICTED,
}
"""Endings by SLURM's state of a job; `Ending.LOST` for all other states."""

_UNKNOWN = QueuedJob("no longer known to SLURM")


@dataclass
class _SlurmTask:
    """A job of SLURM that makes one run.

    Attributes:
        job_id: `17`, or `17_3` in an array.
        log: file of its output.
        queue: the user's jobs, in which it is looked up.
    """

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
                job = self.queue.jobs().get(self.job_id, _UNKNOWN)
            except UserError:
                # The job goes on whether SLURM answers or not; a later call finds its end.
                return False
            self._end = job if job is _UNKNOWN or job.ended else None
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
        """Call `scancel`: SLURM gives a running worker some seconds (`KillWait`) before it kills it."""
        subprocess.run(["scancel", self.job_id], check=False)


class SlurmExecutor:
    """Jobs of SLURM: one array per call of `submit`.

    A job that reaches its time limit or is preempted is queued again. One that was killed is not: submit its folder
    once more. The job's id is kept in `<run folder>/slurm.json`.

    Args:
        make_run: function that a worker calls with the path of a run folder.
        logs: folder of the jobs' scripts and logs, on a file system that all nodes share.
        settings: resources of each job.

    Raises:
        UserError: there is no SLURM here.
    """

    capacity = 1000  # Within SLURM's default limit of an array (`MaxArraySize`).
    detached = True

    def __init__(self, make_run: MakeRun, logs: Path, settings: SlurmSettings) -> None:
        for command in ("sbatch", "srun", "squeue", "scancel"):
            if shutil.which(command) is None:
                raise UserError(f"no SLURM here: {command} is not on PATH; leave out --executor slurm")
        self._make_run = _Resumable(make_run)
        self._queue = Queue()
        extra = {option: value for option, value in settings.extra.items() if value is not False}
        self._submitter = submitit.SlurmExecutor(logs.absolute(), max_num_timeout=MAX_TIMEOUTS)
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
            wckey=None,  # Only from the profile's `extra`: a cluster that checks keys does not know submitit's own.
            # Since SLURM 22.05, srun does not take the number from the job.
            srun_args=[f"--cpus-per-task={settings.cpus}"],
            additional_parameters={"requeue": True, **extra},
        )

    def submit(self, folders: Sequence[Path]) -> list[_SlurmTask]:
        """Queue one task per run folder, all as one array.

        Raises:
            UserError: SLURM refuses the job.
        """
        if not folders:
            return []
        try:
            # submitit would print all that the exception says.
            with contextlib.redirect_stderr(None):
                jobs = self._submitter.map_array(self._make_run, [str(folder.absolute()) for folder in folders])
        except (FailedJobError, FailedSubmissionError) as error:
            raise UserError(f"{last_line(str(error))}; correct the table [slurm] of the profile") from error
        self._queue.invalidate()
        for folder, job in zip(folders, jobs, strict=True):
            write_text(folder / "slurm.json", json.dumps({"job_id": job.job_id}) + "\n")
        return [self._task(job.job_id) for job in jobs]

    def find_task(self, folder: Path) -> _SlurmTask | None:
        """Return the task whose job id is kept in a run folder, if it is still queued or running.

        Raises:
            UserError: `squeue` fails.
        """
        record = folder / "slurm.json"
        if not record.exists():
            return None
        job_id = json.loads(record.read_text(encoding="utf-8"))["job_id"]
        job = self._queue.jobs().get(job_id)
        return None if job is None or job.ended else self._task(job_id)

    def _task(self, job_id: str) -> _SlurmTask:
        return _SlurmTask(job_id, JobPaths(self._submitter.folder, job_id).stdout, self._queue)
