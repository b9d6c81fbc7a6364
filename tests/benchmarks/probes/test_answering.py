import math
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.machine.subprocess_worker import Outcome
from benchmarks.probes import answering
from benchmarks.probes.answering import answer, distinct
from benchmarks.probes.ledger import Ledger, name_of
from benchmarks.probes.machine import Machine
from benchmarks.probes.records import read_records
from benchmarks.study import Probe

FIRST = Probe("memory", "c", "cube", (16, 16, 16), "inference", locations=32)
SECOND, THIRD = replace(FIRST, model="onet"), replace(FIRST, model="a")
PREDICTED = Machine("predicted", None, {"command": "make table3"})


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, in place of the real one."""
    now = [0.0]
    monkeypatch.setattr(answering.time, "monotonic", lambda: now[0])
    return now


class Answers:
    """Answers every probe in 10 s, and keeps what it was asked and what was told."""

    def __init__(self, clock: list[float]) -> None:
        self.clock = clock
        self.asked: list[tuple[Probe, float]] = []
        self.shown: list[tuple[int, str]] = []
        self.told: list[str] = []
        self.failures: dict[Probe, str] = {}

    def ask(self, probe: Probe, limit_s: float) -> Outcome:
        self.asked.append((probe, limit_s))
        self.clock[0] += min(10, limit_s)
        if limit_s < 10:
            return Outcome(failure="too slow")
        failure = self.failures.get(probe)
        return Outcome(failure=failure) if failure else Outcome({"allocated_bytes": len(self.asked)})

    def show(self, done: int, name: str) -> None:
        self.shown.append((done, name))

    def answer(self, results: Path, *studies: list[Probe], deadline: float = math.inf) -> None:
        ledgers = [Ledger.open(f"study{number}", "predicted", study, results) for number, study in enumerate(studies)]
        missing = [(ledger, ledger.missing()) for ledger in ledgers]
        answer(missing, PREDICTED, self.ask, self.show, self.told.append, deadline)


@pytest.fixture
def answers(clock: list[float]) -> Answers:
    return Answers(clock)


def found(results: Path, study: str) -> dict[Probe, object]:
    return {
        record.probe: record.failure if record.result is None else record.result["allocated_bytes"]
        for record in read_records(results, [study])
    }


def test_what_several_studies_ask_is_asked_once() -> None:
    ledger = Ledger("", "", [], Path(), {})
    assert distinct([(ledger, [SECOND, FIRST]), (ledger, [FIRST, THIRD])]) == [SECOND, FIRST, THIRD]


def test_every_study_that_misses_a_probe_gets_its_record(tmp_path: Path, answers: Answers) -> None:
    answers.answer(tmp_path, [FIRST, SECOND], [SECOND, THIRD])
    assert answers.asked == [(FIRST, math.inf), (SECOND, math.inf), (THIRD, math.inf)]
    assert answers.shown == [(0, name_of(FIRST)), (1, name_of(SECOND)), (2, name_of(THIRD))]
    assert found(tmp_path, "study0") == {FIRST: 1, SECOND: 2}
    assert found(tmp_path, "study1") == {SECOND: 2, THIRD: 3}
    (record, *_) = read_records(tmp_path, ["study0"])
    assert (record.machine, record.provenance) == ("predicted", {"command": "make table3"})


def test_a_study_that_has_it_keeps_its_own(tmp_path: Path, answers: Answers) -> None:
    answers.answer(tmp_path, [FIRST])
    answers.answer(tmp_path, [FIRST], [FIRST])
    assert (found(tmp_path, "study0"), found(tmp_path, "study1")) == ({FIRST: 1}, {FIRST: 2})


def test_failures_are_told_and_recorded(tmp_path: Path, answers: Answers) -> None:
    answers.failures = {FIRST: "no luck"}
    answers.answer(tmp_path, [FIRST, SECOND])
    assert answers.told == [f"{name_of(FIRST)}: no luck"]
    assert found(tmp_path, "study0") == {FIRST: "no luck", SECOND: 2}


@pytest.mark.parametrize(("deadline", "limits", "done"), [(20, [20, 10], 2), (25, [25, 15, 5], 2), (5, [5], 0)])
def test_what_is_at_work_at_the_deadline_stays_missing(
    deadline: float, limits: list[float], done: int, tmp_path: Path, answers: Answers
) -> None:
    answers.answer(tmp_path, [FIRST, SECOND, THIRD], deadline=deadline)
    assert [limit_s for _, limit_s in answers.asked] == limits
    assert list(found(tmp_path, "study0")) == [FIRST, SECOND, THIRD][:done]
    assert answers.told == []
