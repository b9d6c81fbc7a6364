from collections.abc import Callable
from dataclasses import replace

import pytest

from benchmarks.markup import Grid
from benchmarks.probes.answers import Answers
from benchmarks.probes.records import ProbeRecord
from benchmarks.report.probe_cells import CPU_NOTES
from benchmarks.studies import figure5, figure6, scaling
from benchmarks.studies.curve_tables import ONE_VOLUME, figure5_grids, figure6_grids, scaling_grids
from benchmarks.studies.memory_table import RELEASED_CODE, THIS_SUITE

Record = Callable[..., ProbeRecord]


def test_figure_5_compares_both_inferences_in_both_readings(record: Record) -> None:
    times = {"mise": 4.0, "paper-prior": 2.0, "released": 3.0, "released-prior": 1.0}
    records = {p: record("figure5", p, "cpu", seconds=times[str(p.extraction)]) for p in figure5.measured("cpu")}
    grids = figure5_grids(Answers({"cpu": records}))
    # A GPU's two are there, unmeasured and therefore without stages, before the CPU's two for each resolution.
    assert len(grids) == 2 + 2 * 2
    assert "32" in {row[0].text for row in grids[1].rows}
    assert {row[1].text for row in grids[0].rows} == {"not measured"}
    inferences, stages, full, _ = grids[2:]
    assert "256x256x160" in full.caption
    assert len(full.rows) == 1
    assert "CPU" in inferences.caption
    assert "128x128x80" in inferences.caption
    assert [cell.text for cell in inferences.rows[0]] == ["2⁸", "4", "2", "2.000", "3", "1", "3.000"]
    assert [cell.text for cell in stages.rows[0]] == [
        *("mise", "2⁸", "0.1", "0.2", "0.3", "0.4"),
        *("1,500", "750", "25.0%"),
    ]
    for sentence in ("interval of the median", "TF32", ONE_VOLUME):
        assert sentence in grids[-1].notes


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
    for sentence in (RELEASED_CODE, THIS_SUITE, *("2⁸, 2¹¹, 2¹⁴ locations alone", "padded copy")):
        assert sentence in grid.notes
    assert not any(note in grid.notes for note in CPU_NOTES)


@pytest.fixture
def scaling_answers(record: Record) -> Answers:
    predicted = {p: record("scaling", p, "predicted", p.shape[0] / 64) for p in scaling.predicted()}
    measured = {
        p: record("scaling", p, "cpu", **({"seconds": 1.5} if p.quantity == "runtime" else {"gigabytes": 3.0}))
        for p in scaling.measured("cpu")
    }
    return Answers({"predicted": predicted, "cpu": measured})


def cells_of(grid: Grid) -> dict[tuple[str, str], list[str]]:
    return {(row[0].text, row[1].text): [cell.text for cell in row[2:]] for row in grid.rows}


def test_scaling_has_a_column_for_each_resolution_and_a_row_for_each_phase_and_model(scaling_answers: Answers) -> None:
    grids = scaling_grids(scaling_answers)
    assert len(grids) == 1 + 2 + 2
    assert grids[0].head == ["Phase", "Model", "64³", "128³", "256³", "512³", "1024³"]
    assert [len(grid.rows) for grid in grids] == [3 * 7] * 5
    assert cells_of(grids[0])["training", "3D residual U-Net"] == ["1.00", "2.00", "4.00", "8.00", "16.00"]
    of_gpu = [cell for grid in grids[1:3] for row in cells_of(grid).values() for cell in row]
    assert set(of_gpu) == {"not measured", "see extraction", "see inference"}


def test_scaling_tells_what_a_machine_is_not_asked_for(scaling_answers: Answers) -> None:
    *_, memory, time = map(cells_of, scaling_grids(scaling_answers))
    assert memory["training", "OSS-Net C"] == ["3.00", "3.00"]
    assert memory["training", "OSS-Net A"] == ["3.00", "–"]
    assert memory["inference", "2D residual U-Net, depth slices"] == ["3.00", "–"]
    assert memory["extraction", "2D residual U-Net, depth slices"] == ["see inference", "–"]
    assert memory["extraction", "3D residual U-Net"] == ["see inference", "see inference"]
    assert memory["extraction", "OSS-Net C"] == ["3.00", "–"]
    assert time["inference", "3D residual U-Net"] == ["see extraction", "see extraction"]
    assert time["inference", "2D residual U-Net, depth slices"] == ["see extraction", "–"]
    assert time["inference", "OSS-Net C"] == ["1.5", "1.5"]
    assert time["extraction", "3D residual U-Net"] == ["1.5", "1.5"]
    assert time["extraction", "OSS-Net C"] == ["1.5", "–"]


def test_notes_of_scaling_tell_its_phases_its_encoders_and_its_absences(scaling_answers: Answers) -> None:
    notes = scaling_grids(scaling_answers)[-1].notes
    for told in (
        *(
            "one slice a pass",
            "(see there)",
            "an ellipsoid",
            "–: not asked of a CPU",
            "At 128³",
            "a single run has none",
        ),
        *("64-128 at 64³", "4-8-16-32-64-128 at 1024³"),
        *CPU_NOTES,
    ):
        assert told in notes
    without_cpu = scaling_grids(Answers({"predicted": scaling_answers.by_machine["predicted"]}))
    assert "CPU" not in without_cpu[-1].notes
    assert not any("–" in row for grid in without_cpu for row in cells_of(grid).values())
