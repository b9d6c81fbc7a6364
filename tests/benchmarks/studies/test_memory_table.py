from collections.abc import Callable
from dataclasses import replace

from benchmarks.markup import Table
from benchmarks.probes.answers import Answers
from benchmarks.probes.published import extractions, lean_trainings, paper_batches, published_memory
from benchmarks.probes.records import ProbeRecord
from benchmarks.studies.memory_table import table3_tables

Record = Callable[..., ProbeRecord]

PROBES = [number.probe for number in published_memory()]


def row_of(grid: Table, *labels: str) -> dict[str, str]:
    (row,) = (row for row in grid.rows if {cell.text for cell in row} >= set(labels))
    return dict(zip(grid.head, (cell.text for cell in row), strict=True))


def test_without_records_every_number_but_the_papers_is_absent() -> None:
    main, batches, whole, beyond, parts, _ = table3_tables(Answers({}))
    assert len(main.rows) == len(beyond.rows) == len(parts.rows) == len(published_memory())
    assert (len(batches.rows), len(whole.rows)) == (len(paper_batches()), len(extractions()))
    assert row_of(whole, "OSS-Net C", "LiTS")["Octree, predicted (GB)"] == "–"
    row = row_of(main, "OSS-Net C", "BraTS 2020", "training")
    assert (row["Paper (GB)"], row["Ratio to paper"]) == ("2.59", "–")
    assert row["Released code, predicted (GB)"] == "not predicted"
    assert row["Measured, GPU (GB)"] == "not measured"
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
    main, _, _, beyond, parts, _ = table3_tables(answers)
    labels = ["OSS-Net C", "BraTS 2020", "256x256x160", "training", "2¹⁴"]
    row = row_of(main, "OSS-Net C", "BraTS 2020", "training")
    assert list(row.values()) == [*labels, "2.59", "2.59", "1.000", "2.00", "2.50", "0.800"]
    assert list(row)[5:] == [
        *("Paper (GB)", "Released code, predicted (GB)", "Ratio to paper", "This suite, predicted (GB)"),
        *("Measured, NVIDIA H100 (GB)", "Predicted / measured"),
    ]
    row = row_of(beyond, "OSS-Net C", "BraTS 2020", "training")
    assert (row["Predicted, tensors (GB)"], row["Predicted, allocator (GB)"]) == ("2.00", "4.00")
    assert (row["NVIDIA H100, allocator (GB)"], row["NVIDIA H100, process (GB)"]) == ("5.00", "–")
    row = row_of(parts, "OSS-Net C", "BraTS 2020", "training")
    assert list(row.values()) == [*labels, "2.00", "decoder 1.50", "parameters 0.50", "–", "–", "0.00"]


def test_lean_training_has_a_column_once_it_is_predicted(record: Record) -> None:
    probe = next(probe for probe in lean_trainings() if (probe.model, probe.dataset) == ("c", "brats"))
    main, *_ = table3_tables(Answers({"predicted": {probe: record("table3", probe, "predicted", 0.35)}}))
    column = "This suite, lean, predicted (GB)"
    assert row_of(main, "OSS-Net C", "BraTS 2020", "training")[column] == "0.35"
    assert row_of(main, "OSS-Net D", "BraTS 2020", "training")[column] == "not predicted"
    assert row_of(main, "OSS-Net C", "BraTS 2020", "inference", "2¹⁴")[column] == "–"
    assert column not in table3_tables(Answers({}))[0].head


def test_a_whole_extraction_stands_beside_one_pass(record: Record) -> None:
    probe = next(probe for probe in extractions() if (probe.model, probe.dataset) == ("c", "lits"))
    one_pass = replace(probe, phase="inference", extraction=None)
    predicted = {p: record("table3", p, "predicted", size) for p, size in ((probe, 3.0), (one_pass, 2.0))}
    result = dict(predicted[probe].result or {}) | {"by_part": {"octree": 900_000_000}}
    predicted[probe] = replace(predicted[probe], result=result)
    answers = Answers({"predicted": predicted, "NVIDIA H100": {probe: record("table3", probe, "NVIDIA H100", 2.5)}})
    row = row_of(table3_tables(answers)[2], "OSS-Net C", "LiTS")
    assert list(row.values())[:4] == ["OSS-Net C", "LiTS", "512x512x512", "2¹⁴"]
    assert (row["One pass, predicted (GB)"], row["Octree, predicted (GB)"]) == ("2.00", "0.90")
    assert (row["This suite, predicted (GB)"], row["Measured, NVIDIA H100 (GB)"]) == ("3.00", "2.50")
    assert row["Predicted / measured"] == "1.200"


def test_lack_of_memory_shows_as_such(record: Record) -> None:
    batch = paper_batches()[0]
    answers = Answers({"NVIDIA H100": {batch: record("table3", batch, "NVIDIA H100", failure="OOM")}})
    batches = table3_tables(answers)[1]
    assert batches.rows[0][-2].text == "OOM"
    assert batches.rows[0][-1].text == "–"
