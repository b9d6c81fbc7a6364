"""A sweep: make runs through an executor, each in a process of its own, and tell how far it is."""

import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.runs.grid import PlannedRun
from benchmarks.runs.local import Ending, Executor, Task
from benchmarks.runs.pace import Pace
from benchmarks.runs.run_folder import is_locked
from ossnet.progress import ProgressLine

POLL_S = 0.3

LOSSES = 3
"""A run whose process was lost so many times in a row, without an epoch in between, is given up."""


@dataclass
class _Running:
    """A run that a process is at work on.

    Attributes:
        task: None where the process is one of another sweep.
        start: in seconds since 1970.
        trained_before: the part of its training that was done before.
        trained: the part that was done when `look` was last called.
    """

    planned: PlannedRun
    task: Task | None
    start: float = field(default_factory=time.time)
    trained_before: float = 0.0
    trained: float = 0.0

    @property
    def ended(self) -> bool:
        return not is_locked(self.planned.run.folder) if self.task is None else self.task.finished()

    def look(self) -> None:
        """Read how far it is, once for all that is told of it."""
        self.trained = self.planned.run.trained()

    def seconds(self) -> float | None:
        """What the whole run would take at its pace up to its last epoch; None before the first."""
        part, at = self.trained - self.trained_before, self.planned.run.trained_at()
        return (at - self.start) / part if part > 0 and at is not None else None


class Sweep:
    """Runs to be made, in their order.

    A run that fails leaves `failure.json` and the others go on; one whose process is lost is started again and goes on
    from its last epoch. Of runs that need one training, the first makes it, and the others are started when it is done.
    A run that another sweep is at work on is waited for. Interrupted, the processes of this machine are ended, those of
    a cluster are left; called again, both kinds go on.
    """

    def __init__(self, planned: Sequence[PlannedRun], executor: Executor, pace: Pace, label: str) -> None:
        self.waiting = list(planned)
        self.running: list[_Running] = []
        self.executor = executor
        self.pace = pace
        self.label = label
        self.losses: dict[Path, int] = defaultdict(int)
        # A failure that comes up later is another sweep's, and stands.
        self.failed_before = {one.run.folder for one in planned if one.run.failure is not None}

    def make(self) -> None:
        """Return when every run has a result or a failure."""
        total = len(self.waiting)
        if not total:
            return
        with ProgressLine(self.label, total) as line:
            try:
                while self.waiting or self.running:
                    self._dispatch()
                    time.sleep(POLL_S)
                    for item in [item for item in self.running if item.ended]:
                        self.running.remove(item)
                        self._finish(item)
                    for item in self.running:
                        item.look()
                    done = total - len(self.waiting) - sum(1 - item.trained for item in self.running)
                    line.update(done, self._note(), self._remaining_s())
            finally:
                if not self.executor.detached:
                    for item in self.running:
                        if item.task is not None:
                            item.task.cancel()

    def _dispatch(self) -> None:
        # On this machine the runs of other sweeps count too: they take the same cores and memory.
        busy = [item for item in self.running if item.task is not None or not self.executor.detached]
        free = self.executor.capacity - len(busy)
        later, start = list[PlannedRun](), list[PlannedRun]()
        in_training = {item.planned.run.training for item in self.running}
        for planned in self.waiting:
            run = planned.run
            if run.done:
                tell(f"{run.name}: done by another sweep")
            elif is_locked(run.folder):
                self.running.append(_Running(planned, None))
                free -= not self.executor.detached
            elif run.failure is not None and run.folder not in self.failed_before:
                tell(f"{run.name}: failed in another sweep: {run.failure}")
            elif (task := self.executor.adopt(run.folder)) is not None:
                self.running.append(_Running(planned, task, trained_before=run.trained()))
            elif len(start) < free and (run.is_trained or not (run.training in in_training or is_locked(run.training))):
                start.append(planned)
                in_training.add(run.training)
            else:
                later.append(planned)
        for planned in start:
            planned.run.prepare(planned.spec, planned.job)
            self.failed_before.discard(planned.run.folder)
        if start:
            trained = [planned.run.trained() for planned in start]
            tasks = self.executor.submit([planned.run.folder for planned in start])
            for planned, task, before in zip(start, tasks, trained, strict=True):
                self.running.append(_Running(planned, task, trained_before=before))
        self.waiting = later

    def _finish(self, item: _Running) -> None:
        run = item.planned.run
        if run.done:
            tell(f"{run.name}: done after {time.time() - item.start:.0f} s")
        elif run.failure is not None:
            tell(f"{run.name}: failed: {run.failure}")
        elif item.task is not None and item.task.ending() == Ending.RETURNED:
            # Another sweep's process may be done by now.
            self.waiting.append(item.planned)
        else:
            self._lost(item)

    def _lost(self, item: _Running) -> None:
        """Its process ended without a record: it was ended from outside, or the machine went down."""
        run, task = item.planned.run, item.task
        why = task.reason() if task is not None else "the process of another sweep ended"
        log = f" (see {task.log})" if task is not None else ""
        ending = task.ending() if task is not None else Ending.EVICTED
        if ending == Ending.LOST:
            self.losses[run.folder] = 1 if run.trained() > item.trained_before else self.losses[run.folder] + 1
        if ending == Ending.OUT_OF_MEMORY:
            run.fail("OOM")
        elif ending == Ending.CANCELLED:
            run.fail("cancelled")
        elif self.losses[run.folder] == LOSSES:
            run.fail(f"{why}, {LOSSES} times in a row")
        if run.failure is not None:
            tell(f"{run.name}: failed: {run.failure}{log}")
        else:
            tell(f"{run.name}: {why}{log}; started again")
            self.waiting.insert(0, item.planned)

    def _note(self) -> str:
        shown = [f"{item.planned.run.name} {100 * item.trained:.0f} %" for item in self.running[:3]]
        more = len(self.running) - len(shown)
        return ", ".join([*shown, f"{more} more"] if more else shown)

    def _remaining_s(self) -> float | None:
        """None while nothing is known of any pace."""
        pace = self.pace
        for item in self.running:
            seconds = item.seconds()
            if seconds is not None and not self.executor.detached:
                pace = pace.with_run(item.planned.run.model, item.planned.run.work, seconds)
        left = self._work_left()
        return pace.time_to_go(left, min(self.executor.capacity, len(left)))

    def _work_left(self) -> list[tuple[str, float]]:
        """Model and operations of each training, once however many runs need it."""
        parts = {planned.run.training: (planned.run, float(planned.run.is_trained)) for planned in self.waiting}
        parts |= {item.planned.run.training: (item.planned.run, item.trained) for item in self.running}
        return [(run.model, run.work * (1 - trained)) for run, trained in parts.values()]


def tell(text: str) -> None:
    """What a sweep says beside its line of progress."""
    print(text, file=sys.stderr, flush=True)
