"""Probes are answered once, recorded at once, and no longer than there is time for. Nothing is measured here."""

import math
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Self

import pytest

from benchmarks.layout import Layout
from benchmarks.machine.subprocess_worker import OOM, Outcome
from benchmarks.probes import predictions, runner
from benchmarks.probes.ledger import name_of
from benchmarks.probes.machine import Machine
from benchmarks.probes.records import read_records
from benchmarks.probes.runner import PROBE_LIMIT_S, ProbeOptions, ProbeRunner, as_memory
from benchmarks.study import Study
from benchmarks.workload import Probe
from ossnet.errors import UserError

GIB = 2**30
FIRST = Probe("memory", "c", "cube", (16, 16, 16), "inference", locations=32)
SECOND, THIRD = replace(FIRST, model="onet"), replace(FIRST, quantity="runtime")
LIMIT_S = PROBE_LIMIT_S["cuda"]


def study(name: str, *probes: Probe) -> Study:
    """Return a study whose probes every machine has, predictions included."""
    return Study(Layout(name, name), predicted=lambda: probes, measured=lambda device_type: probes)


class FakeMachine:
    """Fake machine that answers probes by its own clock, and a display of progress.

    Every probe moves the clock by `pace`, or by its own of `paces`, and has a plain result, or its own of `outcomes`.
    """

    def __init__(self) -> None:
        self.answered: list[Probe] = []
        self.limits: list[float] = []
        self.displayed: list[tuple[float, str]] = []
        self.totals: list[int] = []
        self.logged: list[str] = []
        self.now, self.pace = 100.0, 1.0
        self.paces: dict[Probe, float] = {}
        self.outcomes: dict[Probe, Outcome | BaseException] = {}
        self.used_bytes: int | None = None
        self.ended = False

    def runner(self, results: Path, *studies: Study, name: str = "NVIDIA H100", **options: bool) -> ProbeRunner:
        device = {"predicted": None, "cpu": "cpu"}.get(name, "cuda:0")
        machine = Machine(name, device, {"command": "make gpu", "used_bytes": self.used_bytes})
        return ProbeRunner(studies, machine, results, ProbeOptions(**options), self.logged.append)

    def answer(self, runner: ProbeRunner, limit_s: float = math.inf) -> bool:
        """Answer the missing probes; return whether all are there and none failed."""
        runner.answer(self.progress, self.now + limit_s)
        return not runner.failed() and not any(ledger.missing() for ledger in runner.ledgers)

    @contextmanager
    def prober(self, device: str, of_probe_s: float) -> Iterator[SimpleNamespace]:
        """Stand for `benchmarks.probes.prober.Prober`."""

        def answer(probe: Probe, limit_s: float) -> Outcome:
            self.limits.append(limit_s)
            limit_s, pace = min(limit_s, of_probe_s), self.paces.get(probe, self.pace)
            outcome = self.outcome(probe)
            self.now += min(pace, limit_s)
            return outcome if pace <= limit_s else Outcome(failure="no result")

        try:
            yield SimpleNamespace(answer=answer)
        finally:
            self.ended = True

    def progress(self, title: str, total: int) -> AbstractContextManager[Self]:
        self.totals.append(total)
        return nullcontext(self)

    def update(self, done: float, note: str = "") -> None:
        self.displayed.append((done, note))

    def outcome(self, probe: Probe) -> Outcome:
        self.answered.append(probe)
        result = {"allocated_bytes": len(self.answered), **dict.fromkeys(("median_s", "low_s", "high_s"), 1.0)}
        outcome = self.outcomes.get(probe, Outcome(result))
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> FakeMachine:
    fake = FakeMachine()
    monkeypatch.setattr(runner, "Prober", fake.prober)
    for module in (runner, predictions):
        monkeypatch.setattr(module, "predict", fake.outcome)
    monkeypatch.setattr(runner.time, "monotonic", lambda: fake.now)
    return fake


def recorded(results: Path, name: str) -> dict[Probe, str | None]:
    """Return the failures by probe, None for a result."""
    return {record.probe: record.failure for record in read_records(results, [name])}


def test_a_probe_of_two_studies_is_answered_once_and_recorded_for_both(tmp_path: Path, machine: FakeMachine) -> None:
    assert machine.answer(machine.runner(tmp_path, study("one", FIRST, SECOND), study("two", SECOND, THIRD)))
    assert machine.answered == [FIRST, SECOND, THIRD]
    assert machine.displayed == [(0, name_of(FIRST)), (1, name_of(SECOND)), (2, name_of(THIRD))]
    assert machine.totals == [3]
    one, two = read_records(tmp_path, ["one"]), read_records(tmp_path, ["two"])
    assert [record.probe for record in one] == [FIRST, SECOND]
    assert [record.probe for record in two] == [SECOND, THIRD]
    assert one[1].result == two[0].result
    assert one[1].result is not None
    assert one[1].result["allocated_bytes"] == 2
    assert (one[0].machine, one[0].provenance["command"]) == ("NVIDIA H100", "make gpu")


def test_a_second_call_answers_what_is_missing_and_force_answers_all(tmp_path: Path, machine: FakeMachine) -> None:
    assert machine.answer(machine.runner(tmp_path, study("one", SECOND)))
    assert machine.answer(machine.runner(tmp_path, study("one", FIRST, SECOND, THIRD)))
    assert machine.answered == [SECOND, FIRST, THIRD]
    assert machine.answer(machine.runner(tmp_path, study("one", FIRST, SECOND, THIRD), force=True))
    assert machine.answered[3:] == [FIRST, SECOND, THIRD]


