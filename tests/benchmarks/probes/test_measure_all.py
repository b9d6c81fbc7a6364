from dataclasses import replace
from pathlib import Path
from typing import Self

import pytest

from benchmarks.machine.subprocess_worker import OOM, Outcome
from benchmarks.probes import measure_all
from benchmarks.probes.ledger import name_of
from benchmarks.probes.machine import Machine
from benchmarks.probes.measure_all import PROBE_LIMIT_S, run_all
from benchmarks.probes.records import FOLDER, IDLE_BYTES, read_records
from benchmarks.study import EfficiencyStudy, Probe
from ossnet.errors import UserError

FIRST = Probe("memory", "c", "cube", (16, 16, 16), "inference", locations=32)
SECOND, THIRD = replace(FIRST, model="onet"), replace(FIRST, quantity="runtime")
GPU = "NVIDIA H100"


def study(name: str, *probes: Probe) -> EfficiencyStudy:
    return EfficiencyStudy(name, name, lambda: [], lambda device_type: probes if device_type == "cuda" else [])


class FakeGpu:
    """Answers probes in the place of processes, in a time of its own making.

    Attributes:
        measured: the probes that it was asked.
        limits: seconds that each was given.
        now: on its clock, which every probe moves by `pace`, or by its own of `paces`.
        used_bytes: of its memory, by others.
        ended: whether the processes that answered have.
    """

    def __init__(self) -> None:
        self.measured: list[Probe] = []
        self.limits: list[float] = []
        self.now, self.pace = 100.0, 1.0
        self.paces: dict[Probe, float] = {}
        self.look_s = 0.0
        self.answers: dict[Probe, Outcome | BaseException] = {}
        self.used_bytes: int | None = None
        self.ended = False

    def look_at(self, device: str, command: str, limit_s: float) -> Machine:
        assert device == "cuda:0"
        self.now += self.look_s
        return Machine(GPU, device, {"command": command, "used_bytes": self.used_bytes})

    def prober(self, device: str, limit_s: float) -> Self:
        assert (device, limit_s) == ("cuda:0", PROBE_LIMIT_S)
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.ended = True

    def answer(self, probe: Probe, limit_s: float) -> Outcome:
        self.measured.append(probe)
        self.limits.append(limit_s)
        limit_s = min(limit_s, PROBE_LIMIT_S)
        pace = self.paces.get(probe, self.pace)
        self.now += min(pace, limit_s)
        if pace > limit_s:
            return Outcome(failure="no result")
        seconds = dict.fromkeys(("median_s", "low_s", "high_s"), 1.0)
        answer = self.answers.get(probe, Outcome({"allocated_bytes": len(self.measured), **seconds}))
        if isinstance(answer, BaseException):
            raise answer
        return answer


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> FakeGpu:
    made = FakeGpu()
    monkeypatch.setattr(measure_all, "look_at", made.look_at)
    monkeypatch.setattr(measure_all, "Prober", made.prober)
    monkeypatch.setattr(measure_all.time, "monotonic", lambda: made.now)
    return made


def recorded(results: Path, name: str) -> dict[Probe, str | None]:
    """Failures by probe, None for a result."""
    return {record.probe: record.failure for record in read_records(results, [name])}


def test_studies_are_measured_in_order_and_a_shared_probe_once(tmp_path: Path, machine: FakeGpu) -> None:
    assert run_all("cuda:0", [study("one", FIRST, SECOND), study("two", SECOND, THIRD)], tmp_path, 60, "make gpu")
    assert machine.measured == [FIRST, SECOND, THIRD]
    one, two = read_records(tmp_path, ["one"]), read_records(tmp_path, ["two"])
    assert [(record.study, record.probe) for record in one] == [("one", FIRST), ("one", SECOND)]
    assert [(record.study, record.probe) for record in two] == [("two", SECOND), ("two", THIRD)]
    assert one[1].result == two[0].result
    assert one[1].result is not None
    assert one[1].result["allocated_bytes"] == 2
    assert one[0].machine == GPU
    assert one[0].provenance["command"] == "make gpu"


def test_a_second_call_goes_on_with_what_is_missing(tmp_path: Path, machine: FakeGpu) -> None:
    assert run_all("cuda:0", [study("one", SECOND)], tmp_path, 60, "first")
    assert run_all("cuda:0", [study("one", FIRST, SECOND, THIRD)], tmp_path, 60, "second")
    assert machine.measured == [SECOND, FIRST, THIRD]
    commands = [record.provenance["command"] for record in read_records(tmp_path, ["one"])]
    assert commands == ["second", "first", "second"]


def test_failures_are_told_and_kept_until_they_are_to_be_tried_again(
    tmp_path: Path, machine: FakeGpu, capsys: pytest.CaptureFixture[str]
) -> None:
    studies = [study("one", FIRST, SECOND, THIRD)]
    machine.answers = {FIRST: Outcome(failure=OOM), SECOND: Outcome(failure="ValueError: no")}
    assert not run_all("cuda:0", studies, tmp_path, 60, "")
    assert recorded(tmp_path, "one") == {FIRST: OOM, SECOND: "ValueError: no", THIRD: None}
    told = capsys.readouterr()
    assert "failed: ValueError: no" in told.out
    assert f"{name_of(SECOND)}: ValueError: no\n" in told.err
    assert not run_all("cuda:0", studies, tmp_path, 60, "")
    assert len(machine.measured) == 3
    machine.answers = {FIRST: Outcome(failure=OOM)}
    assert run_all("cuda:0", studies, tmp_path, 60, "", retry_failed=True)
    assert machine.measured[3:] == [FIRST, SECOND]
    assert recorded(tmp_path, "one") == {FIRST: OOM, SECOND: None, THIRD: None}


