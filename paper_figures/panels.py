"""Figures of scores: a row of panels for each data set, the markers of a number, and their legend."""

from collections.abc import Hashable, Mapping, Sequence
from itertools import zip_longest
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter

from benchmarks.layout import Layout, Row
from benchmarks.report.score_table import failed_rows, heading, status_text
from ossnet.evaluation.quantities import COST_QUANTITIES, QUANTITIES
from paper_figures.scores import Numbers
from paper_figures.style import PAGE_WIDTH_IN

PANELS_PER_LINE = 3

Look = dict[str, Any]
"""Keywords of matplotlib for a line and its markers."""

MEAN: Look = {"markersize": 4.5, "linestyle": "none", "zorder": 4}
INTERVAL: Look = {"linewidth": 1.2, "zorder": 3}
SEED: Look = {"marker": "o", "markersize": 3, "markeredgewidth": 0, "alpha": 0.45, "linestyle": "none", "zorder": 2}
PAPER: Look = {"markersize": 6, "markerfacecolor": "none", "markeredgewidth": 0.9, "linestyle": "none", "zorder": 3}
NEUTRAL: Look = {"color": "0.35", "marker": "o"}
"""Look of a legend entry that stands for all colours and markers."""


LOGARITHMIC_FROM = 3
"""Factor between the lowest and the highest value of a panel from which `scale_by_span` makes an axis logarithmic."""


