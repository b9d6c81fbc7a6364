"""The interface of what makes runs: an executor starts tasks, each of which makes one run in a process of its own."""

from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Protocol

MakeRun = Callable[[str], object]
"""Makes the run of the folder with a given path. It can be pickled, and goes on where an earlier call was cut off."""


class Ending(StrEnum):
    """How a task ended that left neither a result nor a failure."""

    RETURNED = "returned"
    """It returned, since another process was at work on the run or its training."""
    LOST = "lost"
    """It was killed, or failed without a record."""
    OUT_OF_MEMORY = "out of memory"
    """The kernel or the scheduler killed it for its memory."""
    EVICTED = "evicted"
    """The scheduler ended it for reasons that are not the task's: it preempted it, or lost the node."""
    CANCELLED = "cancelled"
    """The user cancelled it in the scheduler's queue."""


class Task(Protocol):
    """A process that makes one run."""

    @property
    def name(self) -> str:
        """Name for people: `pid 4711` or `slurm 17_3`."""

    @property
    def log(self) -> Path:
        """File of its output."""

    def finished(self) -> bool:
        """Return whether it has ended, in any way. Never raises."""

    def ending(self) -> Ending:
        """Return how a finished task ended, where it left neither a result nor a failure."""

    def reason(self) -> str:
        """Return how a finished task ended, in words, without a path."""

    def cancel(self) -> None:
        """End it, or take it from the queue; do nothing where it has ended."""


class Executor(Protocol):
    """Starts tasks.

    Attributes:
        capacity: highest number of tasks at a time, queued ones included; the caller keeps to it.
        detached: whether its tasks outlive the caller. If not, the caller cancels them before it ends.
    """

    capacity: int
    detached: bool

    def submit(self, folders: Sequence[Path]) -> Sequence[Task]:
        """Start or queue one task per run folder, and return them in that order."""

    def find_task(self, folder: Path) -> Task | None:
        """Return the task that an earlier process submitted for a run folder, if it is still queued or running."""


def status_text(status: int) -> str:
    """Return how a process ended in words.

    Args:
        status: return code as in `subprocess`: below 0 where a signal ended the process.
    """
    return f"killed by signal {-status}" if status < 0 else f"ended with status {status}"
