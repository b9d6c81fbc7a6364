"""What SLURM tells of a user's jobs."""

import os
import signal
import subprocess
import time
from dataclasses import dataclass

from ossnet.errors import UserError

POLL_S = 2.0
"""SLURM is asked at most so often."""

# The states in which a job will not run again.
ENDED = {
    "BOOT_FAIL",
    "CANCELLED",
    "COMPLETED",
    "DEADLINE",
    "FAILED",
    "NODE_FAIL",
    "OUT_OF_MEMORY",
    "PREEMPTED",
    "REVOKED",
    "TIMEOUT",
}


@dataclass(frozen=True)
class QueuedJob:
    """A job as SLURM sees it.

    Attributes:
        state: `RUNNING`, `TIMEOUT`...
        wait_status: of the job's script, as the system call `wait` gives it.
    """

    state: str
    wait_status: int = 0

    @property
    def ended(self) -> bool:
        """Whether it will not run again."""
        return self.state in ENDED

    @property
    def status(self) -> int:
        """Of the script's last command, as `subprocess` gives it: below 0 where a signal ended it."""
        status = os.waitstatus_to_exitcode(self.wait_status)
        # `srun` ends with 128 + the signal that ended the worker.
        return 128 - status if 128 < status <= 128 + signal.SIGRTMAX else status


class Queue:
    """The user's jobs, by one call of `squeue` for all of them.

    submitit asks `sacct`, which needs an accounting data base; without one it takes longer to find out that a job was
    killed. `squeue` knows a job for some minutes after its end (`MinJobAge`, 5 minutes by default).
    """

    def __init__(self) -> None:
        self._jobs: dict[str, QueuedJob] | None = None
        self._asked_at = float("-inf")

    def jobs(self) -> dict[str, QueuedJob]:
        """By job id (`17`, or `17_3` in an array), at most `POLL_S` seconds old.

        Raises:
            UserError: SLURM does not answer.
        """
        if self._jobs is None or time.monotonic() - self._asked_at >= POLL_S:
            # Each of an array in a line of its own; jobs that have ended, too.
            command = ["squeue", "--me", "--array", "--states=all", "--noheader"]
            columns = "--Format=JobArrayID:|,State:|,exit_code:"
            answer = subprocess.run([*command, columns], capture_output=True, text=True, check=False)
            if answer.returncode != 0:
                raise UserError(f"SLURM does not answer ({last_line(answer.stderr)}); try again when `squeue` works")
            rows = (line.split("|") for line in answer.stdout.splitlines())
            self._jobs = {job_id: QueuedJob(state, int(wait_status)) for job_id, state, wait_status in rows}
            self._asked_at = time.monotonic()
        return self._jobs

    def forget(self) -> None:
        """There are newer jobs than those that it saw: ask again."""
        self._jobs = None


def last_line(text: str) -> str:
    """Of what a command complained about."""
    return (text.strip().splitlines() or ["no message"])[-1]
