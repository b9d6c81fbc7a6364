"""Memory and time against the resolution of the volume, for every model: the paper's central claim as a picture."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from benchmarks.efficiency.cells import GIGABYTE
from benchmarks.markup import power_of_two
from benchmarks.tables import MODEL_NAMES
from paper_figures.panels import ANY
from paper_figures.picture import Picture
from paper_figures.probes import (
    PREDICTION,
    draw_model,
    figure_of_probes,
    handles_of,
    log2_axis,
    machine_entries,
    machine_fills,
    model_entries,
    repeats_text,
    title_of,
)
from paper_figures.style import PAGE_WIDTH_IN, settings

GPU_SIZES_GB = (8, 16, 24, 80)
"""Of a mid-range consumer GPU, of those that the paper trained on, of a large consumer GPU and of a data centre's."""

GPU_COLOUR = "0.75"

PHASES = {"training": "Training step", "inference": "One pass at inference", "extraction": "Whole segmentation"}
OF_MEMORY = ("training", "inference")

APART = 0.05
"""Between the models' measurements, in powers of two."""


def pictures(rows: pd.DataFrame, sources: Sequence[Path]) -> list[Picture]:
    """One, with all machines."""
    return [Picture("scaling", partial(draw, rows), sources)]


def draw(rows: pd.DataFrame) -> Figure:
    """Above memory, predicted and measured, with the sizes of GPUs; below time as measured; on scales of logarithms.

    Measurements of different models stand a little apart, since those of A to D are nearly the same.

    Args:
        rows: of `paper_figures.probes.read_probes`.
    """
    models = [model for model in MODEL_NAMES if model in set(rows["model"])]
    apart = rows["model"].map({model: APART * (place - (len(models) - 1) / 2) for place, model in enumerate(models)})
    rows = rows.assign(
        gigabytes=rows["allocated_bytes"] / GIGABYTE,
        place=rows["edge"] * 2 ** apart.where(rows["kind"] != "predicted", 0),
    )
    edges = sorted({round(edge) for edge in rows["edge"]})
    per_pass = ", ".join(power_of_two(int(number)) for number in sorted(rows["locations"].dropna().unique()))
    text = f"{per_pass} locations, or one slice of the slicing U-Net, at a time"
    times = repeats_text(rows)
    with settings():
        figure = Figure(figsize=(PAGE_WIDTH_IN, 5.4), layout="constrained")
        figure.suptitle(title_of(f"{text}; {times}" if times else text, rows), fontsize="medium")
        panels = figure.subplots(2, len(PHASES), sharey="row")
        for (phase, title), (memory, time) in zip(PHASES.items(), panels.T, strict=True):
            _draw_panel(time, rows[rows["phase"] == phase], "median_s", edges, machine_fills(rows))
            time.set_xlabel("Resolution (voxels)")
            if phase in OF_MEMORY:
                _draw_panel(memory, rows[rows["phase"] == phase], "gigabytes", edges, machine_fills(rows))
                _draw_gpu_sizes(memory)
                memory.set_title(title)
            else:
                time.set_title(title)
        panels[0, 0].set_ylabel("Peak of tensors (GB of 10⁹ bytes)")
        panels[1, 0].set_ylabel("Time (s)")
        corner = panels[0, -1]
        corner.set_axis_off()
        entries = model_entries(models) | {"predicted": ANY | PREDICTION | {"marker": ""}} | machine_entries(rows)
        corner.legend(handles=handles_of(entries), loc="center", handlelength=1.5)
    return figure


SCALING = figure_of_probes("scaling", "scaling", pictures)


def _draw_panel(axes: Axes, rows: pd.DataFrame, y: str, edges: Sequence[int], fills: Mapping[str, str]) -> None:
    for model in MODEL_NAMES:
        draw_model(axes, rows, model, "place", y, fills)
    if rows[y].isna().all():
        axes.text(0.5, 0.5, "not measured", transform=axes.transAxes, ha="center", style="italic")
    log2_axis(axes, edges, [f"{edge}³" for edge in edges])
    axes.set_xlim(edges[0] / 1.4, edges[-1] * 1.4)
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _draw_gpu_sizes(axes: Axes) -> None:
    for size in GPU_SIZES_GB:
        axes.axhline(size, color=GPU_COLOUR, linewidth=0.6, zorder=1)
        axes.text(
            0.01, size, f"{size} GB", transform=axes.get_yaxis_transform(), fontsize="x-small", color="0.4", va="bottom"
        )
