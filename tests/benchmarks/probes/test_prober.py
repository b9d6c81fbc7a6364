import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from multiprocessing import active_children
from typing import Any

import pytest

from benchmarks.machine.subprocess_worker import OOM, Outcome, Worker
from benchmarks.probes import prober
from benchmarks.probes.measure import measure_probe, measure_tensors
from benchmarks.probes.prober import Prober
from benchmarks.workload import Probe

MEMORY = Probe("memory", "onet", "cube", (16, 16, 16), "inference", 32)
RUNTIME = replace(MEMORY, quantity="runtime")
PAPER = replace(MEMORY, dataset="brats")

REAL_CALL = Worker.call


@dataclass
class Calls:
    """Calls of workers that return their process in place of a measurement.

    The history has function and arguments of each call, and how many processes lived before it. The first calls may
    have other outcomes.
    """

    history: list[tuple[Any, ...]] = field(default_factory=list)
    limits: list[float | None] = field(default_factory=list)
    outcomes: list[Outcome | None] = field(default_factory=list)

    def call(
        self, worker: Worker, function: Callable[..., Any], *arguments: Any, limit_s: float | None = None
    ) -> Outcome:
        self.history.append((function, *arguments, len(active_children())))
        self.limits.append(limit_s)
        process = REAL_CALL(worker, os.getpid)
        outcome = self.outcomes.pop(0) if self.outcomes else None
        if outcome is not None and outcome.failure is not None:
            worker.end()
        return outcome or process


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    calls = Calls()
    monkeypatch.setattr(prober.Worker, "call", lambda *arguments, **options: calls.call(*arguments, **options))
    return calls


def test_runtimes_share_a_process_and_memory_has_one_of_its_own_and_the_device(calls: Calls) -> None:
    with Prober("cpu", 60) as answering:
        pids = [answering.answer(probe, 9).result for probe in (RUNTIME, RUNTIME, MEMORY, MEMORY, RUNTIME, RUNTIME)]
        assert len(active_children()) == 1
    assert active_children() == []
    first, again, one, another, later, last = pids
    assert first == again
    assert later == last
    assert len({first, one, another, later}) == 4
    assert calls.history[1:3] == [(measure_probe, RUNTIME, "cpu", 1), (measure_probe, MEMORY, "cpu", 0)]
    # None is alive when memory is measured.
    assert [call[-1] for call in calls.history] == [0, 1, 0, 0, 0, 1]


def test_on_a_gpu_cubes_share_a_process_and_the_papers_volumes_do_not(calls: Calls) -> None:
    with Prober("cuda:0", 60) as answering:
        probes = (MEMORY, MEMORY, PAPER, PAPER, MEMORY, RUNTIME)
        pids = [answering.answer(probe, 9).result for probe in probes]
    assert active_children() == []
    assert pids[0] == pids[1]
    assert len(set(pids)) == 5
    functions = [measure_tensors, measure_tensors, measure_probe, measure_probe, measure_tensors, measure_probe]
    assert [call[:3] for call in calls.history] == [
        (function, probe, "cuda:0") for function, probe in zip(functions, probes, strict=True)
    ]
    assert [call[-1] for call in calls.history] == [0, 1, 0, 0, 0, 0]


@pytest.mark.parametrize(
    ("probe", "why"), [(MEMORY, Outcome(None)), (MEMORY, Outcome(failure=OOM)), (RUNTIME, Outcome(failure=OOM))]
)
def test_a_failure_that_earlier_probes_may_have_caused_is_tried_in_a_new_process(
    probe: Probe, why: Outcome, calls: Calls
) -> None:
    calls.outcomes = [None, why]
    with Prober("cuda:0", 60) as answering:
        first, second = (answering.answer(probe, 9).result for _ in range(2))
    assert first != second
    assert [call[1] for call in calls.history] == 3 * [probe]
    assert calls.history[-1][-1] == 0


OUT_OF_MEMORY, NO_LUCK = Outcome(failure=OOM), Outcome(failure="ValueError: no")


@pytest.mark.parametrize(
    ("outcomes", "probe"),
    [
        ([OUT_OF_MEMORY], MEMORY),
        # The first failure has ended the process, so that the second is of a new one.
        ([NO_LUCK, OUT_OF_MEMORY], MEMORY),
        ([None, NO_LUCK], MEMORY),
        ([None, OUT_OF_MEMORY], PAPER),
        ([OUT_OF_MEMORY], RUNTIME),
    ],
)
def test_other_failures_are_not_tried_again(outcomes: list[Outcome | None], probe: Probe, calls: Calls) -> None:
    calls.outcomes = [*outcomes]
    with Prober("cuda:0", 60) as answering:
        answers = [answering.answer(probe, 9) for _ in outcomes]
    assert answers[-1] == outcomes[-1]
    assert len(calls.history) == len(outcomes)


def test_no_probe_uses_up_the_time_of_many(calls: Calls) -> None:
    with Prober("cpu", 60) as answering:
        answering.answer(RUNTIME, 9)
        answering.answer(RUNTIME, 9999)
    assert calls.limits == [pytest.approx(9, abs=1), pytest.approx(60, abs=1)]
