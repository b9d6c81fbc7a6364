"""Table 2 as a figure."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from benchmarks.names import MODEL_NAMES
from benchmarks.studies.table2 import TABLE2
from paper_figures.models import draw
from paper_figures.scores import read_numbers
from paper_figures.style import MODEL_COLOURS


def figure_of(folder: Path) -> Figure:
    return draw(read_numbers(TABLE2, folder)["laptop"])


def test_models_stand_in_the_order_of_the_table(tmp_path: Path, write_records: Any) -> None:
    write_records(
        tmp_path, "table2", [(model, seed, {}, 0.7) for model in ("somebody-elses", "d", "unet3d") for seed in (0, 1)]
    )
    dice, hausdorff = figure_of(tmp_path).axes
    assert [tick.get_text() for tick in dice.get_yticklabels()] == [*MODEL_NAMES.values(), "somebody-elses"]
    # The first is at the top.
    assert dice.get_ylim() == hausdorff.get_ylim() == (9.5, -0.5)
    assert (dice.get_xlabel(), hausdorff.get_xlabel()) == ("Dice ↑", "HD95 (mm) ↓")


def test_numbers_are_beside_their_model(tmp_path: Path, write_records: Any) -> None:
    write_records(tmp_path, "table2", [("d", 0, {}, 0.7), ("d", 1, {}, 0.8)])
    dice, hausdorff = figure_of(tmp_path).axes
    place = list(MODEL_NAMES).index("d")
    interval, seeds, mean, paper = dice.lines
    assert {line.get_color() for line in dice.lines} == {MODEL_COLOURS["d"]}
    (numbers,) = read_numbers(TABLE2, tmp_path)["laptop"]
    low, high = numbers.rows.set_index("quantity").loc["dice", ["low", "high"]]
    np.testing.assert_allclose(interval.get_xydata(), [(low, place), (high, place)])
    np.testing.assert_allclose(seeds.get_xdata(), [0.7, 0.8])
    np.testing.assert_allclose(mean.get_xydata(), [(0.75, place)])
    np.testing.assert_allclose(paper.get_xydata(), [(0.8774, place)])
    # The paper has no HD95; the seeds' 3 mm and 2 mm have the mean 2.5 mm.
    *_, mean, paper = hausdorff.lines
    np.testing.assert_allclose(mean.get_xdata(), [2.5])
    assert np.isnan(paper.get_xdata()).all()


def test_why_a_model_has_no_number(tmp_path: Path, write_records: Any) -> None:
    outcomes = {
        **dict.fromkeys(MODEL_NAMES, 0.7),
        **{"unet3d": "OOM", "onet": "the loss is NaN", "a": None},
    }
    runs = [(model, 0, {}, outcome) for model, outcome in outcomes.items() if model != "b"]
    write_records(tmp_path, "table2", [*runs, ("onet", 1, {}, "OOM")])
    for axes in figure_of(tmp_path).axes:
        notes = {list(MODEL_NAMES)[int(text.get_position()[1])]: text.get_text() for text in axes.texts}
        assert notes == {"unet3d": "OOM", "onet": "OOM, failed", "a": "no valid score", "b": "not run"}
