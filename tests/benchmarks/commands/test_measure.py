import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.commands import measure as running
from benchmarks.commands.measure import (
    EfficiencyRequest,
    available_memory,
    dry_run_efficiency,
    run_efficiency,
)
from benchmarks.machine.subprocess_worker import Outcome
from benchmarks.probes.ledger import Ledger, name_of
from benchmarks.probes.machine import Machine
from benchmarks.probes.prober import Prober
from benchmarks.probes.records import IDLE_BYTES, read_records
from benchmarks.study import EfficiencyStudy, Probe
from ossnet.errors import UserError

Capture = pytest.CaptureFixture[str]

SMALL = Probe("memory", "onet", "cube", (64, 64, 64), "inference", 2**8)
LARGE = replace(SMALL, shape=(128, 128, 128))
TIMED = replace(SMALL, quantity="runtime", phase="extraction", extraction="mise")

TABLE3 = EfficiencyStudy("table3", "", lambda: [SMALL, LARGE], lambda device_type: [SMALL, TIMED])
FIGURE6 = EfficiencyStudy("figure6", "", lambda: [SMALL], lambda device_type: [SMALL])

GIB = 2**30


class Answering:
    """Answers probes without running them, and keeps what it was asked."""

    def __init__(self) -> None:
        self.predicted: list[Probe] = []
        self.measured: list[tuple[Probe, str]] = []
        self.failures: dict[Probe, Exception] = {}
        self.outcomes: dict[Probe, Outcome] = {}
        self.used_bytes = 0

    def predict(self, probe: Probe) -> dict[str, Any]:
        self.predicted.append(probe)
        if probe in self.failures:
            raise self.failures[probe]
        return {"allocated_bytes": GIB, "reserved_bytes": GIB, "by_part": {"decoder": GIB}}

    def look_at(self, device: str, command: str) -> Machine:
        return Machine("NVIDIA H100", device, {"command": command, "used_bytes": self.used_bytes})

    def measure(self, prober: Prober, probe: Probe, limit_s: float) -> Outcome:
        assert (limit_s, prober._limit_s) == (math.inf, running.PROBE_LIMIT_S)
        self.measured.append((probe, prober._device))
        times = {"median_s": 1.0, "low_s": 1.0, "high_s": 1.0}
        memory = {"allocated_bytes": GIB, "process_bytes": GIB}
        return self.outcomes.get(probe, Outcome(memory if probe.quantity == "memory" else times))


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Answering:
    fake = Answering()
    monkeypatch.setattr(running, "predict_probe", fake.predict)
    monkeypatch.setattr(running, "look_at", fake.look_at)
    monkeypatch.setattr(Prober, "answer", lambda prober, probe, limit_s: fake.measure(prober, probe, limit_s))
    monkeypatch.setattr(running, "available_memory", lambda: 16 * GIB)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    return fake


def request(results: Path, *studies: EfficiencyStudy, **options: bool) -> EfficiencyRequest:
    chosen = {"retry_failed": False, "force": False, "measure": True, "shared": False} | options
    return EfficiencyRequest(studies or (TABLE3,), results, command="python -m benchmarks run table3", **chosen)


def records(results: Path, study: str = "table3") -> dict[tuple[str, str], str | None]:
    found = read_records(results, [study])
    return {(record.machine, name_of(record.probe)): record.failure for record in found}


def test_predictions_then_measurements_then_the_table(tmp_path: Path, machine: Answering, capsys: Capture) -> None:
    assert run_efficiency(request(tmp_path)) == 0
    assert records(tmp_path) == {
        ("predicted", name_of(SMALL)): None,
        ("predicted", name_of(LARGE)): None,
        ("cpu", name_of(SMALL)): None,
        ("cpu", name_of(TIMED)): None,
    }
    assert machine.measured == [(SMALL, "cpu"), (TIMED, "cpu")]
    assert capsys.readouterr().out == f"{tmp_path}/tables/table3.md\n"
    (first, *_) = read_records(tmp_path, ["table3"])
    assert first.provenance["command"] == "python -m benchmarks run table3"
    assert first.result is not None


def test_called_again_it_answers_nothing_again(tmp_path: Path, machine: Answering) -> None:
    run_efficiency(request(tmp_path))
    machine.predicted.clear()
    machine.measured.clear()
    assert run_efficiency(request(tmp_path)) == 0
    assert (machine.predicted, machine.measured) == ([], [])
    assert run_efficiency(request(tmp_path, force=True)) == 0
    assert {SMALL, LARGE} <= set(machine.predicted)
    assert len(machine.measured) == 2


def test_a_probe_of_two_studies_is_answered_once(tmp_path: Path, machine: Answering) -> None:
    run_efficiency(request(tmp_path, TABLE3, FIGURE6))
    assert [probe for probe, _ in machine.measured] == [SMALL, TIMED]
    assert set(records(tmp_path, "figure6")) == {("predicted", name_of(SMALL)), ("cpu", name_of(SMALL))}


def test_where_nothing_is_to_be_measured_there_are_predictions_only(tmp_path: Path, machine: Answering) -> None:
    assert run_efficiency(request(tmp_path, measure=False)) == 0
    assert machine.measured == []
    assert {name for name, _ in records(tmp_path)} == {"predicted"}


