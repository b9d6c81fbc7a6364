"""What figures of scores share: a row of panels for each data set, the marks of a number, and what these mean."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from benchmarks.study import Study
from ossnet.evaluation.quantities import QUANTITIES
from paper_figures.picture import PaperFigure, Picture, RecordFiles
from paper_figures.scores import Numbers, read_numbers
from paper_figures.style import PAGE_WIDTH_IN

Look = dict[str, Any]
"""How matplotlib draws a line and its markers."""

MEAN: Look = {"markersize": 4.5, "linestyle": "none", "zorder": 4}
INTERVAL: Look = {"linewidth": 1.2, "zorder": 3}
SEED: Look = {"marker": "o", "markersize": 3, "markeredgewidth": 0, "alpha": 0.45, "linestyle": "none", "zorder": 2}
PAPER: Look = {"markersize": 6, "markerfacecolor": "none", "markeredgewidth": 0.9, "linestyle": "none", "zorder": 3}
ANY: Look = {"color": "0.35", "marker": "o"}
"""In a legend: whichever colour and marker."""


def figure_of(study: Study, name: str, draw: Callable[[Sequence[Numbers]], Figure]) -> PaperFigure:
    """A figure of a study's numbers: one picture a profile, `NAME-PROFILE`, with all data sets that have records."""
    records = RecordFiles(study.name, ".jsonl")

    def pictures(folder: Path) -> list[Picture]:
        sources = records.find(folder)
        return [
            Picture(f"{name}-{profile}", partial(draw, numbers), sources)
            for profile, numbers in read_numbers(study, folder).items()
        ]

    return PaperFigure(name, pictures, records)


def panel_rows(
    numbers: Sequence[Numbers], quantities: Sequence[str], height_in: float, share_places: bool = False
) -> tuple[Figure, list[list[Axes]]]:
    """A figure with a row of panels, one a quantity, for each data set under its title; and the panels by row.

    Args:
        height_in: of a row.
        share_places: whether the panels of a row have the same vertical axis.
    """
    figure = Figure(figsize=(PAGE_WIDTH_IN, 0.45 + height_in * len(numbers)), layout="constrained")
    rows = []
    for part, of_data in zip(figure.subfigures(len(numbers), 1, squeeze=False)[:, 0], numbers, strict=True):
        part.suptitle(of_data.title, x=0.01, ha="left", fontsize="medium")
        rows.append(list(part.subplots(1, len(quantities), sharey=share_places, squeeze=False)[0]))
    return figure, rows


def draw_number(
    axes: Axes,
    place: float,
    number: Mapping[Hashable, Any],
    colour: str,
    marker: str,
    seed_shift: float,
    horizontal: bool = False,
) -> None:
    """Draw a number at a place of the other axis: upright, or along the first axis where `horizontal`.

    Args:
        number: a row of `Numbers`. What is NaN is not drawn, nor is the only seed of a number.
        seed_shift: by how much single seeds stand beside their mean.
    """

    def draw(values: Sequence[float], shift: float, look: Look) -> None:
        places = np.full(len(values), place + shift)
        axes.plot(*((values, places) if horizontal else (places, values)), color=colour, **look)

    draw([number["low"], number["high"]], 0, INTERVAL)
    if len(number["by_seed"]) > 1:
        draw(number["by_seed"], seed_shift, SEED)
    draw([number["value"]], 0, MEAN | {"marker": marker})
    draw([number["published"]], 0, PAPER | {"marker": marker})


def explain(figure: Figure, numbers: Sequence[Numbers], entries: Mapping[str, Look] | None = None) -> None:
    """A legend below the panels: a line of entries by their labels, and a line of the marks that the numbers have."""
    rows = pd.concat([of_data.rows for of_data in numbers])
    if rows["low"].notna().any():
        marks = {"mean, 95 % interval": ANY | MEAN | INTERVAL | {"linestyle": "-"}}
    else:
        marks = {"mean": ANY | MEAN}
    if (rows["seeds"] > 1).any():
        marks["one seed"] = ANY | SEED
    if rows["published"].notna().any():
        marks["paper, best of three, real data"] = ANY | PAPER
    lines = [list(line.items()) for line in (entries, marks) if line]
    # matplotlib fills a legend column by column.
    columns = list(zip_longest(*lines, fillvalue=(" ", {"linestyle": "none"})))
    handles = [Line2D([], [], label=label, **look) for column in columns for label, look in column]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(columns), handlelength=3)


def axis_label(quantity: str) -> str:
    """A quantity's name, its unit, and an arrow towards what is better."""
    shown = QUANTITIES[quantity]
    unit = f" ({shown.unit})" if shown.unit else ""
    return f"{shown.name}{unit} {'↑' if shown.higher_is_better else '↓'}"
