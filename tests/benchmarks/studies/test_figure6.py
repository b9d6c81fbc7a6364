from collections.abc import Callable
from dataclasses import replace

from benchmarks.probes.answers import Answers
from benchmarks.probes.published import published_gigabytes
from benchmarks.probes.records import ProbeRecord
from benchmarks.studies.figure6 import figure6_tables, measured, predicted


def test_one_pass_of_both_models_at_every_number_of_locations() -> None:
    probes = [probe for probe in predicted() if probe.implementation == "suite"]
    assert len(set(predicted())) == len(predicted()) == 2 * len(probes)
    assert probes == measured("cuda")
    assert {(probe.model, probe.locations) for probe in probes} == {
        (model, 2**power) for model in ("onet", "c") for power in range(8, 19)
    }
    assert set(measured("cpu")) < set(probes)


def test_table_3_has_four_of_its_points() -> None:
    paper = published_gigabytes()
    known = {
        (probe.model, probe.locations): paper[probe]
        for probe in predicted()
        if probe.implementation == "suite" and probe in paper
    }
    assert known == {("onet", 2**14): 0.29, ("onet", 2**17): 1.93, ("c", 2**14): 0.39, ("c", 2**17): 2.73}


def test_figure_6_has_the_papers_numbers_where_table_3_has_them(record: Callable[..., ProbeRecord]) -> None:
    probes = measured("cuda")
    released = [replace(probe, implementation="released") for probe in probes]
    answers = Answers(
        {
            "predicted": {p: record("figure6", p, "predicted", 1.0) for p in [*probes, *released]},
            "NVIDIA H100": {p: record("figure6", p, "NVIDIA H100", 2.0) for p in probes},
        }
    )
    (grid,) = figure6_tables(answers)
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
