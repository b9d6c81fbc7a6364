"""The paper's Figure 5 on trained models: Dice, time and memory of each extraction against its locations per pass."""

from collections.abc import Sequence
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.markup import power_of_two
from benchmarks.studies.locations import LOCATIONS_PER_PASS
from paper_figures.figure5 import INFERENCES
from paper_figures.panels import (
    MEAN,
    Look,
    add_legend,
    axis_label,
    draw_number,
    panel_rows,
    scale_by_span,
    shown_quantities,
)
from paper_figures.picture import figure_by_profile
from paper_figures.scores import Numbers, read_own_numbers
from paper_figures.style import BLACK, GREEN, settings

LOOKS: dict[str, tuple[str, Look]] = INFERENCES | {
    "adaptive": ("adaptive extraction (ours)", {"color": GREEN, "marker": "^", "linestyle": "-"}),
    "dense": ("every voxel", {"color": BLACK, "marker": "D", "linestyle": ":"}),
}
"""Names and looks of the extractions."""

FARTHEST = 0.25
"""Largest distance of an extraction from its number of locations, as a part of the step between two ticks."""

SEED_SHIFT = 0.13


def draw(numbers: Sequence[Numbers]) -> Figure:
    """Draw a row of panels for each data set: each quantity against the locations per pass, on a log2 scale.

    The extractions stand side by side where quantities have intervals, which would hide each other.
    """
    quantities = shown_quantities(LOCATIONS_PER_PASS.layout, numbers)
    with settings():
        figure, panels = panel_rows(numbers, quantities, height_in=2.8)
        for row, of_data in zip(panels, numbers, strict=True):
            for axes, quantity in zip(row, quantities, strict=True):
                of_quantity = of_data.rows[of_data.rows["quantity"] == quantity]
                _draw_extractions(axes, of_quantity)
                axes.set_ylabel(axis_label(quantity))
                if quantity != "dice":
                    scale_by_span(axes.yaxis, of_quantity["value"])
        found = {extraction for of_data in numbers for extraction in of_data.rows["extraction"]}
        entries = {name: MEAN | look for key, (name, look) in LOOKS.items() if key in found}
        add_legend(figure, numbers, entries, per_line=2)
    return figure


LOCATIONS = figure_by_profile("locations", LOCATIONS_PER_PASS.name, partial(read_own_numbers, LOCATIONS_PER_PASS), draw)


def _draw_extractions(axes: Axes, rows: pd.DataFrame) -> None:
    locations = sorted(set(rows["locations"]))
    step = min(np.diff(np.log2(locations)), default=1.0)
    farthest = FARTHEST * step if rows["low"].notna().any() else 0.0
    shifts = np.linspace(-farthest, farthest, len(LOOKS))
    for shift, (extraction, (_, look)) in zip(shifts, LOOKS.items(), strict=True):
        of_extraction = rows[rows["extraction"] == extraction].sort_values("locations")
        places = np.log2(of_extraction["locations"]) + shift
        axes.plot(places, of_extraction["value"], **look | {"marker": "", "linewidth": 1})
        for place, number in zip(places, of_extraction.to_dict("records"), strict=True):
            draw_number(axes, place, number, look["color"], look["marker"], SEED_SHIFT)
    axes.set_xticks(np.log2(locations), list(map(power_of_two, locations)))
    axes.set_xlabel("Locations per pass")
    axes.margins(x=0.08)
