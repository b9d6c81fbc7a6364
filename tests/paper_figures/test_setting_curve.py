"""Quantities against one setting."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from benchmarks.layout import Layout
from benchmarks.study import Study
from paper_figures.scores import read_numbers
from paper_figures.setting_curve import draw, places_of
from paper_figures.style import MODEL_COLOURS


def drawn(values: list[Any], runs: list[Any], folder: Path, write_records: Any) -> Figure:
    """Draw a study of two models over a setting; `runs` has a model, seed, value and Dice, or why it failed."""
    rows = [(model, value) for model in ("c", "d") for value in values]
    heads = {"model": "Model", "rate": "Rate (1/s)"}
    layout = Layout("rates", "Rates", heads, rows, baseline=("d", values[1]), quantities=("dice",), axes=["rate"])
    write_records(folder, "rates", [(model, seed, {"rate": value}, dice) for model, seed, value, dice in runs])
    return draw(layout, read_numbers(Study(layout), folder)["laptop"])


@pytest.mark.parametrize(
    ("values", "places"),
    [([1, 2, 4], [1, 2, 4]), ([1, 2, 8], [0, 1, 3]), ([0, 10], [0, 10]), (["a", "c", "b"], [0, 1, 2]), ([5], [5])],
)
def test_places_are_logarithmic_for_wide_ranges_and_side_by_side_for_texts(
    values: list[Any], places: list[float]
) -> None:
    assert places_of(values) == places


def test_a_curve_goes_through_the_means_and_seeds_stand_beside_them(tmp_path: Path, write_records: Any) -> None:
    runs = [("c", seed, rate, 0.1 * rate + 0.02 * seed) for seed in (0, 1) for rate in (4, 1, 2)]
    figure = drawn([1, 2, 4], [*runs, ("d", 0, 2, 0.5), ("d", 0, 4, "OOM")], tmp_path, write_records)
    (axes,) = figure.axes
    of_c = [line for line in axes.lines if line.get_color() == MODEL_COLOURS["c"]]
    np.testing.assert_allclose(of_c[0].get_ydata(), [0.11, 0.21, 0.41])
    np.testing.assert_allclose(of_c[2].get_ydata(), [0.1, 0.12])
    assert float(of_c[2].get_xdata()[0]) > float(of_c[0].get_xdata()[0])
    assert [text.get_text() for text in axes.texts] == ["not run", "OOM"]
    assert [text.get_text() for text in axes.get_xticklabels()] == ["1", "2\nbaseline: OSS-Net D", "4"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("Rate (1/s)", "Dice ↑")


def test_missing_seeds_and_scores_are_stated(tmp_path: Path, write_records: Any) -> None:
    dice = {("c", 1): [0.2, "OOM"], ("c", 2): [0.8, 0.8], ("d", 1): [None, None], ("d", 2): [0.9, None]}
    runs = [(model, seed, rate, of) for (model, rate), seeds in dice.items() for seed, of in enumerate(seeds)]
    (axes,) = drawn([1, 2], runs, tmp_path, write_records).axes
    notes = [(text.get_text(), text.xy[1]) for text in axes.texts]
    # They stand at the end of the panel that is farther from the numbers.
    assert notes == [("1 of 2 seeds", 0.98), ("no valid score", 0.98), ("1 of 2 seeds", 0.02)]


def test_texts_are_not_joined_by_a_line(tmp_path: Path, write_records: Any) -> None:
    figure = drawn(["a", "b"], [("c", 0, value, 0.5) for value in "ab"], tmp_path, write_records)
    assert all(line.get_linestyle() != "-" or len(set(line.get_xdata())) == 1 for line in figure.axes[0].lines)
