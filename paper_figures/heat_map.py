"""Quantities of a study over its two settings: a heat map for each data set, model and quantity."""

import math
import textwrap
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from benchmarks.layout import Layout, Row
from benchmarks.names import GROUP, model_name
from benchmarks.report.comparisons import compare_rows
from benchmarks.report.score_records import records_of, scores_of
from benchmarks.study import Study
from ossnet.evaluation.quantities import QUANTITIES
from paper_figures.panels import PANELS_PER_LINE, axis_label, remark_on, shown_quantities, with_other_models
from paper_figures.scores import Numbers, read_numbers
from paper_figures.style import PAGE_WIDTH_IN, settings

WORSE_TO_BETTER = "cividis"
"""Colours from dark to bright; the colour-blind see them as others do, and grey print keeps their order."""

CELL_HEIGHT_IN = 0.42
LABELS_IN = 0.95
"""Height of a cell, and of all that is above and below the cells of a panel, in inches."""

CELL_WIDTH_IN = 0.42
CHARACTER_IN = 0.055
BAR_IN = 1.0
"""Width of a cell that the text of a number fits, of a character of a label, and of the rest of a panel, in inches."""

REMARK_WIDTH = 8
"""Number of characters from which a remark in a cell is broken into lines."""

SIGN = "*"
"""Mark of a cell that differs from the baseline."""


@dataclass(frozen=True, eq=False)
class Grid:
    """Numbers of one data set, profile and protocol.

    Attributes:
        numbers: the numbers.
        different: quantity and row of those differences from the baseline whose simultaneous interval excludes 0.
    """

    numbers: Numbers
    different: AbstractSet[tuple[str, Row]] = frozenset()


def read_grids(study: Study, folder: Path) -> dict[str, list[Grid]]:
    """Return, by profile, the numbers of a study's records in a folder, with what differs from its baseline.

    Raises:
        UserError: a file cannot be read.
    """
    columns = list(study.layout.columns)
    pairs = compare_rows(scores_of(records_of(study.layout, folder)), study.layout)
    found = pairs[(pairs["low_joint"] > 0) | (pairs["high_joint"] < 0)]
    by_key: dict[tuple[str, ...], set[tuple[str, Row]]] = {}
    for pair in found.to_dict("records"):
        row = tuple(pair[column] for column in columns)
        by_key.setdefault(tuple(pair[name] for name in GROUP), set()).add((pair["quantity"], row))
    return {
        profile: [Grid(of_data, by_key.get(of_data.key, set())) for of_data in numbers]
        for profile, numbers in read_numbers(study, folder).items()
    }


