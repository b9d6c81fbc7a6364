"""Quantities of a study against its one setting: a curve for each model, with intervals and single seeds."""

import math
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.layout import Layout
from benchmarks.names import model_name
from paper_figures.panels import (
    MEAN,
    Look,
    add_legend,
    axis_label,
    draw_number,
    panel_rows,
    remark_on,
    shown_quantities,
    with_other_models,
)
from paper_figures.scores import Numbers
from paper_figures.style import model_look, settings

LOGARITHMIC_FROM = 8.0
"""Ratio of the largest to the smallest value from which a setting has a logarithmic axis."""

APART = 0.12
"""Distance between models at the same value, and of single seeds from their mean, as a part of the smallest step."""

SEED_SHIFT = 0.08

REMARK_WIDTH_PT = 9
"""Distance between remarks on several models at the same value, in points."""

MARGIN = 0.4
"""Space beside the outermost values, as a part of the smallest step."""


def draw(layout: Layout, numbers: Sequence[Numbers]) -> Figure:
    """Draw a row of panels for each data set, one panel per quantity.

    Args:
        layout: layout of the study, with one axis.
        numbers: numbers of each data set.
    """
    quantities = shown_quantities(layout, numbers)
    layout, models = with_other_models(layout, numbers)
    with settings():
        figure, panels = panel_rows(numbers, quantities, height_in=2.3)
        for row, of_data in zip(panels, numbers, strict=True):
            for axes, quantity in zip(row, quantities, strict=True):
                _draw_models(axes, layout, of_data, quantity, models)
        entries = {model_name(model): MEAN | _look(model) for model in models} if len(models) > 1 else None
        add_legend(figure, numbers, entries)
    return figure


def places_of(values: Sequence[Any]) -> list[float]:
    """Return the places of a setting's values on an axis.

    Numbers stand at their value, or at its logarithm to base 2 where they span a factor of `LOGARITHMIC_FROM` or more;
    texts stand side by side.
    """
    if not all(isinstance(value, int | float) for value in values):
        return [float(place) for place in range(len(values))]
    if min(values) > 0 and max(values) / min(values) >= LOGARITHMIC_FROM:
        return [math.log2(value) for value in values]
    return [float(value) for value in values]


def _look(model: str) -> Look:
    colour, marker = model_look(model)
    return {"color": colour, "marker": marker, "linestyle": "-", "linewidth": 1}


def _add_remarks(axes: Axes, place: float, remarks: Mapping[str, str], found: Sequence[Mapping[Hashable, Any]]) -> None:
    """Write remarks on models side by side at the end of the panel that is farther from their numbers."""
    ends = np.array([[number[end] for end in ("low", "value", "high")] for number in found])
    low, high = axes.get_ylim()
    at_top = np.isfinite(ends).any() and high - np.nanmax(ends) > np.nanmin(ends) - low
    written = {model: remark for model, remark in remarks.items() if remark}
    for index, (model, remark) in enumerate(written.items()):
        axes.annotate(
            remark,
            (place, 0.98 if at_top else 0.02),
            ((index - (len(written) - 1) / 2) * REMARK_WIDTH_PT, 0),
            xycoords=axes.get_xaxis_transform(),
            textcoords="offset points",
            color=_look(model)["color"],
            fontsize=7,
            rotation=90,
            horizontalalignment="center",
            verticalalignment="top" if at_top else "bottom",
            style="italic",
        )


def _draw_models(axes: Axes, layout: Layout, numbers: Numbers, quantity: str, models: Sequence[str]) -> None:
    (axis,) = layout.axes
    values = list(dict.fromkeys(row[1] for row in layout.rows))
    places = places_of(values)
    step = min(np.diff(sorted(places)), default=1.0)
    of_quantity = numbers.rows[numbers.rows["quantity"] == quantity]
    by_row = {(of["model"], of[axis]): of for of in of_quantity.to_dict("records")}
    for index, model in enumerate(models):
        look = _look(model)
        shift = APART * step * (index - (len(models) - 1) / 2)
        found = [
            (place + shift, by_row[model, value])
            for place, value in zip(places, values, strict=True)
            if (model, value) in by_row
        ]
        if all(isinstance(value, int | float) for value in values):
            in_order = sorted((place, number["value"]) for place, number in found)
            axes.plot(*zip(*in_order, strict=True), **look | {"marker": ""}) if in_order else None
        for place, number in found:
            draw_number(axes, place, number, look["color"], look["marker"], SEED_SHIFT * step)
    for place, value in zip(places, values, strict=True):
        rows = [(model, value) for model in models if (model, value) in layout.rows]
        remarks = {row[0]: remark_on(numbers, layout, row, quantity) for row in rows}
        _add_remarks(axes, place, remarks, [by_row[row] for row in rows if row in by_row])
    names = [layout.label((models[0], value))[-1] for value in values]
    if layout.baseline is not None:
        model, value = layout.baseline
        names[values.index(value)] += "\nbaseline" + (f": {model_name(model)}" if len(models) > 1 else "")
    axes.set_xticks(places, names)
    axes.set_xlabel(layout.heads[axis] or axis)
    axes.set_ylabel(axis_label(quantity))
    # Also where the outermost values have no numbers.
    axes.set_xlim(min(places) - MARGIN * step, max(places) + MARGIN * step)
