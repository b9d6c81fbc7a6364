from collections.abc import Callable
from dataclasses import replace

import pytest

from benchmarks.efficiency.answers import Answers
from benchmarks.efficiency.cells import CPU_NOTES
from benchmarks.efficiency.memory_table import table3_grids
from benchmarks.efficiency.records import ProbeRecord
from benchmarks.efficiency.table3 import paper_batches, published_memory
from benchmarks.markup import Grid

Record = Callable[..., ProbeRecord]

PROBES = [number.probe for number in published_memory()]


def row_of(grid: Grid, *labels: str) -> dict[str, str]:
    (row,) = (row for row in grid.rows if {cell.text for cell in row} >= set(labels))
    return dict(zip(grid.head, (cell.text for cell in row), strict=True))


def test_without_any_records_nothing_is_made_up() -> None:
    main, batches, beyond, parts, unets = table3_grids(Answers({}))
    assert unets.head[0] == "U-Nets"
    assert len(main.rows) == len(beyond.rows) == len(parts.rows) == len(published_memory())
    assert len(batches.rows) == len(paper_batches())
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
    main, _, beyond, parts, _ = table3_grids(answers)
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


def test_a_cpu_has_no_device_memory_and_its_notes(record: Record) -> None:
    answers = Answers({"cpu": {PROBES[0]: record("table3", PROBES[0], "cpu", 1.0)}})
    main, _, beyond, *_ = table3_grids(answers)
    assert [head for head in beyond.head if head.startswith("CPU")] == ["CPU, tensors (GB)", "CPU, process (GB)"]
    for sentence in CPU_NOTES:
        assert sentence in main.notes
        assert sentence in beyond.notes
    main, _, beyond, *_ = table3_grids(Answers({}))
    assert not any(sentence in main.notes + beyond.notes for sentence in CPU_NOTES)


def test_lack_of_memory_shows_as_such(record: Record) -> None:
    batch = paper_batches()[0]
    answers = Answers({"NVIDIA H100": {batch: record("table3", batch, "NVIDIA H100", failure="OOM")}})
    batches = table3_grids(answers)[1]
    assert batches.rows[0][-2].text == "OOM"
    assert batches.rows[0][-1].text == "–"


def surprises(record: Record, predicted_gb: float | None, gpu: object) -> tuple[str, str]:
    """Notes of the first two tables where a GPU of 80 GB has run out of memory, in a row of each and in one more."""
    probes = [PROBES[0], PROBES[1], paper_batches()[0]]
    failed = {
        probe: replace(record("table3", probe, "NVIDIA H100", failure="OOM"), provenance={"gpu": gpu})
        for probe in probes
    }
    sizes = {PROBES[0]: predicted_gb, PROBES[1]: 81.0, paper_batches()[0]: predicted_gb}
    predicted = {probe: record("table3", probe, "predicted", size) for probe, size in sizes.items()}
    main, batches, *_ = table3_grids(Answers({"predicted": predicted, "NVIDIA H100": failed}))
    return main.notes, batches.notes


def test_a_prediction_that_fits_where_memory_ran_out_is_remarked_on(record: Record) -> None:
    main, batches = surprises(record, 79.0, {"memory_bytes": 80 * 10**9})
    where = (
        "Out of memory on NVIDIA H100, though predicted to fit: 3D residual U-Net, BraTS 2020, 256x256x160, training"
    )
    assert f"{where}. With cuDNN before 9.3" in main
    assert f"{where}, batch 2. With cuDNN before 9.3" in batches


@pytest.mark.parametrize("gpu", [None, {}, {"memory_bytes": 78 * 10**9}])
def test_lack_of_memory_that_was_predicted_or_cannot_be_told_needs_no_remark(record: Record, gpu: object) -> None:
    main, batches = surprises(record, 79.0, gpu)
    assert "Out of memory" not in main + batches
    assert "cuDNN before" not in main + batches
