import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from multiprocessing import active_children
from typing import Any

import pytest

from benchmarks.efficiency import prober
from benchmarks.efficiency.measuring import measure_probe, measure_tensors
from benchmarks.efficiency.probe import Probe
from benchmarks.efficiency.prober import PROBE_LIMIT_S, Prober
from benchmarks.efficiency.processes import OOM, Outcome, Worker

MEMORY = Probe("memory", "onet", "cube", (16, 16, 16), "inference", 32)
RUNTIME = replace(MEMORY, quantity="runtime")
PAPER = replace(MEMORY, dataset="brats")

REAL_CALL = Worker.call


@dataclass
class Calls:
    """In the place of what is measured, the process that is asked to.

    Attributes:
        asked: what each call was of, and how many processes lived before it.
        limits: of each call, in seconds.
        outcomes: of the first calls, where they are not to tell the process.
    """

    asked: list[tuple[Any, ...]] = field(default_factory=list)
    limits: list[float | None] = field(default_factory=list)
    outcomes: list[Outcome | None] = field(default_factory=list)

    def call(
        self, worker: Worker, function: Callable[..., Any], *arguments: Any, limit_s: float | None = None
    ) -> Outcome:
        self.asked.append((function, *arguments, len(active_children())))
        self.limits.append(limit_s)
        process = REAL_CALL(worker, os.getpid)
        told = self.outcomes.pop(0) if self.outcomes else None
        if told is not None and told.failure is not None:
            worker.end()
        return told or process


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    made = Calls()
    monkeypatch.setattr(prober.Worker, "call", lambda *arguments, **options: made.call(*arguments, **options))
    return made


def test_runtimes_share_a_process_and_memory_has_one_of_its_own_and_the_device(calls: Calls) -> None:
    with Prober("cpu") as answering:
        pids = [answering.answer(probe, 9).result for probe in (RUNTIME, RUNTIME, MEMORY, MEMORY, RUNTIME, RUNTIME)]
        assert len(active_children()) == 1
    assert active_children() == []
    first, again, one, another, later, last = pids
    assert first == again
    assert later == last
    assert len({first, one, another, later}) == 4
    assert calls.asked[1:3] == [(measure_probe, RUNTIME, "cpu", 1), (measure_probe, MEMORY, "cpu", 0)]
    # None is alive when memory is asked for.
    assert [call[-1] for call in calls.asked] == [0, 1, 0, 0, 0, 1]


def test_on_a_gpu_cubes_share_a_process_and_the_papers_volumes_do_not(calls: Calls) -> None:
    with Prober("cuda:0") as answering:
        probes = (MEMORY, MEMORY, PAPER, PAPER, MEMORY, RUNTIME)
        pids = [answering.answer(probe, 9).result for probe in probes]
    assert active_children() == []
    assert pids[0] == pids[1]
    assert len(set(pids)) == 5
    asked = [measure_tensors, measure_tensors, measure_probe, measure_probe, measure_tensors, measure_probe]
    assert [call[:3] for call in calls.asked] == [
        (function, probe, "cuda:0") for function, probe in zip(asked, probes, strict=True)
    ]
    assert [call[-1] for call in calls.asked] == [0, 1, 0, 0, 0, 0]


@pytest.mark.parametrize("why", [Outcome(None), Outcome(failure=OOM)])
def test_what_earlier_probes_may_be_the_reason_of_is_asked_of_a_new_process(why: Outcome, calls: Calls) -> None:
    calls.outcomes = [None, why]
    with Prober("cuda:0") as answering:
        first, second = (answering.answer(MEMORY, 9).result for _ in range(2))
    assert first != second
    assert [call[:2] for call in calls.asked] == 3 * [(measure_tensors, MEMORY)]
    assert calls.asked[-1][-1] == 0


@pytest.mark.parametrize(
    ("probe", "before", "outcome"),
    [
        (MEMORY, [], Outcome(failure=OOM)),
        (MEMORY, [MEMORY], Outcome(failure="ValueError: no")),
        (PAPER, [PAPER], Outcome(failure=OOM)),
        (RUNTIME, [RUNTIME], Outcome(failure=OOM)),
    ],
)
def test_other_failures_are_not_asked_again(probe: Probe, before: list[Probe], outcome: Outcome, calls: Calls) -> None:
    calls.outcomes = [*(None for _ in before), outcome]
    with Prober("cuda:0") as answering:
        for earlier in before:
            answering.answer(earlier, 9)
        assert answering.answer(probe, 9) == outcome
    assert len(calls.asked) == len(before) + 1


@pytest.mark.parametrize(("device", "limit_s"), [("cpu", PROBE_LIMIT_S["cpu"]), ("cuda", PROBE_LIMIT_S["cuda"])])
def test_no_probe_uses_up_the_time_of_many(device: str, limit_s: float, calls: Calls) -> None:
    with Prober(device) as answering:
        answering.answer(RUNTIME, 9)
        answering.answer(RUNTIME, 9999)
    assert calls.limits == [pytest.approx(9, abs=1), pytest.approx(limit_s, abs=1)]


def test_probes_are_measured() -> None:
    with Prober("cpu") as answering:
        memory, runtime = (answering.answer(probe, 60) for probe in (MEMORY, RUNTIME))
    assert memory.failure is runtime.failure is None
    assert memory.result["allocated_bytes"] > 0
    assert runtime.result["median_s"] > 0