def test_failures_are_logged_and_kept_until_they_are_tried_again(tmp_path: Path, machine: FakeMachine) -> None:
    three = study("one", FIRST, SECOND, THIRD)
    machine.outcomes = {FIRST: Outcome(failure=OOM), SECOND: Outcome(failure="ValueError: no")}
    first = machine.runner(tmp_path, three)
    assert not machine.answer(first)
    assert recorded(tmp_path, "one") == {FIRST: OOM, SECOND: "ValueError: no", THIRD: None}
    # A lack of memory is an outcome.
    assert first.failed() == [SECOND]
    assert machine.logged == [f"{name_of(FIRST)}: OOM", f"{name_of(SECOND)}: ValueError: no"]
    assert not machine.answer(machine.runner(tmp_path, three))
    assert len(machine.answered) == 3
    machine.outcomes = {FIRST: Outcome(failure=OOM)}
    assert machine.answer(machine.runner(tmp_path, three, retry_failed=True))
    assert machine.answered[3:] == [FIRST, SECOND]
    assert recorded(tmp_path, "one") == {FIRST: OOM, SECOND: None, THIRD: None}


def test_what_does_not_fit_in_the_time_stays_missing(tmp_path: Path, machine: FakeMachine) -> None:
    machine.pace = 40
    studies = [study("one", FIRST), study("two", SECOND, THIRD)]
    assert not machine.answer(machine.runner(tmp_path, *studies), 60)
    assert machine.limits == [60, 20]
    assert (recorded(tmp_path, "one"), recorded(tmp_path, "two")) == ({FIRST: None}, {})
    assert machine.logged == []
    assert machine.answer(machine.runner(tmp_path, *studies), 600)
    assert recorded(tmp_path, "two") == {SECOND: None, THIRD: None}


@pytest.mark.parametrize("pace", [7, 59, 100])
def test_it_ends_within_its_limit_whatever_the_pace(pace: float, tmp_path: Path, machine: FakeMachine) -> None:
    """12 probes of which every third takes ten times as long."""
    probes = [replace(FIRST, locations=2**power) for power in range(12)]
    machine.paces = {probe: pace * (10 if place % 3 == 2 else 1) for place, probe in enumerate(probes)}
    begin, limit_s = machine.now, 300
    assert not machine.answer(machine.runner(tmp_path, study("one", *probes)), limit_s)
    assert machine.now - begin <= limit_s
    assert machine.ended
    outcomes = recorded(tmp_path, "one")
    # What ended in time is recorded, what took too long as a failure; the one at work at the end is missing.
    assert list(outcomes) == probes[: len(outcomes)]
    assert {probe for probe, failure in outcomes.items() if failure is not None} == {
        probe for probe in outcomes if machine.paces[probe] > LIMIT_S
    }
    assert len(machine.answered) <= len(outcomes) + 1


def test_an_interrupt_leaves_what_is_there_and_ends_the_processes(tmp_path: Path, machine: FakeMachine) -> None:
    machine.outcomes = {SECOND: KeyboardInterrupt()}
    with pytest.raises(KeyboardInterrupt):
        machine.answer(machine.runner(tmp_path, study("one", FIRST, SECOND, THIRD)))
    assert recorded(tmp_path, "one") == {FIRST: None}
    assert machine.ended


def test_a_gpu_that_others_use_is_refused_unless_it_is_shared_or_idle_all_the_same(
    tmp_path: Path, machine: FakeMachine
) -> None:
    machine.used_bytes = 12_340_000_000
    with pytest.raises(UserError, match=r"12\.3 GB.*cuda:0.*--shared"):
        machine.runner(tmp_path, study("one", FIRST)).refuse_shared_gpu()
    shared = machine.runner(tmp_path, study("one", FIRST), shared=True)
    shared.refuse_shared_gpu()
    assert machine.answer(shared)
    # With nothing to measure it is not in the way.
    machine.runner(tmp_path, study("one", FIRST)).refuse_shared_gpu()


def test_a_cpu_leaves_out_what_would_fill_its_memory(
    tmp_path: Path, machine: FakeMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.outcomes = {FIRST: Outcome({"allocated_bytes": GIB})}
    assert machine.answer(machine.runner(tmp_path, study("one", FIRST), name="predicted"))
    # Predictions need no processes.
    assert (machine.answered, machine.limits) == ([FIRST], [])
    monkeypatch.setattr(runner, "available_memory", lambda: 2 * GIB)
    too_large = machine.runner(tmp_path, study("one", FIRST), name="cpu")
    assert [probes for _, probes in too_large.missing()] == [[]]
    assert [part for part in ("1.1 GB", "33%", "2.1 GB") if part in machine.logged[0]] == ["1.1 GB", "33%", "2.1 GB"]
    monkeypatch.setattr(runner, "available_memory", lambda: 4 * GIB)
    assert [probes for _, probes in too_large.missing()] == [[FIRST]]
    # What a command takes is not predicted.
    of_command = Probe("command", "c", "brats", (16, 16, 16), "training", 32, implementation="lean")
    runs_it = machine.runner(tmp_path, study("two", of_command), name="cpu")
    assert [probes for _, probes in runs_it.missing()] == [[of_command]]
    assert of_command not in map(as_memory, machine.answered)
    # A GPU measures whatever it takes.
    monkeypatch.setattr(runner, "available_memory", lambda: 0)
    on_gpu = machine.runner(tmp_path, study("one", FIRST))
    assert [probes for _, probes in on_gpu.missing()] == [[FIRST]]


def test_the_memory_of_a_probe_is_that_of_its_phase() -> None:
    timed = Probe("runtime", "c", "cube", (16, 16, 16), "extraction", 32, extraction="released")
    assert as_memory(timed) == replace(timed, quantity="memory", extraction="mise")
    assert as_memory(replace(timed, locations=None)).extraction == "dense"
    assert as_memory(THIRD) == FIRST
