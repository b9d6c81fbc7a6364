"""A sweep: make runs through an executor, each in a process of its own, and show the progress."""

import sys
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.runs.executor import Ending, Executor, Task
from benchmarks.runs.pace import Pace
from benchmarks.runs.plan import PlannedRun
from benchmarks.runs.run_folder import is_locked
from ossnet.progress import ProgressLine

POLL_S = 0.3
"""Seconds between two checks of the tasks."""

MAX_LOSSES = 3
"""A run whose process is lost so many times in a row, without an epoch in between, is given up."""


@dataclass
class _ActiveRun:
    """A run that a process is at work on.

    Attributes:
        planned: the run.
        task: its task; None where the process is of another sweep.
        start: start of the process or, where it was found at work, of its observation, in seconds since 1970.
        trained_before: fraction of its training that was done at `start`.
        trained: fraction that was done when `refresh` was last called.
    """

    planned: PlannedRun
    task: Task | None
    start: float = field(default_factory=time.time)
    trained_before: float = 0.0
    trained: float = 0.0

    @property
    def ended(self) -> bool:
        return not is_locked(self.planned.run.folder) if self.task is None else self.task.finished()

    def refresh(self) -> None:
        """Read from the run's folder how far the training is."""
        self.trained = self.planned.run.trained_fraction()

    def seconds(self) -> float | None:
        """Return what the whole run would take at its pace up to its last epoch, in seconds; None before the first."""
        fraction, at = self.trained - self.trained_before, self.planned.run.last_epoch_at()
        # An epoch that another process ended just before `start` is not of this pace.
        return (at - self.start) / fraction if fraction > 0 and at is not None and at > self.start else None


