"""Estimates of how long runs take, from the runs that have finished."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from statistics import median
from typing import NamedTuple

from ossnet.progress import duration

DAY_S = 24 * 3600


class FinishedRun(NamedTuple):
    """A finished run.

    Attributes:
        model: name of the model.
        work: floating-point operations of the training, see `benchmarks.experiments.estimate`.
        seconds: seconds that the run and its training took.
    """

    model: str
    work: float
    seconds: float


@dataclass(frozen=True)
class Pace:
    """Seconds per operation, from the runs that have finished.

    Attributes:
        finished: finished runs; those without work are ignored.
        operations_per_second: rate to assume while none has finished, see
            `benchmarks.experiments.estimate.assumed_rate`; None for no assumption.
    """

    finished: tuple[FinishedRun, ...] = ()
    operations_per_second: float | None = None

    def with_run(self, model: str, work: float, seconds: float) -> "Pace":
        """Return a pace with one more finished run."""
        return replace(self, finished=(*self.finished, FinishedRun(model, work, seconds)))

    def seconds(self, model: str, work: float) -> float | None:
        """Estimate the seconds of a run.

        The median pace of the model's runs counts, else that of all runs, else the assumed rate. Without any of these
        the estimate is None.

        Args:
            model: name of the model.
            work: floating-point operations.
        """
        pace = self._by_model.get(model, self._overall)
        return None if pace is None else work * pace

    def time_to_go(self, runs: Sequence[tuple[str, float]], workers: int) -> float | None:
        """Estimate the seconds until all runs are made: the longest run's, or an even share of all if that is larger.

        Args:
            runs: model and remaining floating-point operations of each run.
            workers: number of runs at a time.

        Returns:
            Seconds; None where one of the runs cannot be estimated.
        """
        estimates = [self.seconds(model, work) for model, work in runs]
        known = [seconds for seconds in estimates if seconds is not None]
        if len(known) < len(estimates):
            return None
        return max([sum(known) / max(workers, 1), *known])

    @cached_property
    def _paces(self) -> dict[str, list[float]]:
        """Seconds per operation of each finished run, by model."""
        paces = defaultdict(list)
        for run in self.finished:
            if run.work > 0:
                paces[run.model].append(run.seconds / run.work)
        return dict(paces)

    @cached_property
    def _by_model(self) -> dict[str, float]:
        return {model: median(paces) for model, paces in self._paces.items()}

    @cached_property
    def _overall(self) -> float | None:
        paces = [pace for of_model in self._paces.values() for pace in of_model]
        if paces:
            return median(paces)
        return 1 / self.operations_per_second if self.operations_per_second else None


def in_words(seconds: float) -> str:
    """Return seconds as text: `45 s`, `12 min`, `3.4 h` or, from two days on, `21 days`."""
    return f"{seconds / DAY_S:.0f} days" if seconds >= 2 * DAY_S else duration(seconds)
