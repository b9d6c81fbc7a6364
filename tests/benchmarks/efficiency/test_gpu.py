import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.efficiency import gpu
from benchmarks.efficiency.gpu import PROBE_LIMIT_S, main, run_all
from benchmarks.efficiency.measuring import OOM, Outcome, describe_machine
from benchmarks.efficiency.probe import Probe
from benchmarks.efficiency.records import read_records
from benchmarks.efficiency.studies import EFFICIENCY_STUDIES
from benchmarks.efficiency.study import EfficiencyStudy
from ossnet.errors import UserError

FIRST = Probe("memory", "c", "cube", (16, 16, 16), "inference", locations=32)
SECOND, THIRD = replace(FIRST, model="onet"), replace(FIRST, quantity="runtime")

Answer = Callable[[Probe], Outcome]


def study(name: str, *probes: Probe) -> EfficiencyStudy:
    return EfficiencyStudy(name, name, lambda: [], lambda device_type: probes if device_type == "cpu" else [])


class Machine:
    """Answers probes in the place of a process of their own, in a time of its own making.

    Attributes:
        measured: the probes that it was asked.
        limits: seconds that each was given.
        now: on its clock, which every probe moves by `pace`.
    """

    def __init__(self) -> None:
        self.measured: list[Probe] = []
        self.limits: list[float] = []
        self.now, self.pace = 100.0, 1.0
        self.answers: dict[Probe, Outcome | BaseException] = {}

    def call(self, function: Callable[..., Any], *arguments: Any, limit_s: float) -> Outcome:
        if function is describe_machine:
            return Outcome(("cpu", {"command": arguments[1]}))
        probe = arguments[0]
        self.measured.append(probe)
        self.limits.append(limit_s)
        self.now += min(self.pace, limit_s)
        if self.pace > limit_s:
            return Outcome(failure="no result")
        answer = self.answers.get(probe, Outcome({"allocated_bytes": len(self.measured)}))
        if isinstance(answer, BaseException):
            raise answer
        return answer


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine()
    monkeypatch.setattr(gpu, "in_own_process", made.call)
    monkeypatch.setattr(gpu.time, "monotonic", lambda: made.now)
    return made


def recorded(results: Path, name: str) -> dict[Probe, str | None]:
    """Failures by probe, None for a result."""
    return {record.probe: record.failure for record in read_records(results, [name])}


def test_studies_are_measured_in_order_and_a_shared_probe_once(tmp_path: Path, machine: Machine) -> None:
    assert run_all("cpu", [study("one", FIRST, SECOND), study("two", SECOND, THIRD)], tmp_path, 60, "make gpu")
    assert machine.measured == [FIRST, SECOND, THIRD]
    one, two = read_records(tmp_path, ["one"]), read_records(tmp_path, ["two"])
    assert [(record.study, record.probe) for record in one] == [("one", FIRST), ("one", SECOND)]
    assert [(record.study, record.probe) for record in two] == [("two", SECOND), ("two", THIRD)]
    assert one[1].result == two[0].result == {"allocated_bytes": 2}
    assert one[0].machine == "cpu"
    assert one[0].provenance == {"command": "make gpu"}


def test_a_second_call_goes_on_with_what_is_missing(tmp_path: Path, machine: Machine) -> None:
    assert run_all("cpu", [study("one", SECOND)], tmp_path, 60, "first")
    assert run_all("cpu", [study("one", FIRST, SECOND, THIRD)], tmp_path, 60, "second")
    assert machine.measured == [SECOND, FIRST, THIRD]
    commands = [record.provenance["command"] for record in read_records(tmp_path, ["one"])]
    assert commands == ["second", "first", "second"]


