"""Table 2 as a figure."""

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.names import MODEL_NAMES
from benchmarks.studies.table2 import TABLE2
from paper_figures.models import draw
from paper_figures.scores import read_numbers
from paper_figures.style import MODEL_COLOURS


def test_why_a_model_has_no_number(tmp_path: Path, write_records: Any) -> None:
    outcomes = {
        **dict.fromkeys([*MODEL_NAMES, "somebody-elses"], 0.7),
        **{"unet3d": "OOM", "onet": "the loss is NaN", "a": None},
    }
    runs = [(model, 0, {}, outcome) for model, outcome in outcomes.items() if model != "b"]
    write_records(tmp_path, "table2", [*runs, ("onet", 1, {}, "OOM"), ("d", 1, {}, 0.8)])
    figure = draw(read_numbers(TABLE2, tmp_path)["laptop"])
    for axes in figure.axes:
        notes = {list(MODEL_NAMES)[int(text.get_position()[1])]: text.get_text() for text in axes.texts}
        assert notes == {"unet3d": "OOM", "onet": "OOM, failed", "a": "no valid score", "b": "not run"}
    dice, _ = figure.axes
    assert [tick.get_text() for tick in dice.get_yticklabels()] == [*MODEL_NAMES.values(), "somebody-elses"]
    # The first is at the top.
    assert dice.get_ylim() == (9.5, -0.5)
    _, seeds, mean, paper = [line for line in dice.lines if line.get_color() == MODEL_COLOURS["d"]]
    place = list(MODEL_NAMES).index("d")
    np.testing.assert_allclose(seeds.get_xdata(), [0.7, 0.8])
    np.testing.assert_allclose(mean.get_xydata(), [(0.75, place)])
    np.testing.assert_allclose(paper.get_xydata(), [(0.8774, place)])
