"""Table 2 as a figure: the accuracy of each model, with its spread over seeds and cases."""

import math
from collections.abc import Sequence
from functools import partial

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.names import model_name
from benchmarks.studies.table2 import TABLE2
from paper_figures.panels import add_legend, axis_label, draw_number, panel_rows, remark_on, shown_rows
from paper_figures.picture import figure_by_profile
from paper_figures.scores import Numbers, read_numbers
from paper_figures.style import model_look, settings

QUANTITIES = ("dice", "hausdorff95")
"""Overlap, and distance of the surfaces. IoU is a function of Dice in every case and would add nothing."""

SEED_SHIFT = 0.25


def draw(numbers: Sequence[Numbers]) -> Figure:
    """Draw a row of panels for each data set: Dice and HD95 of every model, in the order of the table."""
    with settings():
        figure, panels = panel_rows(numbers, QUANTITIES, height_in=2.6, share_places=True)
        for row, of_data in zip(panels, numbers, strict=True):
            models = [model for (model,) in shown_rows(of_data, TABLE2.layout)]
            for axes, quantity in zip(row, QUANTITIES, strict=True):
                _draw_models(axes, of_data, quantity, models)
                axes.set_xlabel(axis_label(quantity))
            row[0].set_yticks(range(len(models)), [model_name(model) for model in models])
            row[0].set_ylim(len(models) - 0.5, -0.5)
        add_legend(figure, numbers)
    return figure


MODELS = figure_by_profile("models", TABLE2.name, partial(read_numbers, TABLE2), draw)


def _draw_models(axes: Axes, numbers: Numbers, quantity: str, models: Sequence[str]) -> None:
    by_model = numbers.rows[numbers.rows["quantity"] == quantity].set_index("model").to_dict("index")
    for place, model in enumerate(models):
        number = by_model.get(model)
        if number is not None:
            draw_number(axes, place, number, *model_look(model), SEED_SHIFT, horizontal=True)
        if number is None or math.isnan(number["value"]):
            axes.text(
                x=0.02,
                y=place,
                s=remark_on(numbers, TABLE2.layout, (model,), quantity),
                transform=axes.get_yaxis_transform(),
                verticalalignment="center",
                style="italic",
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
            )
    axes.grid(axis="y", color="0.9", linewidth=0.6)
    axes.tick_params(axis="y", length=0)
    axes.set_axisbelow(True)
