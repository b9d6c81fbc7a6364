"""Table 1 as a figure: scores against the number of training locations, a line for each sampling strategy."""

from collections.abc import Sequence
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.markup import power_of_two
from benchmarks.studies.table1 import TABLE1
from paper_figures.panels import MEAN, Look, add_legend, axis_label, draw_number, panel_rows
from paper_figures.picture import figure_by_profile
from paper_figures.scores import Numbers, read_own_numbers
from paper_figures.style import BLACK, BLUE, ORANGE, settings

QUANTITIES = ("dice", "iou")
LOOKS: dict[str, Look] = {
    "uniform": {"color": BLUE, "marker": "o", "linestyle": "-", "linewidth": 1},
    "border": {"color": ORANGE, "marker": "s", "linestyle": "--", "linewidth": 1},
    "confidence": {"color": BLACK, "marker": "^", "linestyle": ":", "linewidth": 1},
}
"""Looks by strategy. The colours also differ in brightness, for grey print."""

APART = 0.2
"""Distance between strategies at the same number of locations, as a part of the step to the next power of two."""

SEED_SHIFT = 0.07


def draw(numbers: Sequence[Numbers]) -> Figure:
    """Draw a row of panels for each data set: Dice and IoU against the paper's number of locations, on a log2 scale.

    Where fewer locations were drawn from our volumes, the labels of the ticks give their number, too.
    """
    with settings():
        figure, panels = panel_rows(numbers, QUANTITIES, height_in=2.3)
        for row, of_data in zip(panels, numbers, strict=True):
            for axes, quantity in zip(row, QUANTITIES, strict=True):
                _draw_strategies(axes, of_data.rows[of_data.rows["quantity"] == quantity])
                _label_locations(axes, of_data.rows)
                axes.set_ylabel(axis_label(quantity))
        found = {strategy for of_data in numbers for strategy in of_data.rows["sampling"]}
        names = TABLE1.layout.names["sampling"]
        add_legend(figure, numbers, {names[name]: MEAN | look for name, look in LOOKS.items() if name in found})
    return figure


SAMPLING = figure_by_profile("sampling", TABLE1.name, partial(read_own_numbers, TABLE1), draw)


def _draw_strategies(axes: Axes, rows: pd.DataFrame) -> None:
    for index, (strategy, look) in enumerate(LOOKS.items()):
        of_strategy = rows[rows["sampling"] == strategy].sort_values("locations")
        places = np.log2(of_strategy["locations"]) + APART * (index - (len(LOOKS) - 1) / 2)
        axes.plot(places, of_strategy["value"], **look | {"marker": ""})
        for place, number in zip(places, of_strategy.to_dict("records"), strict=True):
            draw_number(axes, place, number, look["color"], look["marker"], SEED_SHIFT)


def _label_locations(axes: Axes, rows: pd.DataFrame) -> None:
    drawn: dict[int, set[int]] = {}
    for locations, number in zip(rows["locations"], rows["drawn"], strict=True):
        drawn.setdefault(locations, set()).add(number)
    scaled = any(numbers != {locations} for locations, numbers in drawn.items())
    labels = [
        power_of_two(locations) + (f"\n({', '.join(map(str, sorted(numbers)))})" if scaled else "")
        for locations, numbers in drawn.items()
    ]
    axes.set_xticks(np.log2(list(drawn)), labels)
    axes.set_xlabel("Locations per volume in the paper (as drawn here)" if scaled else "Locations drawn per volume")
    axes.margins(x=0.08)