class Sweep:
    """Makes runs in a given order.

    A run that fails leaves `failure.json` and the others go on; one whose process is lost is started again and goes on
    from its last epoch. Of runs that need one training, the first makes it, and the others are started when it is done.
    A run that another sweep is at work on is waited for. After an interrupt, processes of this machine are ended and
    those of a cluster are left; another sweep of the same runs goes on with both.

    Args:
        planned: runs to make, in their order.
        executor: starts their processes.
        pace: pace of earlier runs, for the time to go.
        label: text at the beginning of the progress line.
        after_run: called after each run that has got a result.
    """

    def __init__(
        self,
        planned: Sequence[PlannedRun],
        executor: Executor,
        pace: Pace,
        label: str,
        after_run: Callable[[], None] = lambda: None,
    ) -> None:
        self.waiting = list(planned)
        self.active: list[_ActiveRun] = []
        self.executor = executor
        self.pace = pace
        self.label = label
        self.after_run = after_run
        self.losses: dict[Path, int] = defaultdict(int)
        # A failure that comes up later is another sweep's, and stands.
        self.failed_before = {each.run.folder for each in planned if each.run.failure is not None}

    def run(self) -> None:
        """Make all runs, and return when each has a result or a failure."""
        total = len(self.waiting)
        if not total:
            return
        with ProgressLine(self.label, total) as line:
            try:
                while self.waiting or self.active:
                    self._dispatch()
                    time.sleep(POLL_S)
                    for item in [item for item in self.active if item.ended]:
                        self.active.remove(item)
                        self._conclude(item)
                    for item in self.active:
                        item.refresh()
                    done = total - len(self.waiting) - sum(1 - item.trained for item in self.active)
                    line.update(done, self._note(), self._remaining_s())
            finally:
                if not self.executor.detached:
                    for item in self.active:
                        if item.task is not None:
                            item.task.cancel()

    def _dispatch(self) -> None:
        # On this machine the runs of other sweeps count too: they take the same cores and memory.
        busy = [item for item in self.active if item.task is not None or not self.executor.detached]
        free = self.executor.capacity - len(busy)
        later, start = list[PlannedRun](), list[PlannedRun]()
        in_training = {item.planned.run.training for item in self.active}
        for planned in self.waiting:
            run = planned.run
            if run.done:
                log(f"{run.name}: done by another sweep")
            elif is_locked(run.folder):
                self.active.append(_ActiveRun(planned, None))
                free -= not self.executor.detached
            elif run.failure is not None and run.folder not in self.failed_before:
                log(f"{run.name}: failed in another sweep: {run.failure}")
            elif (task := self.executor.find_task(run.folder)) is not None:
                self.active.append(_ActiveRun(planned, task, trained_before=run.trained_fraction()))
            elif len(start) < free and (run.is_trained or not (run.training in in_training or is_locked(run.training))):
                start.append(planned)
                in_training.add(run.training)
            else:
                later.append(planned)
        for planned in start:
            planned.run.prepare(planned.spec, planned.job)
            self.failed_before.discard(planned.run.folder)
        if start:
            trained = [planned.run.trained_fraction() for planned in start]
            tasks = self.executor.submit([planned.run.folder for planned in start])
            for planned, task, before in zip(start, tasks, trained, strict=True):
                self.active.append(_ActiveRun(planned, task, trained_before=before))
        self.waiting = later

    def _conclude(self, item: _ActiveRun) -> None:
        run = item.planned.run
        if run.done:
            log(f"{run.name}: done after {time.time() - item.start:.0f} s")
            self.after_run()
        elif run.failure is not None:
            log(f"{run.name}: failed: {run.failure}")
        elif item.task is not None and item.task.ending() == Ending.RETURNED:
            # Another sweep's process may be done by now.
            self.waiting.append(item.planned)
        else:
            self._handle_loss(item)

    def _handle_loss(self, item: _ActiveRun) -> None:
        """Start a run again whose process ended without a record, or give it up."""
        run, task = item.planned.run, item.task
        why = task.reason() if task is not None else "the process of another sweep ended"
        details = f" (see {task.log})" if task is not None else ""
        ending = task.ending() if task is not None else Ending.EVICTED
        if ending == Ending.LOST:
            self.losses[run.folder] = 1 if run.trained_fraction() > item.trained_before else self.losses[run.folder] + 1
        if ending == Ending.OUT_OF_MEMORY:
            run.fail("OOM")
        elif ending == Ending.CANCELLED:
            run.fail("cancelled")
        elif self.losses[run.folder] == MAX_LOSSES:
            run.fail(f"{why}, {MAX_LOSSES} times in a row")
        if run.failure is not None:
            log(f"{run.name}: failed: {run.failure}{details}")
        else:
            log(f"{run.name}: {why}{details}; started again")
            self.waiting.insert(0, item.planned)

    def _note(self) -> str:
        shown = [f"{item.planned.run.name} {100 * item.trained:.0f} %" for item in self.active[:3]]
        more = len(self.active) - len(shown)
        return ", ".join([*shown, f"{more} more"] if more else shown)

    def _remaining_s(self) -> float | None:
        """Estimate the time to go in seconds; None where no pace is known, or nothing is left to train."""
        pace = self.pace
        for item in self.active:
            seconds = item.seconds()
            if seconds is not None and not self.executor.detached:
                pace = pace.with_run(item.planned.run.model, item.planned.run.work, seconds)
        left = self._work_left()
        if left and not any(work for _, work in left):
            return None  # Trained models are scored, and what is done tells how long that takes.
        return pace.time_to_go(left, min(self.executor.capacity, len(left)))

    def _work_left(self) -> list[tuple[str, float]]:
        """Return model and remaining operations of each training, once however many runs need it."""
        parts = {planned.run.training: (planned.run, float(planned.run.is_trained)) for planned in self.waiting}
        parts |= {item.planned.run.training: (item.planned.run, item.trained) for item in self.active}
        return [(run.model, run.work * (1 - trained)) for run, trained in parts.values()]


def longest_first(planned: Sequence[PlannedRun]) -> list[PlannedRun]:
    """Sort runs so that no long one is left to the end, when other workers have nothing to do."""
    return sorted(planned, key=lambda each: -each.run.work)


def log(text: str) -> None:
    """Print a line to the standard error stream, at once."""
    print(text, file=sys.stderr, flush=True)
