from collections.abc import Callable
from pathlib import Path

from benchmarks.claims.evidence import read_judged
from benchmarks.probes.published import paper_batches, published_memory
from benchmarks.probes.records import ProbeRecord, write_records
from benchmarks.studies import figure5
from benchmarks.studies.table3 import TABLE3

Record = Callable[..., ProbeRecord]

PROBES = [number.probe for number in published_memory()]
TRAINING = next(probe for probe in PROBES if (probe.model, probe.dataset, probe.phase) == ("c", "brats", "training"))


def test_memory_is_exact_and_of_a_gpu_alone(tmp_path: Path, record: Record) -> None:
    own, reference = tmp_path / "own", tmp_path / "reference"
    write_records([record("table3", TRAINING, "cpu", 9)], own)
    write_records([record("table3", TRAINING, "predicted", 2)], own)
    part = read_judged(TABLE3, own, reference)
    assert part.gpu is None
    assert part.numbers.empty
    (row,) = part.predicted.to_dict("records")
    assert row == {
        **{"table": "table3", "dataset": "brats", "model": "c", "resolution": "256x256x160", "locations": 2**14},
        **{"quantity": "training_memory", "unit": "GB", "value": 2.0, "low": 2.0, "high": 2.0},
    }
    write_records([record("table3", TRAINING, "NVIDIA H100", 3)], reference)
    part = read_judged(TABLE3, own, reference)
    assert part.gpu == "NVIDIA H100 (reference)"
    assert part.numbers["value"].tolist() == [3.0]


def test_only_the_papers_numbers_are_judged(tmp_path: Path, record: Record) -> None:
    batch = next(probe for probe in paper_batches() if probe.model == "c")
    write_records([record("table3", probe, "NVIDIA H100", 3) for probe in (TRAINING, batch)], tmp_path)
    assert len(read_judged(TABLE3, tmp_path, tmp_path / "reference").numbers) == 1


def test_what_failed_is_told_with_its_reason(tmp_path: Path, record: Record) -> None:
    write_records([record("table3", TRAINING, "NVIDIA H100", failure="OOM")], tmp_path)
    part = read_judged(TABLE3, tmp_path, tmp_path / "reference")
    assert part.numbers.empty
    (row,) = part.failures.to_dict("records")
    assert (row["reason"], row["model"], row["quantity"]) == ("OOM", "c", "training_memory")


def test_runtimes_tell_inferences_and_slices_apart(tmp_path: Path, record: Record) -> None:
    probes = figure5.measured("cuda")
    write_records([record("figure5", probe, "NVIDIA H100", seconds=2.0) for probe in probes], tmp_path)
    numbers = read_judged(figure5.FIGURE5, tmp_path, tmp_path / "reference").numbers
    assert set(numbers["quantity"]) == {"inference_runtime"}
    assert set(numbers["unit"]) == {"s"}
    assert (numbers["low"] == 1.0).all()
    assert (numbers["high"] == 4.0).all()
    octree, slicing = numbers[numbers["model"] == "c"], numbers[numbers["model"] != "c"]
    assert set(octree["extraction"]) == {"mise", "paper-prior", "released", "released-prior"}
    assert octree["slices"].isna().all()
    assert slicing["slices"].tolist() == [1, 32]
    assert slicing["extraction"].isna().all()
