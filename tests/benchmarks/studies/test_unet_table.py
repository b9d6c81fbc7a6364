from collections.abc import Callable

from benchmarks.markup import Cell
from benchmarks.probes.answers import Answers
from benchmarks.probes.published import UNETS, unet_memory, unet_probe
from benchmarks.probes.records import ProbeRecord
from benchmarks.studies.unet_table import unets_table

Record = Callable[..., ProbeRecord]


def answered(record: Record, factors: dict[str, float]) -> Answers:
    """Predictions of the paper's numbers times a factor."""
    records = {}
    for number in unet_memory():
        for unets in UNETS:
            probe, size = unet_probe(number, unets), (number.gigabytes or 0) * factors[unets]
            records.setdefault(probe, record("table3", probe, "predicted", size))
    return Answers({"predicted": records})


def test_without_predictions_nothing_is_found() -> None:
    grid = unets_table(Answers({}))
    assert grid.head[:3] == ["U-Nets", "3D, BraTS 2020, training", "3D, BraTS 2020, inference"]
    assert [cell.text for cell in grid.rows[0]] == ["Paper", "14.41", "3.57", "1.16", "0.46", "4.29", "1.20", "–"]
    assert [cell.text for cell in grid.rows[1]] == ["This suite's", *["not predicted"] * 6, "–"]
    assert len(grid.rows) == 1 + len(UNETS)
    assert "Closest" not in grid.notes


def test_the_closest_are_bold_and_named(record: Record) -> None:
    factors = dict.fromkeys(UNETS, 2.0) | {"average pooling": 0.9, "ReLU not in place": 1.25}
    grid = unets_table(answered(record, factors))
    rows = {row[0].text: row[1:] for row in grid.rows}
    assert rows["Average pooling"] == [
        *(Cell(text, bold=True, detail="(0.900)") for text in ("12.97", "3.21", "1.04", "0.41", "3.86", "1.08")),
        Cell("10%"),
    ]
    assert rows["ReLU not in place"][0] == Cell("18.01", detail="(1.250)")
    assert rows["This suite's"][-1].text == "100%"
    assert "Closest to all numbers at once: Average pooling, with a largest deviation of 10%" in grid.notes


def test_u_nets_that_are_as_close_are_all_named(record: Record) -> None:
    factors = dict.fromkeys(UNETS, 2.0) | {"released": 1.5, "average pooling": 1.5}
    grid = unets_table(answered(record, factors))
    assert "Closest to all numbers at once: This suite's; Average pooling, with" in grid.notes