def test_failures_are_told_and_kept_until_they_are_to_be_tried_again(
    tmp_path: Path, machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    studies = [study("one", FIRST, SECOND, THIRD)]
    machine.answers = {FIRST: Outcome(failure=OOM), SECOND: Outcome(failure="ValueError: no")}
    assert not run_all("cpu", studies, tmp_path, 60, "")
    assert recorded(tmp_path, "one") == {FIRST: OOM, SECOND: "ValueError: no", THIRD: None}
    assert "failed: ValueError: no" in capsys.readouterr().out
    assert not run_all("cpu", studies, tmp_path, 60, "")
    assert len(machine.measured) == 3
    machine.answers = {FIRST: Outcome(failure=OOM)}
    assert run_all("cpu", studies, tmp_path, 60, "", retry_failed=True)
    assert machine.measured[3:] == [FIRST, SECOND]
    assert recorded(tmp_path, "one") == {FIRST: OOM, SECOND: None, THIRD: None}


def test_what_does_not_fit_in_the_time_stays_missing(
    tmp_path: Path, machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.pace = 40
    studies = [study("one", FIRST), study("two", SECOND, THIRD)]
    assert not run_all("cpu", studies, tmp_path, 60, "")
    assert machine.limits == [60, 20]
    assert recorded(tmp_path, "one") == {FIRST: None}
    assert recorded(tmp_path, "two") == {}
    assert "2 probes did not fit in 1 minutes; the same command goes on with them" in capsys.readouterr().out
    assert run_all("cpu", studies, tmp_path, 600, "")
    assert recorded(tmp_path, "two") == {SECOND: None, THIRD: None}


def test_one_probe_does_not_use_up_the_time_of_all(tmp_path: Path, machine: Machine) -> None:
    machine.pace = 1000
    assert not run_all("cpu", [study("one", FIRST, SECOND)], tmp_path, 3000, "")
    assert machine.limits == [PROBE_LIMIT_S, PROBE_LIMIT_S]
    assert recorded(tmp_path, "one") == {FIRST: "no result", SECOND: "no result"}


def test_an_interrupt_leaves_what_is_there(tmp_path: Path, machine: Machine) -> None:
    machine.answers = {SECOND: KeyboardInterrupt()}
    with pytest.raises(KeyboardInterrupt):
        run_all("cpu", [study("one", FIRST, SECOND, THIRD)], tmp_path, 60, "")
    assert recorded(tmp_path, "one") == {FIRST: None}


def test_the_time_to_go_is_told(tmp_path: Path, machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    machine.pace = 50
    run_all("cpu", [study("one", FIRST, SECOND, THIRD)], tmp_path, 120, "")
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("0/3 done, time to go not known yet: memory c cube 16x16x16 inference")
    assert lines[1].startswith("1/3 done, 1:10 to go: memory onet")
    assert lines[2].startswith("2/3 done, 0:20 to go: runtime c")


def test_a_device_that_cannot_be_used_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "in_own_process", lambda *arguments, limit_s: Outcome(failure="RuntimeError: busy"))
    with pytest.raises(UserError, match="cannot use device cuda:0: RuntimeError: busy"):
        run_all("cuda:0", [], tmp_path, 60, "")


@pytest.mark.parametrize(
    ("warning", "cuda", "reason"),
    [
        ("The NVIDIA driver on your system is too old", "12.4", "The NVIDIA driver on your system is too old"),
        (None, "12.4", "its driver shows none; see nvidia-smi and CUDA_VISIBLE_DEVICES"),
        (None, None, f"torch {torch.__version__} is built without CUDA; install a build with it"),
    ],
)
def test_without_a_gpu_one_line_says_why(
    warning: str | None,
    cuda: str | None,
    reason: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def unavailable() -> bool:
        if warning is not None:
            warnings.warn(warning, stacklevel=1)
        return False

    monkeypatch.setattr(torch.cuda, "is_available", unavailable)
    monkeypatch.setattr(torch.version, "cuda", cuda)
    monkeypatch.setattr(torch.version, "hip", None)
    assert main([]) == 2
    told = capsys.readouterr()
    assert told.err == f"python -m benchmarks.efficiency.gpu: no GPU that torch can use: {reason}\n"
    assert told.out == ""


def test_a_limit_is_above_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--limit-minutes", "0"]) == 2
    assert "--limit-minutes 0.0: give a number above 0" in capsys.readouterr().err


def test_the_command_measures_every_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(gpu, "run_all", lambda *arguments: not asked.append(arguments))
    assert main(["--results", str(tmp_path), "--limit-minutes", "2"]) == 0
    ((device, studies, results, limit_s, command, retry_failed),) = asked
    assert (device, results, limit_s, retry_failed) == ("cuda:0", tmp_path, 120, False)
    assert command == f"python -m benchmarks.efficiency.gpu --results {tmp_path} --limit-minutes 2"
    assert [one.name for one in studies] == list(EFFICIENCY_STUDIES)


def test_the_most_important_is_measured_first_and_with_the_batches_of_the_paper() -> None:
    assert list(EFFICIENCY_STUDIES) == ["table3", "figure5", "figure6", "scaling"]
    training = [probe for probe in EFFICIENCY_STUDIES["table3"].measured("cuda") if probe.phase == "training"]
    assert {probe.batch_size for probe in training if (probe.model, probe.dataset) == ("c", "brats")} == {1, 8}
    assert {probe.batch_size for probe in training if (probe.model, probe.dataset) == ("c", "lits")} == {1, 4}