def test_failures_stay_until_they_are_to_be_tried_again(tmp_path: Path, machine: Answering, capsys: Capture) -> None:
    machine.failures[LARGE] = ValueError("no luck\nat all")
    machine.outcomes[SMALL] = Outcome(failure="OOM")
    assert run_efficiency(request(tmp_path)) == 1
    assert records(tmp_path)["predicted", name_of(LARGE)] == "ValueError: no luck at all"
    assert records(tmp_path)["cpu", name_of(SMALL)] == "OOM"
    told = capsys.readouterr().err
    assert f"{name_of(LARGE)}: ValueError: no luck at all" in told
    assert "1 of 4 probes have failed; --retry-failed tries them again" in told
    machine.failures.clear()
    machine.outcomes.clear()
    assert run_efficiency(request(tmp_path)) == 1
    assert run_efficiency(request(tmp_path, retry_failed=True)) == 0
    assert set(records(tmp_path).values()) == {None}


def test_lack_of_memory_is_an_outcome(tmp_path: Path, machine: Answering) -> None:
    machine.outcomes[SMALL] = Outcome(failure="OOM")
    assert run_efficiency(request(tmp_path)) == 0
    assert "OOM" in (tmp_path / "tables" / "table3.csv").read_text(encoding="utf-8")


def test_interrupted_it_keeps_what_it_has(tmp_path: Path, machine: Answering) -> None:
    def interrupt(*arguments: Any, **options: Any) -> Outcome:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Prober, "answer", interrupt)
        with pytest.raises(KeyboardInterrupt):
            run_efficiency(request(tmp_path))
    assert {name for name, _ in records(tmp_path)} == {"predicted"}
    machine.predicted.clear()
    run_efficiency(request(tmp_path))
    assert len(records(tmp_path)) == 4
    assert LARGE not in machine.predicted


def test_a_cpu_leaves_out_what_would_fill_its_memory(
    tmp_path: Path, machine: Answering, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    run_efficiency(request(tmp_path))
    assert "left out" not in capsys.readouterr().err
    monkeypatch.setattr(running, "available_memory", lambda: 2 * GIB)
    # What was measured while there was more memory stays.
    run_efficiency(request(tmp_path))
    assert len(records(tmp_path)) == 4
    machine.measured.clear()
    elsewhere = tmp_path / "elsewhere"
    run_efficiency(request(elsewhere))
    (told,) = (line for line in capsys.readouterr().err.splitlines() if "left out" in line)
    assert told == (
        "table3: 2 probes left out, predicted to take 1.1 GB to 1.1 GB; "
        "a CPU measures what takes less than 33% of its available memory, which is 2.1 GB"
    )
    assert machine.measured == []
    assert {name for name, _ in records(elsewhere)} == {"predicted"}


def test_a_gpu_measures_whatever_it_takes(tmp_path: Path, machine: Answering, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(running, "available_memory", lambda: 0)
    assert run_efficiency(request(tmp_path)) == 0
    assert machine.measured == [(SMALL, "cuda"), (TIMED, "cuda")]
    assert (tmp_path / "efficiency" / "table3-nvidia-h100.jsonl").exists()


def test_a_gpu_that_others_use_does_not_measure_unless_it_is_to_be_shared(
    tmp_path: Path, machine: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    machine.used_bytes = IDLE_BYTES + 1
    with pytest.raises(UserError, match=r"others use 2\.0 GB of device cuda, .* all the same with --shared"):
        run_efficiency(request(tmp_path))
    # Told before anything is predicted.
    assert records(tmp_path) == {}
    assert dry_run_efficiency(request(tmp_path)) == 0
    assert run_efficiency(request(tmp_path, shared=True)) == 0
    assert machine.measured == [(SMALL, "cuda"), (TIMED, "cuda")]
    # With nothing to measure it is not in the way.
    assert run_efficiency(request(tmp_path)) == 0


def test_a_dry_run_lists_every_probe_and_changes_nothing(tmp_path: Path, machine: Answering, capsys: Capture) -> None:
    assert dry_run_efficiency(request(tmp_path)) == 0
    assert list(tmp_path.iterdir()) == []
    assert capsys.readouterr().out.splitlines() == [
        "table3, predicted: 2 probes, 0 done, 2 missing",
        f"  {name_of(SMALL)}: missing, to be answered",
        f"  {name_of(LARGE)}: missing, to be answered",
        "table3, cpu: 2 probes, 0 done, 2 missing",
        f"  {name_of(SMALL)}: missing, to be answered",
        f"  {name_of(TIMED)}: missing, to be answered",
        "4 probes to answer",
    ]
    run_efficiency(request(tmp_path))
    capsys.readouterr()
    dry_run_efficiency(request(tmp_path))
    shown = capsys.readouterr().out.splitlines()
    assert shown[1] == f"  {name_of(SMALL)}: done"
    assert shown[-1] == "0 probes to answer"
    dry_run_efficiency(request(tmp_path, force=True))
    assert capsys.readouterr().out.splitlines()[-1] == "4 probes to answer"


def test_this_machine_has_some_memory() -> None:
    assert GIB // 4 < available_memory() < 2**50


def test_a_real_prediction_and_a_real_measurement(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    tiny = replace(SMALL, shape=(16, 16, 16))
    study = EfficiencyStudy("figure6", "", lambda: [tiny], lambda device_type: [tiny])
    assert run_efficiency(request(tmp_path, study)) == 0
    predicted, measured = (Ledger.open("figure6", name, [tiny], tmp_path) for name in ("predicted", "cpu"))
    of_gpu, of_cpu = predicted.records[tiny].result, measured.records[tiny].result
    assert of_gpu is not None
    assert of_cpu is not None
    assert 0 < of_gpu["allocated_bytes"] < of_cpu["process_bytes"]
