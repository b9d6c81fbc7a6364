"""The user's jobs in SLURM, read with `squeue`."""

import os
import signal
import subprocess
import time
from dataclasses import dataclass

from ossnet.errors import UserError

POLL_S = 2.0
"""Fewest seconds between two calls of `squeue`."""

ENDED_STATES = {
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
"""The states in which a job will not run again."""


@dataclass(frozen=True)
class QueuedJob:
    """A job as SLURM lists it.

    Attributes:
        state: SLURM's name of its state, such as `RUNNING` or `TIMEOUT`.
        wait_status: exit status of the job's script, as the system call `wait` encodes it.
    """

    state: str
    wait_status: int = 0

    @property
    def ended(self) -> bool:
        """True if it will not run again."""
        return self.state in ENDED_STATES

    @property
    def status(self) -> int:
        """Return code of the script's last command, as in `subprocess`: below 0 where a signal ended it."""
        status = os.waitstatus_to_exitcode(self.wait_status)
        # `srun` ends with 128 + the signal that ended the worker.
        return 128 - status if 128 < status <= 128 + signal.SIGRTMAX else status


class Queue:
    """The user's jobs, by one call of `squeue` for all of them.

    submitit calls `sacct` instead, which needs an accounting database; without one it takes longer to notice that a job
    was killed. `squeue` lists a job for some minutes after its end (`MinJobAge`, 5 minutes by default).
    """

    def __init__(self) -> None:
        self._jobs: dict[str, QueuedJob] | None = None
        self._read_at = float("-inf")

    def jobs(self) -> dict[str, QueuedJob]:
        """Return the jobs by their id (`17`, or `17_3` in an array), as of at most `POLL_S` seconds ago.

        Raises:
            UserError: `squeue` fails.
        """
        if self._jobs is None or time.monotonic() - self._read_at >= POLL_S:
            # One line per job of an array; jobs that have ended are listed, too.
            command = ["squeue", "--me", "--array", "--states=all", "--noheader"]
            columns = "--Format=JobArrayID:|,State:|,exit_code:"
            answer = subprocess.run([*command, columns], capture_output=True, text=True, check=False)
            if answer.returncode != 0:
                raise UserError(f"SLURM does not answer ({last_line(answer.stderr)}); try again when `squeue` works")
            rows = (line.split("|") for line in answer.stdout.splitlines())
            self._jobs = {job_id: QueuedJob(state, int(wait_status)) for job_id, state, wait_status in rows}
            self._read_at = time.monotonic()
        return self._jobs

    def invalidate(self) -> None:
        """Have the next call of `jobs` read the queue again, since jobs were submitted."""
        self._jobs = None


def last_line(text: str) -> str:
    """Return the last line of a command's error output."""
    return (text.strip().splitlines() or ["no message"])[-1]