def draw(layout: Layout, grids: Sequence[Grid]) -> Figure:
    """Draw a row of heat maps for each data set and model, one per quantity; models share the colours of a data set.

    Args:
        layout: layout of the study, with two axes: the first runs downwards, the second to the right.
        grids: numbers of each data set.
    """
    numbers = [grid.numbers for grid in grids]
    quantities = shown_quantities(layout, numbers)
    layout, models = with_other_models(layout, numbers)
    parts = [(grid, model) for grid in grids for model in models]
    lines = -(-len(quantities) // panels_per_line(layout))
    height_in = lines * (LABELS_IN + CELL_HEIGHT_IN * len({row[1] for row in layout.rows}))
    with settings():
        figure = Figure(figsize=(PAGE_WIDTH_IN, 0.3 + height_in * len(parts)), layout="constrained")
        for part, (grid, model) in zip(figure.subfigures(len(parts), 1, squeeze=False)[:, 0], parts, strict=True):
            named = f"{model_name(model)}. " if len(models) > 1 else ""
            part.suptitle(f"{named}{grid.numbers.title}", x=0.01, ha="left", fontsize="medium")
            panels = list(part.subplots(lines, -(-len(quantities) // lines), squeeze=False).flat)
            for axes, quantity in zip(panels, quantities, strict=False):
                _draw_panel(axes, layout, grid, model, quantity)
            for surplus in panels[len(quantities) :]:
                surplus.remove()
        figure.supxlabel(_explanation(layout, grids), fontsize=7)
    return figure


def panels_per_line(layout: Layout) -> int:
    """Return how many panels fit side by side, at most `PANELS_PER_LINE`, so that cells have room for their texts."""
    labels = [layout.label(row)[-2] for row in layout.rows]
    width_in = (
        BAR_IN + CHARACTER_IN * max(map(len, labels), default=0) + CELL_WIDTH_IN * len({row[2] for row in layout.rows})
    )
    return min(PANELS_PER_LINE, max(1, int(PAGE_WIDTH_IN / width_in)))


def _explanation(layout: Layout, grids: Sequence[Grid]) -> str:
    parts = ["± standard deviation over seeds"]
    if layout.baseline is not None:
        parts.append("frame: baseline")
    if any(grid.different for grid in grids):
        parts.append(f"{SIGN} differs from the baseline by simultaneous 95 % intervals")
    return "; ".join(parts)


def _draw_panel(axes: Axes, layout: Layout, grid: Grid, model: str, quantity: str) -> None:
    down, across = (list(dict.fromkeys(row[place] for row in layout.rows)) for place in (1, 2))
    of_quantity = grid.numbers.rows[grid.numbers.rows["quantity"] == quantity]
    by_row = {tuple(of[column] for column in layout.columns): of for of in of_quantity.to_dict("records")}
    rows = [[(model, first, second) for second in across] for first in down]
    values = np.array([[by_row.get(row, {}).get("value", math.nan) for row in line] for line in rows])
    shown = QUANTITIES[quantity]
    colours = matplotlib.colormaps[WORSE_TO_BETTER if shown.higher_is_better else f"{WORSE_TO_BETTER}_r"]
    valid = of_quantity["value"].dropna()
    limits = (valid.min(), valid.max()) if len(valid) else (0, 1)
    image = axes.imshow(np.ma.masked_invalid(values), cmap=colours, aspect="auto", vmin=limits[0], vmax=limits[1])
    for (y, x), value in np.ndenumerate(values):
        row = rows[y][x]
        remark = textwrap.fill(remark_on(grid.numbers, layout, row, quantity), REMARK_WIDTH)
        if math.isnan(value):
            axes.text(x, y, remark, style="italic", ha="center", va="center", fontsize=7)
            continue
        background = colours(image.norm(value))
        bright = np.dot(background[:3], (0.299, 0.587, 0.114)) > 0.5
        text = _cell(by_row[row], shown.digits, (quantity, row) in grid.different)
        text += f"\n{remark}" if remark else ""
        size = 6 if remark else 7
        axes.text(x, y, text, color="black" if bright else "white", ha="center", va="center", fontsize=size)
        if row == layout.baseline:
            for colour, width_pt in (("black", 2.4), ("white", 1.0)):
                axes.add_patch(Rectangle((x - 0.48, y - 0.48), 0.96, 0.96, fill=False, ec=colour, lw=width_pt))
    names = [[layout.label((model, first, second))[-2:] for second in across] for first in down]
    axes.set_xticks(range(len(across)), [label[1] for label in names[0]])
    axes.set_yticks(range(len(down)), [line[0][0] for line in names])
    first_axis, second_axis = layout.axes
    axes.set_xlabel(layout.heads[second_axis] or second_axis)
    axes.set_ylabel(layout.heads[first_axis] or first_axis)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    if valid.empty:
        axes.set_title(axis_label(quantity))
        return
    bar = axes.figure.colorbar(image, ax=axes, label=axis_label(quantity))
    bar.outline.set_visible(False)


def _cell(number: Mapping[Any, Any], digits: int, is_different: bool) -> str:
    deviation = number["std_seeds"]
    spread = "" if math.isnan(deviation) or deviation == 0 else f"\n± {deviation:.{digits}f}"
    sign = f" {SIGN}" if is_different else ""
    return f"{number['value']:.{digits}f}{sign}{spread}"
