"""Predictions, then measurements of this machine."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.commands import probes as command
from benchmarks.commands.probes import answer_probes, list_probes
from benchmarks.commands.request import Request
from benchmarks.layout import Layout
from benchmarks.machine.subprocess_worker import Outcome
from benchmarks.probes import predictions, runner
from benchmarks.probes.ledger import Ledger, name_of
from benchmarks.probes.machine import Machine
from benchmarks.probes.prober import Prober
from benchmarks.probes.records import IDLE_BYTES, read_records
from benchmarks.study import Study
from benchmarks.workload import Probe
from ossnet.errors import UserError

Capture = pytest.CaptureFixture[str]

SMALL = Probe("memory", "onet", "cube", (64, 64, 64), "inference", 2**8)
LARGE = replace(SMALL, shape=(128, 128, 128))
TIMED = replace(SMALL, quantity="runtime", phase="extraction", extraction="mise")
STUDY = Study(Layout("table3", ""), predicted=lambda: [SMALL, LARGE], measured=lambda device_type: [SMALL, TIMED])
GIB = 2**30


class FakeMachine:
    """Fake machine that answers probes without running them, and of whose GPU others use memory."""

    def __init__(self) -> None:
        self.predicted: list[Probe] = []
        self.measured: list[Probe] = []
        self.failures: dict[Probe, Exception] = {}
        self.used_bytes = 0

    def predict(self, probe: Probe) -> dict[str, Any]:
        self.predicted.append(probe)
        if probe in self.failures:
            raise self.failures[probe]
        return {"allocated_bytes": GIB, "reserved_bytes": GIB, "by_part": {"decoder": GIB}}

    def detect(self, device: str, command: str) -> Machine:
        return Machine("NVIDIA H100", device, {"command": command, "used_bytes": self.used_bytes})

    def measure(self, probe: Probe) -> Outcome:
        self.measured.append(probe)
        return Outcome({"allocated_bytes": GIB, "median_s": 1.0, "low_s": 1.0, "high_s": 1.0})


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> FakeMachine:
    fake = FakeMachine()
    monkeypatch.setattr(predictions, "predict_probe", fake.predict)
    monkeypatch.setattr(runner, "available_memory", lambda: 16 * GIB)
    monkeypatch.setattr(command, "detect", fake.detect)
    monkeypatch.setattr(Prober, "answer", lambda prober, probe, limit_s: fake.measure(probe))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    return fake


def request(results: Path, **options: bool) -> Request:
    return Request([], results, "python -m benchmarks run table3", **options)


def machines(results: Path) -> dict[tuple[str, str], str | None]:
    return {(record.machine, name_of(record.probe)): record.failure for record in read_records(results, ["table3"])}


def test_predictions_then_measurements(tmp_path: Path, machine: FakeMachine) -> None:
    assert answer_probes([STUDY], request(tmp_path))
    probes = [("predicted", SMALL), ("predicted", LARGE), ("cpu", SMALL), ("cpu", TIMED)]
    assert machines(tmp_path).keys() == {(machine, name_of(probe)) for machine, probe in probes}
    assert (machine.predicted[:2], machine.measured) == ([SMALL, LARGE], [SMALL, TIMED])
    (first, *_) = read_records(tmp_path, ["table3"])
    assert first.provenance["command"] == "python -m benchmarks run table3"


def test_where_nothing_is_to_be_measured_there_are_predictions_only(tmp_path: Path, machine: FakeMachine) -> None:
    assert answer_probes([STUDY], request(tmp_path, measure=False))
    assert machine.measured == []
    assert {name for name, _ in machines(tmp_path)} == {"predicted"}


def test_one_prediction_that_fails_is_recorded_and_the_others_go_on(
    tmp_path: Path, machine: FakeMachine, capsys: Capture
) -> None:
    machine.failures[SMALL] = ValueError("no luck\nat all")
    assert not answer_probes([STUDY], request(tmp_path))
    assert machines(tmp_path)["predicted", name_of(SMALL)] == "ValueError: no luck at all"
    assert machines(tmp_path)["predicted", name_of(LARGE)] is None
    assert "1 of 4 probes" in capsys.readouterr().err
    machine.failures.clear()
    assert not answer_probes([STUDY], request(tmp_path))
    assert answer_probes([STUDY], request(tmp_path, retry_failed=True))


def test_a_gpu_that_others_use_is_refused_before_anything_is_predicted(
    tmp_path: Path, machine: FakeMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    machine.used_bytes = IDLE_BYTES + 1
    with pytest.raises(UserError, match="--shared"):
        answer_probes([STUDY], request(tmp_path))
    assert machines(tmp_path) == {}
    list_probes([STUDY], request(tmp_path))
    assert answer_probes([STUDY], request(tmp_path, shared=True))
    assert (tmp_path / "efficiency" / "table3-nvidia-h100.jsonl").exists()


def test_what_no_gpu_measures_is_measured_on_the_cpu_beside_it(
    tmp_path: Path, machine: FakeMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    on_cpu = Study(Layout("whole", ""), measured=lambda device_type: [TIMED] if device_type == "cpu" else [])
    assert answer_probes([STUDY, on_cpu], request(tmp_path))
    assert {path.name for path in (tmp_path / "efficiency").iterdir()} == {
        *("table3-predicted.jsonl", "table3-nvidia-h100.jsonl", "whole-cpu.jsonl"),
    }
    assert machine.measured == [SMALL, TIMED, TIMED]


def test_a_dry_run_lists_every_probe_and_changes_nothing(tmp_path: Path, machine: FakeMachine, capsys: Capture) -> None:
    list_probes([STUDY], request(tmp_path))
    assert list(tmp_path.iterdir()) == []
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0].strip() for line in lines] == [
        *("table3, predicted", name_of(SMALL), name_of(LARGE)),
        *("table3, cpu", name_of(SMALL), name_of(TIMED)),
        "4 probes to answer",
    ]
    answer_probes([STUDY], request(tmp_path))
    capsys.readouterr()
    for force, missing in ((False, 0), (True, 4)):
        list_probes([STUDY], request(tmp_path, force=force))
        assert capsys.readouterr().out.splitlines()[-1] == f"{missing} probes to answer"


@pytest.mark.usefixtures("forkserver")
def test_a_real_prediction_and_a_real_measurement(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    tiny = replace(SMALL, shape=(16, 16, 16))
    study = Study(Layout("figure6", ""), predicted=lambda: [tiny], measured=lambda device_type: [tiny])
    assert answer_probes([study], request(tmp_path))
    predicted, measured = (Ledger.open("figure6", name, [tiny], tmp_path) for name in ("predicted", "cpu"))
    of_gpu, of_cpu = predicted.records[tiny].result, measured.records[tiny].result
    assert of_gpu is not None
    assert of_cpu is not None
    assert 0 < of_gpu["allocated_bytes"] < of_cpu["process_bytes"]
