"""Table 1 as a figure."""

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.studies.table1 import LOCATIONS, STRATEGIES, TABLE1
from paper_figures.sampling import APART, LOOKS, draw
from paper_figures.scores import read_numbers


def runs(strategies: tuple[str, ...]) -> list[Any]:
    return [
        ("c", 0, {"sampling": strategy, "locations": locations, "drawn": locations}, 0.5 + place / 10)
        for strategy in strategies
        for place, locations in enumerate(LOCATIONS)
    ]


def test_every_strategy_has_a_look_of_its_own() -> None:
    assert tuple(LOOKS) == STRATEGIES
    for part in ("color", "marker", "linestyle"):
        assert len({look[part] for look in LOOKS.values()}) == len(LOOKS)


def test_a_missing_strategy_leaves_its_place_and_no_legend(tmp_path: Path, write_records: Any) -> None:
    write_records(tmp_path, "table1", runs(("uniform", "confidence")))
    figure = draw(read_numbers(TABLE1, tmp_path)["laptop"])
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert {"Uniform", "Confidence (ours)"} < set(names)
    assert "Border" not in names
    dice, _ = figure.axes
    confidence, *_ = [line for line in dice.lines if line.get_color() == LOOKS["confidence"]["color"]]
    np.testing.assert_allclose(confidence.get_xdata(), np.array([13, 14, 15]) + APART)
    np.testing.assert_allclose(confidence.get_ydata(), [0.5, 0.6, 0.7])
    # Nothing is scaled down.
    assert [tick.get_text() for tick in dice.get_xticklabels()] == ["2¹³", "2¹⁴", "2¹⁵"]
    assert dice.get_xlabel() == "Locations drawn per volume"
