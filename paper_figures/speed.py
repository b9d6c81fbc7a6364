"""Times and memory of OSS-Net by the released code, the plain path and this suite, as in the study `speed`."""

from collections.abc import Sequence
from statistics import median

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from benchmarks.markup import power_of_two
from benchmarks.names import model_name
from benchmarks.studies.speed import INFERENCE_WAYS, TRAINING_WAYS
from paper_figures.panels import Look, label_plainly
from paper_figures.probes import DATASET_NAMES, figure_of_probes, handles_of, title_of
from paper_figures.style import BLUE, GREEN, ORANGE, PAGE_WIDTH_IN, PURPLE, SKY_BLUE, settings

WAY_LOOKS: dict[str, Look] = {
    "released code": {"color": "0.45", "marker": "s"},
    "plain": {"color": ORANGE, "marker": "o"},
    "checkpointing": {"color": SKY_BLUE, "marker": "D"},
    "lean": {"color": BLUE, "marker": "v"},
    "leanest": {"color": PURPLE, "marker": "^"},
    "suite": {"color": GREEN, "marker": "P"},
}
"""Colour and marker of each way to do the work."""

MARKER: Look = {"linestyle": "none", "markersize": 6, "markeredgecolor": "white", "markeredgewidth": 0.5}

Point = tuple[str, str, float]
"""Work, way, and the time or memory that it takes."""


def by_machine(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the rows of each machine that has measured, with the predictions."""
    predicted = rows[rows["kind"] == "predicted"]
    measured = rows[rows["kind"] != "predicted"]
    return {f"-{slug}": pd.concat([predicted, part]) for slug, part in measured.groupby("slug", sort=False)}


def draw(rows: pd.DataFrame) -> Figure:
    """Draw median times on the left and predicted peaks of memory on the right, both on logarithmic axes.

    Args:
        rows: rows of `paper_figures.probes.read_probes` of one machine, with the predictions.
    """
    measured = rows[rows["kind"] != "predicted"]
    times, memory = _times(measured), _memory(rows[rows["kind"] == "predicted"])
    with settings():
        figure = Figure(figsize=(PAGE_WIDTH_IN, 4.6), layout="constrained")
        machine = measured["machine"].iloc[0]
        figure.suptitle(title_of(f"Times on {machine}, and predicted memory", rows), fontsize="medium")
        left, right = figure.subplots(1, 2)
        _draw_points(left, times)
        left.set_xlabel("Time (s)")
        _draw_points(right, memory)
        right.set_xlabel("Peak of all tensors (GB, 10⁹ bytes)")
        handles = handles_of({way: MARKER | look for way, look in WAY_LOOKS.items()})
        figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    return figure


SPEED = figure_of_probes("speed", "speed", draw, by_machine)


def _times(rows: pd.DataFrame) -> list[Point]:
    points = []
    for probe in rows[rows["seconds"].notna()].to_dict("records"):
        work = f"{probe['phase']},\n{power_of_two(int(probe['locations']))} locations"
        if probe["phase"] == "extraction":
            work = f"extraction\n{probe['extraction']}"
        for way, seconds in probe["seconds"].items():
            points.append((work, "released code" if way == "released" else way, median(seconds)))
    return points


def _memory(rows: pd.DataFrame) -> list[Point]:
    points = []
    for probe in rows[rows["gigabytes"].notna()].to_dict("records"):
        names = TRAINING_WAYS if probe["phase"] == "training" else INFERENCE_WAYS
        work = f"{probe['phase']},\n{model_name(probe['model'])}, {DATASET_NAMES[probe['dataset']]}"
        points.append((work, names[probe["implementation"]], float(probe["gigabytes"])))
    return points


def _draw_points(axes: Axes, points: Sequence[Point]) -> None:
    """Draw a row of markers for each work, one for each way."""
    works = list(dict.fromkeys(work for work, *_ in points))
    for way, look in WAY_LOOKS.items():
        of_way = [(length, works.index(work)) for work, other, length in points if other == way]
        if of_way:
            axes.plot(*zip(*of_way, strict=True), **MARKER | look)
    axes.set_yticks(range(len(works)), works)
    axes.set_ylim(len(works) - 0.5, -0.5)
    axes.yaxis.grid(True, color="0.9", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.set_xscale("log")
    axes.margins(x=0.08)
    label_plainly(axes.xaxis)
    axes.xaxis.set_minor_formatter(NullFormatter())