def test_what_does_not_fit_in_the_time_stays_missing(
    tmp_path: Path, machine: FakeGpu, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.pace = 40
    studies = [study("one", FIRST), study("two", SECOND, THIRD)]
    assert not run_all("cuda:0", studies, tmp_path, 60, "")
    assert machine.limits == [60, 20]
    assert recorded(tmp_path, "one") == {FIRST: None}
    assert recorded(tmp_path, "two") == {}
    told = capsys.readouterr().out
    assert "2 probes did not fit in 1 minutes; the same command goes on with them" in told
    assert f"in {tmp_path / FOLDER}; `python -m benchmarks collect --results {tmp_path}`" in told
    assert run_all("cuda:0", studies, tmp_path, 600, "")
    assert recorded(tmp_path, "two") == {SECOND: None, THIRD: None}


def test_a_shared_probe_is_missing_once_and_without_records_none_are_told(
    tmp_path: Path, machine: FakeGpu, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.pace = 100
    assert not run_all("cuda:0", [study("one", FIRST), study("two", FIRST)], tmp_path, 60, "")
    told = capsys.readouterr().out
    assert "\n1 probes did not fit" in told
    assert "the records are in" not in told


def test_one_probe_does_not_use_up_the_time_of_all(tmp_path: Path, machine: FakeGpu) -> None:
    machine.pace = 1000
    assert not run_all("cuda:0", [study("one", FIRST, SECOND)], tmp_path, 3000, "")
    assert machine.limits == [3000, 3000 - PROBE_LIMIT_S]
    assert recorded(tmp_path, "one") == {FIRST: "no result", SECOND: "no result"}


def test_an_interrupt_leaves_what_is_there(tmp_path: Path, machine: FakeGpu) -> None:
    machine.answers = {SECOND: KeyboardInterrupt()}
    with pytest.raises(KeyboardInterrupt):
        run_all("cuda:0", [study("one", FIRST, SECOND, THIRD)], tmp_path, 60, "")
    assert recorded(tmp_path, "one") == {FIRST: None}


def test_the_time_to_go_is_told(tmp_path: Path, machine: FakeGpu, capsys: pytest.CaptureFixture[str]) -> None:
    machine.pace = 50
    run_all("cuda:0", [study("one", FIRST, SECOND, THIRD)], tmp_path, 120, "")
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("0/3 done, time to go not known yet: memory c cube 16x16x16 inference")
    assert lines[1].startswith("1/3 done, 1:10 to go: memory onet")
    assert lines[2].startswith("2/3 done, 0:20 to go: runtime c")


@pytest.mark.parametrize("pace", [7, 40, 59, 61, 100])
@pytest.mark.parametrize("look_s", [0, 30])
def test_it_ends_within_its_limit_whatever_the_pace(
    tmp_path: Path, machine: FakeGpu, pace: float, look_s: float
) -> None:
    """A clock that probes move, and 12 probes of which every third takes ten times as long."""
    probes = [replace(FIRST, locations=2**power) for power in range(12)]
    machine.paces = {probe: pace * (10 if place % 3 == 2 else 1) for place, probe in enumerate(probes)}
    machine.look_s = look_s
    begin, limit_s = machine.now, 300
    assert not run_all("cuda:0", [study("one", *probes)], tmp_path, limit_s, "")
    assert machine.now - begin <= limit_s
    assert machine.ended
    outcomes = recorded(tmp_path, "one")
    # What came to an end in time is recorded, what took too long as a failure; the one at work at the end is missing.
    assert list(outcomes) == probes[: len(outcomes)]
    assert {probe for probe, failure in outcomes.items() if failure is not None} == {
        probe for probe in outcomes if machine.paces[probe] > PROBE_LIMIT_S
    }
    assert look_s + sum(min(machine.paces[probe], PROBE_LIMIT_S) for probe in outcomes) <= limit_s
    assert len(machine.measured) <= len(outcomes) + 1


def test_calls_of_a_few_minutes_come_to_the_end(tmp_path: Path, machine: FakeGpu) -> None:
    machine.pace = 50
    probes = [replace(FIRST, locations=2**power) for power in range(12)]
    calls = 1
    while not run_all("cuda:0", [study("one", *probes)], tmp_path, 180, ""):
        calls += 1
    # Three a call, and a fourth that is cut off.
    assert calls == 4
    assert recorded(tmp_path, "one") == dict.fromkeys(probes)


@pytest.mark.parametrize("used_bytes", [None, 0, IDLE_BYTES])
def test_a_device_that_is_idle_or_does_not_tell_is_used(
    used_bytes: int | None, tmp_path: Path, machine: FakeGpu
) -> None:
    machine.used_bytes = used_bytes
    assert run_all("cuda:0", [study("one", FIRST)], tmp_path, 60, "")


def test_a_device_that_others_use_is_refused_unless_it_is_to_be_shared(tmp_path: Path, machine: FakeGpu) -> None:
    machine.used_bytes = 12_340_000_000
    with pytest.raises(UserError, match=r"others use 12\.3 GB of device cuda:0, .* all the same with --shared"):
        run_all("cuda:0", [study("one", FIRST)], tmp_path, 60, "")
    assert machine.measured == []
    assert run_all("cuda:0", [study("one", FIRST)], tmp_path, 60, "", shared=True)
    assert machine.measured == [FIRST]
    # With nothing to measure it is not in the way.
    assert run_all("cuda:0", [study("one", FIRST)], tmp_path, 60, "")
