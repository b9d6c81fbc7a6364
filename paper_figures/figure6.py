"""The paper's Figure 6: memory of one pass of O-Net and OSS-Net C against its number of locations."""

import pandas as pd
from matplotlib.figure import Figure

from paper_figures.panels import NEUTRAL, PAPER, Look, label_plainly
from paper_figures.probes import (
    PREDICTED_ENTRY,
    PREDICTION,
    draw_measured,
    draw_prediction,
    figure_of_probes,
    handles_of,
    machine_entries,
    machine_fills,
    model_entries,
    scale_locations,
    title_of,
)
from paper_figures.style import PAGE_WIDTH_IN, model_look, settings

RELEASED: Look = PREDICTION | {"linestyle": "--", "marker": ""}

PUBLISHED: Look = PAPER | {"markersize": 10, "zorder": 5}
"""Look of the paper's numbers: open markers, which surround those of measurements where both are the same."""


def draw(rows: pd.DataFrame) -> Figure:
    """Draw peaks of this suite, predicted and measured, predictions for the released code, and the paper's Table 3.

    Args:
        rows: rows of `paper_figures.probes.read_probes`.
    """
    suite, released = (rows[rows["implementation"] == name] for name in ("suite", "released"))
    models = rows["model"].unique()
    with settings():
        figure = Figure(figsize=(PAGE_WIDTH_IN, 3.6), layout="constrained")
        text = f"Peak tensor memory of one pass, encoder included, {rows['resolution'].iloc[0]}"
        if "cpu" in set(rows["kind"]):
            text += "; on a CPU with the volume, which stays in host memory"
        figure.suptitle(title_of(text, rows), fontsize="medium")
        axes = figure.subplots()
        for model in models:
            colour, marker = model_look(model)
            draw_prediction(axes, suite, model, "locations", "gigabytes")
            draw_measured(axes, suite, model, "locations", "gigabytes", machine_fills(rows))
            of_model = released[released["model"] == model].sort_values("locations")
            axes.plot(of_model["locations"], of_model["gigabytes"], color=colour, **RELEASED)
            published = rows[(rows["model"] == model) & rows["published_gigabytes"].notna()]
            published = published.drop_duplicates("locations")
            look = PUBLISHED | {"marker": marker}
            axes.plot(published["locations"], published["published_gigabytes"], color=colour, **look)
        scale_locations(axes, rows)
        axes.set_yscale("log", base=2)
        label_plainly(axes.yaxis)
        axes.set_xlabel("Locations per pass")
        axes.set_ylabel("Memory (GB, 10⁹ bytes)")
        entries = model_entries(models) | PREDICTED_ENTRY
        if len(released):
            entries["predicted, released code"] = NEUTRAL | RELEASED
        entries["paper, Table 3"] = NEUTRAL | PUBLISHED
        handles = handles_of(entries | machine_entries(rows))
        figure.legend(handles=handles, loc="outside lower center", ncols=3)
    return figure


FIGURE6 = figure_of_probes("figure6", "figure6", draw)