def panel_rows(
    numbers: Sequence[Numbers], quantities: Sequence[str], height_in: float, share_places: bool = False
) -> tuple[Figure, list[list[Axes]]]:
    """Return a figure with a titled row of panels for each data set, and the panels by row.

    A row of more than `PANELS_PER_LINE` panels is broken into lines.

    Args:
        numbers: numbers of each data set.
        quantities: names of the quantities, one per panel of a row.
        height_in: height of a row, in inches.
        share_places: whether the panels of a row have the same vertical axis.
    """
    lines = -(-len(quantities) // PANELS_PER_LINE)
    figure = Figure(figsize=(PAGE_WIDTH_IN, 0.45 + height_in * lines * len(numbers)), layout="constrained")
    rows = []
    for part, of_data in zip(figure.subfigures(len(numbers), 1, squeeze=False)[:, 0], numbers, strict=True):
        part.suptitle(of_data.title, x=0.01, ha="left", fontsize="medium")
        panels = part.subplots(lines, -(-len(quantities) // lines), sharey=share_places, squeeze=False)
        for surplus in panels.flat[len(quantities) :]:
            surplus.remove()
        rows.append(list(panels.flat[: len(quantities)]))
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
    """Draw a number: its mean, its interval, its seeds and the paper's number.

    NaN is not drawn, nor is the seed of a number that has only one, nor what `possible` cuts from the interval.

    Args:
        axes: axes to draw on.
        place: position of the number on the other axis.
        number: row of `Numbers`.
        colour: colour of all markers.
        marker: marker of the mean and of the paper's number.
        seed_shift: distance of single seeds from the mean along the other axis.
        horizontal: whether values run along the horizontal axis, not the vertical.
    """

    def draw(values: Sequence[float], shift: float, look: Look) -> None:
        places = np.full(len(values), place + shift)
        axes.plot(*((values, places) if horizontal else (places, values)), color=colour, **look)

    draw(possible(number["quantity"], [number["low"], number["high"]]), 0, INTERVAL)
    if len(number["by_seed"]) > 1:
        draw(number["by_seed"], seed_shift, SEED)
    draw([number["value"]], 0, MEAN | {"marker": marker})
    draw([number["published"]], 0, PAPER | {"marker": marker})


def possible(quantity: str, ends: Sequence[float], of_difference: bool = False) -> list[float]:
    """Return the ends of an interval, moved into the range of a quantity or of the differences of two of its values.

    Intervals are symmetric about the mean, and near an end of the range they would show values that cannot be.
    """
    highest = QUANTITIES[quantity].highest
    return [float(end) for end in np.clip(ends, -highest if of_difference else 0, highest)]


def add_legend(
    figure: Figure, numbers: Sequence[Numbers], entries: Mapping[str, Look] | None = None, per_line: int | None = None
) -> None:
    """Add a legend below the panels: a line of entries by their labels, and a line of the markers of the numbers.

    With `per_line`, the entries are on several lines with at most so many each.
    """
    rows = pd.concat([of_data.rows for of_data in numbers])
    if rows["low"].notna().any():
        marks = {"mean, 95 % interval": NEUTRAL | MEAN | INTERVAL | {"linestyle": "-"}}
    else:
        marks = {"mean": NEUTRAL | MEAN}
    if (rows["seeds"] > 1).any():
        marks["single seed"] = NEUTRAL | SEED
    if rows["published"].notna().any():
        marks["paper: best of three runs, real data"] = NEUTRAL | PAPER
    listed = list((entries or {}).items())
    per_line = per_line or max(len(listed), 1)
    lines = [listed[at : at + per_line] for at in range(0, len(listed), per_line)] + [list(marks.items())]
    # matplotlib fills a legend column by column.
    columns = list(zip_longest(*lines, fillvalue=(" ", {"linestyle": "none"})))
    handles = [Line2D([], [], label=label, **look) for column in columns for label, look in column]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(columns), handlelength=3)


def axis_label(quantity: str) -> str:
    """Return a quantity's name, its unit, and an arrow that points to better values."""
    return heading(QUANTITIES[quantity])


def shown_quantities(layout: Layout, numbers: Sequence[Numbers]) -> list[str]:
    """Return the layout's quantities that there are numbers of, in order; Dice and HD95 if it names none."""
    found = {quantity for of_data in numbers for quantity in of_data.rows["quantity"]}
    wanted = layout.quantities or ("dice", "hausdorff95")
    return [quantity for quantity in wanted if quantity in found]


def shown_rows(numbers: Numbers, layout: Layout) -> list[Row]:
    """Return the rows of a table in order, those whose runs failed and those that were not run among them."""
    found = {*numbers.rows[list(layout.columns)].itertuples(index=False, name=None), *_failed(numbers, layout)}
    return layout.for_rows(found).arrange(found)


def with_other_models(layout: Layout, numbers: Sequence[Numbers]) -> tuple[Layout, list[str]]:
    """Return a layout with the rows of other models than the study's own, and all models in the order of the rows."""
    found = [row for of_data in numbers for row in shown_rows(of_data, layout)]
    layout = layout.for_rows(found)
    return layout, list(dict.fromkeys(str(row[0]) for row in [*layout.rows, *found]))


def why_missing(numbers: Numbers, layout: Layout, row: Row, quantity: str) -> str:
    """Return why a row of a table has no number of a quantity; empty if it has one.

    The reasons are `OOM`, `failed`, `not run`, `no valid score`, and `not recorded` for a cost.
    """
    by_quantity = _seeds_of(numbers, layout, row)
    if not by_quantity:
        return status_text(False, _failed(numbers, layout).get(row, {}))
    if not np.isnan(by_quantity.get(quantity, [])).all():
        return ""
    return "not recorded" if quantity in COST_QUANTITIES else "no valid score"


def remark_on(numbers: Numbers, layout: Layout, row: Row, quantity: str) -> str:
    """Return what a figure says of a number that is missing, or is not of every seed that was run.

    It is the reason that `why_missing` gives, or such as `1 of 3 seeds`, or empty.
    """
    if reason := why_missing(numbers, layout, row, quantity):
        return reason
    by_seed = _seeds_of(numbers, layout, row)[quantity]
    valid, seeds = np.isfinite(by_seed).sum(), len(by_seed) + len(_failed(numbers, layout).get(row, {}))
    return "" if valid == seeds else f"{valid} of {seeds} seeds"


def _seeds_of(numbers: Numbers, layout: Layout, row: Row) -> dict[str, list[float]]:
    """Return each seed's number of a row of a table, by quantity."""
    keys = numbers.rows[list(layout.columns)].itertuples(index=False, name=None)
    found = zip(keys, numbers.rows["quantity"], numbers.rows["by_seed"], strict=True)
    return {quantity: by_seed for key, quantity, by_seed in found if key == row}


def _failed(numbers: Numbers, layout: Layout) -> Mapping[Row, Mapping[int, str]]:
    """Return the failures of the seeds of each row that has some."""
    return failed_rows(numbers.failures, layout).get(numbers.key[:2], {})


def scale_by_span(axis: Axis, values: pd.Series) -> None:
    """Make an axis logarithmic, with labels at 1, 2 and 5 of each decade, if values span `LOGARITHMIC_FROM`."""
    if values.max() < LOGARITHMIC_FROM * values.min():
        return
    set_scale = axis.axes.set_xscale if axis is axis.axes.xaxis else axis.axes.set_yscale
    set_scale("log")
    label_plainly(axis)
    axis.set_minor_formatter(FuncFormatter(lambda value, _: f"{value:g}" if f"{value:e}"[0] in "25" else ""))
    axis.set_tick_params(which="both", length=3.5, pad=3.5)


def label_plainly(axis: Axis) -> None:
    """Label the ticks of a logarithmic axis with plain numbers, not with powers."""
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
