from collections.abc import Callable
from dataclasses import replace

from benchmarks.efficiency import figure5, figure6, scaling
from benchmarks.efficiency.answers import Answers
from benchmarks.efficiency.curve_tables import figure5_grids, figure6_grids, scaling_grids
from benchmarks.efficiency.records import ProbeRecord

Record = Callable[..., ProbeRecord]


def test_figure_5_compares_both_inferences_in_both_readings(record: Record) -> None:
    times = {"mise": 4.0, "prior": 2.0, "released": 3.0, "released-prior": 1.0}
    records = {p: record("figure5", p, "cpu", seconds=times[str(p.extraction)]) for p in figure5.measured("cpu")}
    grids = figure5_grids(Answers({"cpu": records}))
    # A GPU's two are there, unmeasured and therefore without stages, before the CPU's two.
    assert len(grids) == 2 + 2
    assert "32" in {row[0].text for row in grids[1].rows}
    assert {row[1].text for row in grids[0].rows} == {"not measured"}
    inferences, stages = grids[2:]
    assert "CPU" in inferences.caption
    assert "128x128x80" in inferences.caption
    assert [cell.text for cell in inferences.rows[0]] == ["2⁸", "4", "2", "2.000", "3", "1", "3.000"]
    assert [cell.text for cell in stages.rows[0]] == [
        *("mise", "2⁸", "0.1", "0.2", "0.3", "0.4"),
        *("1,500", "750", "25.0%"),
    ]
    assert "interval of the median" in stages.notes


def test_figure_6_has_the_papers_numbers_where_table_3_has_them(record: Record) -> None:
    probes = figure6.measured("cuda")
    released = [replace(probe, implementation="released") for probe in probes]
    answers = Answers(
        {
            "predicted": {p: record("figure6", p, "predicted", 1.0) for p in [*probes, *released]},
            "NVIDIA H100": {p: record("figure6", p, "NVIDIA H100", 2.0) for p in probes},
        }
    )
    (grid,) = figure6_grids(answers)
    assert len(grid.rows) == 11
    assert grid.head[1:5] == [
        "O-Net, paper (GB)",
        "O-Net, released code, predicted (GB)",
        "O-Net, this suite, predicted (GB)",
        "O-Net, measured, NVIDIA H100 (GB)",
    ]
    by_locations = {row[0].text: [cell.text for cell in row[1:]] for row in grid.rows}
    assert by_locations["2¹⁴"] == ["0.29", "1.00", "1.00", "2.00", "0.39", "1.00", "1.00", "2.00"]
    assert by_locations["2⁸"] == ["–", "1.00", "1.00", "2.00"] * 2


def test_scaling_has_a_column_for_each_resolution(record: Record) -> None:
    predicted = {p: record("scaling", p, "predicted", p.shape[0] / 64) for p in scaling.predicted()}
    measured = {
        p: record("scaling", p, "cpu", **({"seconds": 1.5} if p.quantity == "runtime" else {"gigabytes": 3.0}))
        for p in scaling.measured("cpu")
    }
    grids = scaling_grids(Answers({"predicted": predicted, "cpu": measured}))
    assert len(grids) == 1 + 2 + 2
    assert grids[0].head == ["Phase", "Model", "64³", "128³", "256³", "512³", "1024³"]
    assert [cell.text for cell in grids[0].rows[0]] == [
        *("training", "3D residual U-Net", "1.00", "2.00", "4.00", "8.00", "16.00")
    ]
    memory, time = grids[3:]
    rows = {(row[0].text, row[1].text): [cell.text for cell in row[2:]] for row in memory.rows}
    assert rows["training", "OSS-Net C"] == ["3.00", "3.00"]
    # What a laptop is not asked.
    assert rows["inference", "2D residual U-Net, depth slices"] == ["3.00", "–"]
    assert time.rows[0][2].text == "1.5"
    assert "a whole segmentation" in time.notes
