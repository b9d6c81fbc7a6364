from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from benchmarks.layout import Layout
from benchmarks.probes.ledger import MAX_LISTED, Ledger, device_type_of, ledgers_of, name_of
from benchmarks.probes.records import ProbeRecord
from benchmarks.study import Study
from benchmarks.workload import Probe

Record = Callable[..., ProbeRecord]

SMALL = Probe("memory", "c", "brats", (64, 64, 64), "training", 2**8)
LARGE = replace(SMALL, shape=(128, 128, 128))
STUDY = Study(Layout("table3", ""), predicted=lambda: [SMALL, LARGE], measured=lambda device_type: [SMALL])


def test_what_is_added_is_found_again_in_the_order_of_the_probes(tmp_path: Path, record: Record) -> None:
    ledger = Ledger.open("table3", "predicted", [SMALL, LARGE], tmp_path)
    assert ledger.missing() == [SMALL, LARGE]
    ledger.add(record("table3", LARGE, "predicted", 2))
    ledger.add(record("table3", SMALL, "predicted", 1))
    again = Ledger.open("table3", "predicted", [SMALL, LARGE], tmp_path)
    assert list(again.records) == [SMALL, LARGE]
    assert again.missing() == []
    assert [path.name for path in (tmp_path / "efficiency").iterdir()] == ["table3-predicted.jsonl"]


def test_a_probe_that_left_the_study_leaves_the_file(tmp_path: Path, record: Record) -> None:
    ledger = Ledger.open("table3", "cpu", [SMALL, LARGE], tmp_path)
    for probe in (SMALL, LARGE):
        ledger.add(record("table3", probe, "cpu", 1))
    other = replace(SMALL, model="a")
    Ledger.open("table3", "cpu", [SMALL, other], tmp_path).add(record("table3", other, "cpu", 1))
    assert list(Ledger.open("table3", "cpu", [SMALL, LARGE, other], tmp_path).records) == [SMALL, other]


def test_a_failure_is_missing_only_where_it_is_tried_again(tmp_path: Path, record: Record) -> None:
    ledger = Ledger.open("table3", "cpu", [SMALL, LARGE], tmp_path)
    ledger.add(record("table3", SMALL, "cpu", failure="OOM"))
    ledger.add(record("table3", LARGE, "cpu", 1))
    assert ledger.missing() == []
    assert ledger.missing(retry_failed=True) == [SMALL]
    ledger.clear()
    assert ledger.missing() == [SMALL, LARGE]


def test_a_ledger_tells_how_far_it_is(tmp_path: Path, record: Record) -> None:
    ledger = Ledger.open("table3", "cpu", [SMALL, LARGE, replace(SMALL, model="a")], tmp_path)
    assert ledger.describe() == ["table3, cpu: 3 probes, 0 done, 3 missing"]
    ledger.add(record("table3", SMALL, "cpu", failure="OOM"))
    ledger.add(record("table3", LARGE, "cpu", failure="no luck"))
    assert ledger.describe() == [
        "table3, cpu: 3 probes, 0 done, 1 OOM, 1 failed, 1 missing",
        "  memory c brats 128x128x128 training 2⁸: failed: no luck",
    ]
    assert [ledger.state(probe) for probe in ledger.probes] == ["failed: OOM", "failed: no luck", "missing"]
    # A long list is cut.
    probes = [replace(SMALL, batch_size=size) for size in range(1, MAX_LISTED + 4)]
    records = {probe: record("table3", probe, "cpu", failure="no luck") for probe in probes}
    lines = Ledger("table3", "cpu", probes, tmp_path, records).describe()
    assert len(lines) == 1 + MAX_LISTED + 1
    assert lines[-1] == "  and 3 more"


def test_a_name_tells_what_is_not_as_usual() -> None:
    assert name_of(SMALL) == "memory c brats 64x64x64 training 2⁸"
    slices = Probe("runtime", "unet2d-depth", "brats", (64, 64, 48), "extraction", batch_size=32, extraction="dense")
    assert name_of(slices) == "runtime unet2d-depth brats 64x64x48 extraction batch 32 dense"
    assert name_of(replace(SMALL, implementation="released")).endswith("2⁸ released")


def test_there_is_a_ledger_for_every_machine(tmp_path: Path, record: Record) -> None:
    assert [ledger.machine for ledger in ledgers_of(STUDY, tmp_path)] == ["predicted"]
    for machine in ("cpu", "NVIDIA H100"):
        Ledger.open("table3", machine, [SMALL], tmp_path).add(record("table3", SMALL, machine, 1))
    ledgers = ledgers_of(STUDY, tmp_path)
    assert [(ledger.machine, len(ledger.probes)) for ledger in ledgers] == [
        ("predicted", 2),
        ("cpu", 1),
        ("NVIDIA H100", 1),
    ]
    assert [device_type_of(machine) for machine in ("cpu", "NVIDIA H100")] == ["cpu", "cuda"]
