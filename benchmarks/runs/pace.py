"""How long runs take, by what others took for their work. Never imports torch, so that a look at a sweep is quick."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from statistics import median
from typing import NamedTuple

from ossnet.progress import duration

DAY_S = 24 * 3600


class FinishedRun(NamedTuple):
    """What a run did: `work` in floating-point operations, see `benchmarks.runs.estimate`, in so many seconds."""

    model: str
    work: float
    seconds: float


@dataclass(frozen=True)
class Pace:
    """Seconds for an operation, from the runs that have finished in one results folder.

    Attributes:
        finished: a run without work says nothing and is passed over.
        operations_per_second: assumed while none has finished, see `benchmarks.runs.estimate.assumed_rate`; None where
            nothing is to be assumed.
    """

    finished: tuple[FinishedRun, ...] = ()
    operations_per_second: float | None = None

    def with_run(self, model: str, work: float, seconds: float) -> "Pace":
        """The same with one run more."""
        return replace(self, finished=(*self.finished, FinishedRun(model, work, seconds)))

    def seconds(self, model: str, work: float) -> float | None:
        """Estimate of a run: its work at the median pace of its model's runs, else of all, else at the assumed rate.

        Returns None where there is none of these.
        """
        pace = self._by_model.get(model, self._overall)
        return None if pace is None else work * pace

    def time_to_go(self, runs: Sequence[tuple[str, float]], workers: int) -> float | None:
        """Seconds until all `runs` (model, work left) are made, `workers` at a time; None where nothing is known.

        The larger of an even share of all and the longest one.
        """
        estimates = [self.seconds(model, work) for model, work in runs]
        known = [seconds for seconds in estimates if seconds is not None]
        if len(known) < len(estimates):
            return None
        return max([sum(known) / max(workers, 1), *known])

    @cached_property
    def _paces(self) -> dict[str, list[float]]:
        """Seconds for an operation of each finished run, by model."""
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
    """Seconds as `45 s`, `12 min`, `3.4 h` or, from two days on, `21 days`."""
    return f"{seconds / DAY_S:.0f} days" if seconds >= 2 * DAY_S else duration(seconds)
