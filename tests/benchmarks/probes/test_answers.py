from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from benchmarks.probes.answers import Answers
from benchmarks.probes.records import ProbeRecord, write_records
from benchmarks.workload import Probe

Record = Callable[..., ProbeRecord]

PROBE = Probe("memory", "c", "brats", (64, 64, 64), "training", 2**8)


def test_machines_without_own_records_are_from_the_reference(tmp_path: Path, record: Record) -> None:
    own, reference = tmp_path / "own", tmp_path / "reference"
    for machine in ("predicted", "cpu"):
        write_records([record("table3", PROBE, machine, 1)], own)
    for machine in ("predicted", "cpu", "GPU A"):
        write_records([record("table3", PROBE, machine, 5)], reference)
    answers = Answers.read("table3", own, reference)
    assert list(answers.by_machine) == ["predicted", "cpu", "GPU A"]
    assert answers.measured == answers.shown == ["GPU A", "cpu"]
    assert [answers.title(machine) for machine in answers.by_machine] == ["Predicted", "CPU", "GPU A (reference)"]
    assert answers.value("cpu", PROBE, "allocated_bytes") == 1e9
    assert answers.value("GPU A", PROBE, "allocated_bytes") == 5e9
    assert Answers.read("table3", own).measured == ["cpu"]


def test_a_gpu_has_a_place_even_where_there_is_none() -> None:
    answers = Answers({})
    assert answers.gpu is None
    assert answers.shown == ["GPU"]
    assert answers.of("GPU", PROBE) is None
    assert answers.value("GPU", PROBE, "allocated_bytes") is None


def test_claims_are_judged_by_ones_own_gpu_with_most_records(tmp_path: Path, record: Record) -> None:
    own, reference = tmp_path / "own", tmp_path / "reference"
    two = [PROBE, replace(PROBE, model="a")]
    write_records([record("table3", probe, "GPU C", 1) for probe in two], reference)
    assert Answers.read("table3", own, reference).gpu == "GPU C"
    write_records([record("table3", PROBE, "GPU A", 1)], own)
    assert Answers.read("table3", own, reference).gpu == "GPU A"
    write_records([record("table3", probe, "GPU B", 1) for probe in two], own)
    assert Answers.read("table3", own, reference).gpu == "GPU B"
