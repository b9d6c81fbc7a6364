from collections.abc import Callable
from dataclasses import replace

from benchmarks.markup import Grid
from benchmarks.probes.answers import Answers
from benchmarks.probes.published import extractions, paper_batches, published_memory
from benchmarks.probes.records import ProbeRecord
from benchmarks.report.probe_cells import CPU_NOTES
from benchmarks.studies.memory_table import table3_grids

Record = Callable[..., ProbeRecord]

PROBES = [number.probe for number in published_memory()]


def row_of(grid: Grid, *labels: str) -> dict[str, str]:
    (row,) = (row for row in grid.rows if {cell.text for cell in row} >= set(labels))
    return dict(zip(grid.head, (cell.text for cell in row), strict=True))


def test_without_records_every_number_but_the_papers_is_absent() -> None:
    main, batches, whole, beyond, parts, unets = table3_grids(Answers({}))
    assert unets.head[0] == "U-Nets"
    assert len(main.rows) == len(beyond.rows) == len(parts.rows) == len(published_memory())
    assert len(batches.rows) == len(paper_batches())
    assert len(whole.rows) == len(extractions())
    assert row_of(whole, "OSS-Net C", "LiTS")["Octree, predicted (GB)"] == "–"
    row = row_of(main, "OSS-Net C", "BraTS 2020", "training")
    assert row["Paper (GB)"] == "2.59"
    assert row["Released code, predicted (GB)"] == "not predicted"
    assert row["Ratio to paper"] == "–"
    assert row["Measured, GPU (GB)"] == "not measured"
    assert "No GPU has measured this yet" in main.notes
    assert row_of(main, "512x512x512", "3D residual U-Net")["Paper (GB)"] == "> 110"


def test_the_paper_the_prediction_and_the_measurement_are_compared(record: Record) -> None:
    probe = next(probe for probe in PROBES if (probe.model, probe.dataset, probe.phase) == ("c", "brats", "training"))
    released = replace(probe, implementation="released")
    answers = Answers(
        {
            "predicted": {
                probe: record("table3", probe, "predicted", 2.0),
                released: record("table3", released, "predicted", 2.59),
            },
            "NVIDIA H100": {probe: record("table3", probe, "NVIDIA H100", 2.5)},
        }
    )
    main, _, _, beyond, parts, _ = table3_grids(answers)
    assert row_of(main, "OSS-Net C", "BraTS 2020", "training") == {
        "Model": "OSS-Net C",
        "Data set": "BraTS 2020",
        "Resolution": "256x256x160",
        "Phase": "training",
        "Locations": "2¹⁴",
        "Paper (GB)": "2.59",
        "Released code, predicted (GB)": "2.59",
        "Ratio to paper": "1.000",
        "This suite, predicted (GB)": "2.00",
        "Measured, NVIDIA H100 (GB)": "2.50",
        "Predicted / measured": "0.800",
    }
    row = row_of(beyond, "OSS-Net C", "BraTS 2020", "training")
    assert (row["Predicted, tensors (GB)"], row["Predicted, allocator (GB)"]) == ("2.00", "4.00")
    assert (row["NVIDIA H100, allocator (GB)"], row["NVIDIA H100, process (GB)"]) == ("5.00", "–")
    row = row_of(parts, "OSS-Net C", "BraTS 2020", "training")
    assert (row["Peak (GB)"], row["Part 1"], row["Part 2"], row["Part 3"]) == (
        "2.00",
        "decoder 1.50",
        "parameters 0.50",
        "–",
    )
    assert row["Others (GB)"] == "0.00"


def test_a_whole_extraction_stands_beside_one_pass(record: Record) -> None:
    probe = next(probe for probe in extractions() if (probe.model, probe.dataset) == ("c", "lits"))
    one_pass = replace(probe, phase="inference", extraction=None)
    predicted = {p: record("table3", p, "predicted", size) for p, size in ((probe, 3.0), (one_pass, 2.0))}
    result = dict(predicted[probe].result or {}) | {"by_part": {"octree": 900_000_000}}
    predicted[probe] = replace(predicted[probe], result=result)
    answers = Answers({"predicted": predicted, "NVIDIA H100": {probe: record("table3", probe, "NVIDIA H100", 2.5)}})
    assert row_of(table3_grids(answers)[2], "OSS-Net C", "LiTS") == {
        "Model": "OSS-Net C",
        "Data set": "LiTS",
        "Resolution": "512x512x512",
        "Locations per pass": "2¹⁴",
        "One pass, predicted (GB)": "2.00",
        "Octree, predicted (GB)": "0.90",
        "This suite, predicted (GB)": "3.00",
        "Measured, NVIDIA H100 (GB)": "2.50",
        "Predicted / measured": "1.200",
    }


def test_a_cpu_has_no_device_memory_and_its_notes(record: Record) -> None:
    answers = Answers({"cpu": {PROBES[0]: record("table3", PROBES[0], "cpu", 1.0)}})
    main, _, _, beyond, *_ = table3_grids(answers)
    assert [head for head in beyond.head if head.startswith("CPU")] == ["CPU, tensors (GB)", "CPU, process (GB)"]
    for sentence in CPU_NOTES:
        assert sentence in main.notes
        assert sentence in beyond.notes
    main, _, _, beyond, *_ = table3_grids(Answers({}))
    assert not any(sentence in main.notes + beyond.notes for sentence in CPU_NOTES)


def test_lack_of_memory_shows_as_such(record: Record) -> None:
    batch = paper_batches()[0]
    answers = Answers({"NVIDIA H100": {batch: record("table3", batch, "NVIDIA H100", failure="OOM")}})
    batches = table3_grids(answers)[1]
    assert batches.rows[0][-2].text == "OOM"
    assert batches.rows[0][-1].text == "–"
