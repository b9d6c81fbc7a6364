"""Memory and runtime of every model against the resolution of the volume: the paper's central claim as a figure."""

import textwrap

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.markup import power_of_two
from benchmarks.names import MODEL_NAMES, model_name
from benchmarks.studies.scaling import VOXELISED
from ossnet.network.resolution import encoder_channels
from paper_figures.curves import Curve, draw_curves, name_ends, write_names
from paper_figures.panels import label_plainly
from paper_figures.probes import (
    PREDICTED_ENTRY,
    draw_intervals,
    draw_measured,
    figure_of_probes,
    handles_of,
    machine_entries,
    machine_fills,
    model_entries,
    repeats_text,
    scale_log2,
    title_of,
)
from paper_figures.style import PAGE_WIDTH_IN, model_look, settings

GPU_SIZES_GB = (8, 16, 24, 80)
"""Memory of a mid-range consumer GPU, the paper's training GPUs, a large consumer GPU and a data-centre GPU."""

GPU_COLOUR = "0.55"

MARKERS_PT = (9.0, 4.0)
"""Sizes of the first and the last model's markers: where models are equal, one marker is seen around the other."""

ROOM = (5.5, 7.0)
"""Factors by which the axis extends below and above the resolutions, for names of GPU sizes and of curves."""

NOTE_CHARACTERS = 145
ENTRY_CHARACTERS = 28
"""Characters per line of the note below, and of the legend."""

LEGEND_COLUMNS = 4

TITLE = "Memory and runtime by volume resolution"
PHASES = {"training": "training step", "inference": "one evaluation", "extraction": "whole segmentation"}


def draw(rows: pd.DataFrame) -> Figure:
    """Draw predicted and measured memory above, with the sizes of GPUs, and measured runtime below, on log axes.

    Where a GPU has measured memory, that of the CPU is left out, since its tensors are counted in the same way as those
    of the prediction. The memory of a U-Net's segmentation is that of its evaluation.

    Args:
        rows: rows of `paper_figures.probes.read_probes`.
    """
    rows = rows.copy()
    if rows.loc[rows["kind"] == "gpu", "gigabytes"].notna().any():
        rows.loc[rows["kind"] == "cpu", "gigabytes"] = np.nan
    evaluations = rows["model"].isin(VOXELISED) & (rows["phase"] == "inference") & rows["gigabytes"].notna()
    rows = pd.concat([rows, rows[evaluations].assign(phase="extraction")], ignore_index=True)
    times = repeats_text(rows)
    with settings():
        figure = Figure(figsize=(PAGE_WIDTH_IN, 7.0), layout="constrained")
        figure.suptitle(title_of(f"{TITLE}; runtime: {times}" if times else TITLE, rows), fontsize="medium")
        grid = figure.add_gridspec(3, len(PHASES), height_ratios=(6, 5, 1))
        above, below = np.asarray(grid[:2, :].subgridspec(2, len(PHASES), height_ratios=(6, 5)).subplots(sharey="row"))
        memory, time = dict(zip(PHASES, above, strict=True)), dict(zip(PHASES, below, strict=True))
        first, last = _edges(rows)[0], _edges(rows)[-1]
        sizes = [Curve(f"{size} GB", GPU_COLOUR, [(first, size)]) for size in GPU_SIZES_GB]
        curves = {}
        for phase, axes in memory.items():
            curves[axes] = _draw_panel(axes, rows, phase, "gigabytes")
            axes.hlines(GPU_SIZES_GB, first, last, color=GPU_COLOUR, linewidth=0.6, zorder=1)
            axes.set_title(f"Memory, {PHASES[phase]}")
        for phase, axes in time.items():
            curves[axes] = _draw_panel(axes, rows, phase, "median_s")
            axes.set_title(f"Runtime, {PHASES[phase]}")
            axes.set_xlabel("Resolution (voxels per side)")
        above[0].set_ylabel("Peak tensor memory (GB, 10⁹ bytes)")
        below[0].set_ylabel("Runtime (s)")
        _draw_legend(figure.add_subplot(grid[2, :]), rows)
        figure.supxlabel(_note(rows), x=0.01, horizontalalignment="left", fontsize="small")
        # Names are spread by their places in the finished layout.
        figure.draw_without_rendering()
        for axes, by_machine in curves.items():
            # Models have the same colours on all machines, so one names them; GPUs come first.
            for of_machine in by_machine[:1]:
                name_ends(axes, of_machine)
        for axes in above:
            write_names(axes, sizes, left=True)
    return figure


