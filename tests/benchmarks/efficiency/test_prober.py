import os
from collections.abc import Callable
from dataclasses import replace
from multiprocessing import active_children
from typing import Any

import pytest

from benchmarks.efficiency import prober
from benchmarks.efficiency.measuring import measure_probe
from benchmarks.efficiency.probe import Probe
from benchmarks.efficiency.prober import Prober
from benchmarks.efficiency.processes import Outcome, Worker

MEMORY = Probe("memory", "onet", "cube", (16, 16, 16), "inference", 32)
RUNTIME = replace(MEMORY, quantity="runtime")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """Let every call tell the process that it was made in instead; what was asked."""
    calls: list[tuple[Any, ...]] = []
    real = Worker.call

    def call(worker: Worker, function: Callable[..., Any], *arguments: Any, limit_s: float | None = None) -> Outcome:
        calls.append((function, *arguments, limit_s, len(active_children())))
        return real(worker, os.getpid)

    monkeypatch.setattr(prober.Worker, "call", call)
    return calls


def test_runtimes_share_a_process_and_memory_has_one_of_its_own_and_the_device(asked: list[tuple[Any, ...]]) -> None:
    with Prober("cpu") as answering:
        pids = [answering.answer(probe, 9).result for probe in (RUNTIME, RUNTIME, MEMORY, MEMORY, RUNTIME, RUNTIME)]
        assert len(active_children()) == 1
    assert active_children() == []
    first, again, one, another, later, last = pids
    assert first == again
    assert later == last
    assert len({first, one, another, later}) == 4
    assert [call[:4] for call in asked[1:3]] == [
        (measure_probe, RUNTIME, "cpu", 9),
        (measure_probe, MEMORY, "cpu", 9),
    ]
    # None is alive when memory is asked for.
    assert [call[4] for call in asked] == [0, 1, 0, 0, 0, 1]


def test_probes_are_measured() -> None:
    with Prober("cpu") as answering:
        memory, runtime = (answering.answer(probe, 60) for probe in (MEMORY, RUNTIME))
    assert memory.failure is runtime.failure is None
    assert memory.result["allocated_bytes"] > 0
    assert runtime.result["median_s"] > 0
