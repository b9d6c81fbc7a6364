from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd

from benchmarks.commands.collect import collect_studies
from benchmarks.probes.published import published_memory
from benchmarks.probes.records import ProbeRecord, write_records
from benchmarks.studies.registry import STUDIES

Record = Callable[..., ProbeRecord]

PROBES = [number.probe for number in published_memory()]
WITH_PROBES = {name: study for name, study in STUDIES.items() if study.has_probes}


def collect(results: Path, reference: bool = True) -> list[Path]:
    """Collect every study with probes, with the reference in a folder of the results."""
    return collect_studies(list(WITH_PROBES.values()), results, results / "reference" if reference else None)


def test_every_study_has_its_tables_in_three_formats(tmp_path: Path, record: Record) -> None:
    for name, study in WITH_PROBES.items():
        probe = study.measured("cpu")[0]
        numbers = {"memory": {"gigabytes": 1.0}, "runtime": {"seconds": 1.0}}
        write_records([record(name, probe, "cpu", **numbers.get(probe.quantity, {"failure": "OOM"}))], tmp_path)
    tables = tmp_path / "tables"
    assert collect(tmp_path) == [tables / f"{name}.md" for name in WITH_PROBES]
    for name in WITH_PROBES:
        text = (tables / f"{name}.md").read_text(encoding="utf-8")
        assert "not measured" in text
        assert "CPU" in text
        assert (tables / f"{name}.tex").read_text(encoding="utf-8").count(r"\begin{table}") > 0
        assert len(pd.read_csv(tables / f"{name}.csv")) == 1


def test_the_reference_stands_where_ones_own_are_missing(tmp_path: Path, record: Record) -> None:
    write_records([record("table3", PROBES[0], "NVIDIA H100", 1)], tmp_path / "reference")
    # A study without any of one's own has no table.
    assert collect(tmp_path) == []
    assert not (tmp_path / "tables").exists()
    write_records([record("table3", PROBES[0], "predicted", 1)], tmp_path)
    collect(tmp_path)
    path = tmp_path / "tables" / "table3.md"
    assert "Measured, NVIDIA H100 (reference) (GB)" in path.read_text(encoding="utf-8")
    collect(tmp_path, reference=False)
    assert "NVIDIA H100" not in path.read_text(encoding="utf-8")


def test_the_csv_has_a_row_per_record_with_the_peaks_parts_and_the_memory_of_the_driver(
    tmp_path: Path, record: Record
) -> None:
    large = next(probe for probe in PROBES if probe.shape == (512, 512, 512) and probe.model == "unet3d")
    measured = record("table3", PROBES[0], "NVIDIA A100", 2)
    of_driver = {
        "process_bytes": 3 * 10**9,
        "process_source": "device",
        "device_bytes": None,
        "device_bytes_before": 10**8,
    }
    write_records([record("table3", PROBES[0], "predicted", 2)], tmp_path)
    write_records([replace(measured, result={**(measured.result or {}), **of_driver})], tmp_path)
    write_records([record("table3", large, "NVIDIA H100", failure="OOM")], tmp_path)
    collect(tmp_path)
    frame = pd.read_csv(tmp_path / "tables" / "table3.csv").set_index("machine")
    predicted = frame.loc["predicted"]
    assert (predicted["allocated_gb"], predicted["reserved_gb"], predicted["published_gb"]) == (2.0, 4.0, 14.41)
    assert (predicted["part_decoder_gb"], predicted["part_parameters_gb"]) == (1.5, 0.5)
    assert predicted["shape"] == "256x256x160"
    assert not predicted["reference"]
    assert predicted["implementation"] == "suite"
    row = frame.loc["NVIDIA A100"]
    assert (row["process_gb"], row["process_source"], row["device_before_gb"]) == (3.0, "device", 0.1)
    assert "device_gb" not in row
    failed = frame.loc["NVIDIA H100"]
    assert failed["failure"] == "OOM"
    assert pd.isna(failed["allocated_gb"])
    assert pd.isna(failed["published_gb"])


def test_the_csv_has_the_papers_number_beside_every_implementation(tmp_path: Path, record: Record) -> None:
    implementations = ("suite", "released", "average pooling")
    probes = [replace(PROBES[0], implementation=implementation) for implementation in implementations]
    write_records([record("table3", probe, "predicted", 2) for probe in probes], tmp_path)
    collect(tmp_path)
    frame = pd.read_csv(tmp_path / "tables" / "table3.csv")
    assert tuple(frame["implementation"]) == implementations
    assert set(frame["published_gb"]) == {14.41}


def test_the_csv_has_the_stages_of_an_extraction(tmp_path: Path, record: Record) -> None:
    probe = STUDIES["figure5"].measured("cpu")[0]
    write_records([record("figure5", probe, "cpu", seconds=3.0)], tmp_path)
    collect(tmp_path)
    (row,) = pd.read_csv(tmp_path / "tables" / "figure5.csv").to_dict("records")
    assert (row["median_s"], row["low_s"], row["high_s"]) == (3.0, 1.5, 6.0)
    assert (row["encoder_s"], row["bookkeeping_s"], row["evaluated"]) == (0.1, 0.4, "[1000, 500]")