SCALING = figure_of_probes("scaling", "scaling", draw)


def _draw_panel(axes: Axes, rows: pd.DataFrame, phase: str, y: str) -> list[list[Curve]]:
    """Draw column `y` of a phase against the resolution, and return the curves by machine.

    Curves go through predictions of memory, or through measured runtimes.
    """
    models, edges, fills = _models(rows), _edges(rows), machine_fills(rows)
    shown = rows[(rows["phase"] == phase) & rows[y].notna()]
    joined = shown[(shown["kind"] == "predicted") == (y == "gigabytes")]
    curves = [
        [
            Curve(_short_name(model), model_look(model)[0], list(zip(of_model["edge"], of_model[y], strict=True)))
            for model in models
            if len(of_model := of_machine[of_machine["model"] == model].sort_values("edge"))
        ]
        for _, of_machine in joined.groupby("machine", sort=False)
    ]
    draw_curves(axes, [curve for of_machine in curves for curve in of_machine])
    for model, size_pt in zip(models, np.linspace(*MARKERS_PT, len(models)), strict=True):
        draw_measured(axes, shown, model, "edge", y, fills, size_pt)
        if y == "median_s":
            draw_intervals(axes, shown[shown["model"] == model], "edge", model_look(model)[0])
    if shown.empty:
        axes.text(0.5, 0.5, "not measured", transform=axes.transAxes, ha="center", style="italic")
    scale_log2(axes, edges, [str(edge) for edge in edges])
    axes.tick_params(axis="x", labelsize=6)
    axes.set_xlim(edges[0] / ROOM[0], edges[-1] * ROOM[1])
    if rows[y].isna().all():
        axes.set_yticks([])
        return []
    axes.set_yscale("log")
    axes.margins(y=0.08)
    label_plainly(axes.yaxis)
    return curves


def _draw_legend(axes: Axes, rows: pd.DataFrame) -> None:
    entries = model_entries(_models(rows)) | PREDICTED_ENTRY | machine_entries(rows)
    entries["memory sizes of GPUs"] = {"color": GPU_COLOUR, "linewidth": 0.6}
    wrapped = {textwrap.fill(label, ENTRY_CHARACTERS): look for label, look in entries.items()}
    axes.set_axis_off()
    axes.legend(handles=handles_of(wrapped), loc="center", ncols=LEGEND_COLUMNS, handlelength=1.5)


def _note(rows: pd.DataFrame) -> str:
    """Return a note on the phases, and on what changes with the resolution apart from the volume."""
    per_pass = ", ".join(power_of_two(int(number)) for number in sorted(rows["locations"].dropna().unique()))
    edges = _edges(rows)
    encoders = (f"{'-'.join(map(str, encoder_channels((edge,) * 3)))} at {edge}³" for edge in (edges[0], edges[-1]))
    lines = (
        f"Training: one volume (2D U-Net: one slice). Evaluation: {per_pass} locations "
        "(U-Nets: all voxels, 2D one slice per pass, which is their whole segmentation).",
        "With each doubling of the resolution, encoders of occupancy networks gain a block with half as many filters "
        f"({', '.join(encoders)}), which flattens their curves; U-Nets do not. Predictions assume a workspace of "
        "convolutions.",
    )
    return "\n".join(textwrap.fill(line, NOTE_CHARACTERS) for line in lines)


def _models(rows: pd.DataFrame) -> list[str]:
    return [model for model in MODEL_NAMES if model in set(rows["model"])]


def _edges(rows: pd.DataFrame) -> list[int]:
    return sorted({round(edge) for edge in rows["edge"]})


def _short_name(model: str) -> str:
    """Return a model's name without what all of its kind share: `3D U-Net`, or `A` for OSS-Net A."""
    return model_name(model).removeprefix("OSS-Net ").replace(" residual", "").partition(",")[0]
