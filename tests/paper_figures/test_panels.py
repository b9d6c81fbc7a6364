"""Panels, marks and legends that figures of scores share."""

import math
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from benchmarks.studies.table2 import TABLE2
from paper_figures.panels import add_legend, draw_number, possible
from paper_figures.scores import Numbers, read_numbers

NUMBER = {"quantity": "dice", "value": 0.7, "low": 0.6, "high": 0.9, "published": 0.8, "by_seed": [0.65, 0.75]}


def drawn(number: dict[str, Any], horizontal: bool = False) -> list[tuple[list[float], list[float]]]:
    axes = Figure().subplots()
    draw_number(axes, 2.0, number, "black", "s", seed_shift=0.5, horizontal=horizontal)
    lines = [(np.asarray(line.get_xdata()).tolist(), np.asarray(line.get_ydata()).tolist()) for line in axes.lines]
    return [line for line in lines if not any(map(math.isnan, line[horizontal is False]))]


def test_interval_seeds_mean_and_paper_stand_at_their_values() -> None:
    upright = [([2, 2], [0.6, 0.9]), ([2.5, 2.5], [0.65, 0.75]), ([2], [0.7]), ([2], [0.8])]
    assert drawn(NUMBER) == upright
    assert drawn(NUMBER, horizontal=True) == [(values, places) for places, values in upright]


def test_intervals_end_where_a_quantity_does() -> None:
    assert drawn(NUMBER | {"low": -0.1, "high": 1.2})[0] == ([2, 2], [0, 1])
    assert possible("hausdorff95", [-3, 120]) == [0, 120]
    assert possible("dice", [-1.5, 0.5], of_difference=True) == [-1, 0.5]
    assert possible("hausdorff95", [-300, 50], of_difference=True) == [-300, 50]
    assert np.isnan(possible("dice", [math.nan, math.nan])).all()


def test_what_is_not_there_is_not_drawn() -> None:
    only = NUMBER | {"low": math.nan, "high": math.nan, "published": math.nan, "by_seed": [0.7]}
    assert drawn(only) == [([2], [0.7])]


def test_the_papers_mark_is_hollow_and_ours_is_filled() -> None:
    axes = Figure().subplots()
    draw_number(axes, 0, NUMBER, "black", "s", seed_shift=0.1)
    mean, paper = axes.lines[-2:]
    assert mean.get_markerfacecolor() == "black"
    assert paper.get_markerfacecolor() == "none"
    assert mean.get_marker() == paper.get_marker() == "s"


def numbers_of(folder: Path, write_records: Any, runs: list[Any]) -> list[Numbers]:
    write_records(folder, "table2", runs)
    return read_numbers(TABLE2, folder)["laptop"]


def legend(numbers: list[Numbers], entries: dict[str, Any] | None = None) -> list[str]:
    figure = Figure()
    add_legend(figure, numbers, entries)
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_a_legend_explains_what_there_is_with_entries_in_a_line_above(tmp_path: Path, write_records: Any) -> None:
    several = numbers_of(tmp_path / "several", write_records, [("c", 0, {}, 0.7), ("c", 1, {}, 0.8)])
    assert legend(several) == ["mean, 95 % interval", "single seed", "paper: best of three runs, real data"]
    assert legend(numbers_of(tmp_path / "unpublished", write_records, [("own", 0, {}, 0.7)])) == ["mean"]
    numbers = numbers_of(tmp_path / "one", write_records, [("c", 0, {}, 0.7)])
    # Column by column.
    texts = legend(numbers, {"first": {}, "second": {}, "third": {}})
    assert texts == ["first", "mean", "second", "paper: best of three runs, real data", "third", " "]
