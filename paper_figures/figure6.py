"""The paper's Figure 6: memory of one pass against its number of locations, of O-Net and OSS-Net C."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from benchmarks.probes.records import GIGABYTE
from paper_figures.panels import ANY, PAPER, Look
from paper_figures.picture import Picture
from paper_figures.probes import (
    PREDICTION,
    draw_measured,
    draw_prediction,
    figure_of_probes,
    handles_of,
    locations_axis,
    machine_entries,
    machine_fills,
    model_entries,
    title_of,
)
from paper_figures.style import PAGE_WIDTH_IN, model_look, settings

RELEASED: Look = PREDICTION | {"linestyle": "--", "marker": ""}

AROUND: Look = PAPER | {"markersize": 10, "zorder": 5}
"""Of the paper's numbers: open, and around what was measured where both come to the same."""


def pictures(rows: pd.DataFrame, sources: Sequence[Path]) -> list[Picture]:
    """One, with all machines."""
    return [Picture("figure6", partial(draw, rows), sources)]


def draw(rows: pd.DataFrame) -> Figure:
    """Peaks of this suite, predicted and measured, and predicted ones of the released code, beside the paper's Table 3.

    Args:
        rows: of `paper_figures.probes.read_probes`.
    """
    rows = rows.assign(gigabytes=rows["allocated_bytes"] / GIGABYTE, published=rows["published_bytes"] / GIGABYTE)
    suite, released = (rows[rows["implementation"] == name] for name in ("suite", "released"))
    models = rows["model"].unique()
    with settings():
        figure = Figure(figsize=(PAGE_WIDTH_IN, 3.6), layout="constrained")
        text = f"Peak of tensors in one pass, encoder included, {rows['resolution'].iloc[0]}"
        figure.suptitle(title_of(text, rows), fontsize="medium")
        axes = figure.subplots()
        for model in models:
            colour, marker = model_look(model)
            draw_prediction(axes, suite, model, "locations", "gigabytes")
            draw_measured(axes, suite, model, "locations", "gigabytes", machine_fills(rows))
            of_model = released[released["model"] == model].sort_values("locations")
            axes.plot(of_model["locations"], of_model["gigabytes"], color=colour, **RELEASED)
            published = rows[(rows["model"] == model) & rows["published"].notna()]
            published = published.drop_duplicates("locations")
            axes.plot(published["locations"], published["published"], color=colour, **AROUND | {"marker": marker})
        locations_axis(axes, rows)
        axes.set_yscale("log", base=2)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.set_xlabel("Locations per pass")
        axes.set_ylabel("Memory (GB of 10⁹ bytes)")
        entries = model_entries(models)
        entries["predicted"] = ANY | PREDICTION | {"marker": ""}
        if len(released):
            entries["predicted, released code"] = ANY | RELEASED
        entries["paper, Table 3"] = ANY | AROUND
        handles = handles_of(entries | machine_entries(rows))
        figure.legend(handles=handles, loc="outside lower center", ncols=3)
    return figure


FIGURE6 = figure_of_probes("figure6", "figure6", pictures)
