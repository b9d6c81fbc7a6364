"""What figures of memory and time share: records as rows, the marks of machines, and axes in powers of two."""

import math
import re
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from benchmarks.markup import power_of_two, span
from benchmarks.probes.answers import Answers
from benchmarks.probes.published import published_gigabytes
from benchmarks.probes.records import CPU, GIGABYTE, PREDICTED, slug
from benchmarks.report.probe_cells import threads_text
from paper_figures import picture
from paper_figures.panels import ANY, Look
from paper_figures.picture import PaperFigure, Picture, RecordFiles
from paper_figures.style import model_look, model_name

DATASET_NAMES = {"brats": "BraTS", "lits": "LiTS"}

PREDICTION: Look = {"linestyle": "-", "linewidth": 1, "zorder": 2}
MARKER_PT = 6.0
MEASUREMENT: Look = {"markersize": MARKER_PT, "markeredgewidth": 0.5, "markerfacecoloralt": "white", "zorder": 4}

FILLS = ("full", "left", "bottom", "right", "top")
"""Which part of its markers a machine fills: the first machine all of them."""

ENOUGH_REPEATS = 6
"""Fewer give no interval of 95 %, whatever their distribution."""

TITLE_CHARACTERS = 112
"""In a line of a title across the page in font size `medium`."""

RESULTS = ("allocated_bytes", "by_part", "seconds", "median_s", "low_s", "high_s", "stages", "evaluated")
NUMBERS = ("locations", "published_bytes", "allocated_bytes", "median_s", "low_s", "high_s")
"""Columns that are numbers, NaN where there is none."""

PicturesOf = Callable[[pd.DataFrame, Sequence[Path]], Sequence[Picture]]


def figure_of_probes(study: str, name: str, pictures: PicturesOf) -> PaperFigure:
    """A figure of a study of memory or time.

    Args:
        pictures: those that can be made of its rows (see `read_probes`) and the files that these come from.
    """
    records = RecordFiles(study, ".jsonl", folder="efficiency")

    def pictures_of(folder: Path) -> Sequence[Picture]:
        rows = read_probes(folder, study)
        sources = [*records.find(folder), *records.find(picture.REFERENCE / records.folder)]
        return [] if rows.empty else pictures(rows, sources)

    return PaperFigure(name, pictures_of, records)


def read_probes(folder: Path, study: str) -> pd.DataFrame:
    """A row a record of a study in a folder: predictions first, then GPUs, then the CPU.

    Records of machines that the folder has none of are taken from the committed reference, so that a laptop's figure
    has a GPU in it.

    Columns: the fields of `benchmarks.study.Probe`; `resolution`, as tables write it; `edge` in voxels, of a
    cube with as many; `kind`: `predicted`, `gpu` or `cpu`; `machine` as people call it, and `slug` as files do;
    `published_bytes`, what the paper's Table 3 has for the same; `failure`, and `RESULTS` of the record's `result`.
    None or NaN where there is nothing.

    Raises:
        UserError: a file cannot be read.
    """
    published = published_gigabytes()
    answers = Answers.read(study, folder.parent, picture.REFERENCE)
    rows = []
    for machine in (PREDICTED, *answers.measured):
        for probe, record in answers.by_machine.get(machine, {}).items():
            gigabytes = published.get(replace(probe, implementation="suite"))
            result = record.result or {}
            rows.append(
                {
                    **probe.plain(),
                    "resolution": probe.resolution,
                    "edge": math.prod(probe.shape) ** (1 / 3),
                    "kind": {PREDICTED: "predicted", CPU: "cpu"}.get(machine, "gpu"),
                    "machine": answers.title(machine) + (_details(record.provenance) if machine == CPU else ""),
                    "slug": slug(machine),
                    "published_bytes": None if gigabytes is None else gigabytes * GIGABYTE,
                    "failure": record.failure,
                    **{name: result.get(name) for name in RESULTS},
                }
            )
    frame = pd.DataFrame(rows)
    return frame if frame.empty else frame.astype(dict.fromkeys(NUMBERS, float))


def machine_fills(rows: pd.DataFrame) -> dict[str, str]:
    """How the markers of each machine that measured are filled, by its name."""
    return dict(zip(rows.loc[rows["kind"] != "predicted", "machine"].unique(), FILLS, strict=False))


def draw_prediction(axes: Axes, rows: pd.DataFrame, model: str, x: str, y: str) -> None:
    """A line through one model's predictions of a column over another."""
    predicted = _of_model(rows[rows["kind"] == "predicted"], model, x, y)
    axes.plot(predicted[x], predicted[y], color=model_look(model)[0], **PREDICTION)


def draw_measured(
    axes: Axes, rows: pd.DataFrame, model: str, x: str, y: str, fills: Mapping[str, str], size_pt: float = MARKER_PT
) -> None:
    """Markers of what machines measured of one model, a column over another.

    Full markers have a white edge, so that one on another can be told.

    Args:
        fills: of the figure's machines, see `machine_fills`.
    """
    colour, marker = model_look(model)
    for machine, fill in fills.items():
        measured = _of_model(rows[rows["machine"] == machine], model, x, y)
        edge = "white" if fill == FILLS[0] else colour
        look: Look = {"fillstyle": fill, "markersize": size_pt, "markeredgecolor": edge, "linestyle": "none"}
        axes.plot(measured[x], measured[y], color=colour, marker=marker, **MEASUREMENT | look)


def draw_intervals(axes: Axes, rows: pd.DataFrame, x: str, colour: str) -> None:
    """A bar from the lower to the upper bound of each median."""
    bounded = rows[rows["low_s"].notna()]
    axes.vlines(bounded[x], bounded["low_s"], bounded["high_s"], color=colour, linewidth=1, zorder=3)


def log2_axis(axes: Axes, values: Sequence[float], texts: Sequence[str]) -> None:
    """A first axis on a scale of log2, with ticks at these values alone."""
    axes.set_xscale("log", base=2)
    axes.set_xticks(values, texts)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.margins(x=0.06)


def locations_axis(axes: Axes, rows: pd.DataFrame) -> None:
    """A first axis of the rows' numbers of locations."""
    locations = sorted({int(number) for number in rows["locations"].dropna()})
    log2_axis(axes, locations, [power_of_two(number) for number in locations])


def model_entries(models: Iterable[str]) -> dict[str, Look]:
    """Legend entries of models: their colour and marker."""
    entries = {}
    for model in models:
        colour, marker = model_look(model)
        entries[model_name(model)] = MEASUREMENT | {"color": colour, "marker": marker, "linestyle": "none"}
    return entries


def machine_entries(rows: pd.DataFrame) -> dict[str, Look]:
    """Legend entries of the machines that measured."""
    return {
        f"measured: {machine}": ANY | MEASUREMENT | {"fillstyle": fill, "linestyle": "none"}
        for machine, fill in machine_fills(rows).items()
    }


def handles_of(entries: Mapping[str, Look]) -> list[Artist]:
    """Lines and markers of a legend, by their labels."""
    return [Line2D([], [], label=label, **look) for label, look in entries.items()]


def title_of(text: str, rows: pd.DataFrame) -> str:
    """A figure's title, and below it what failed and why, if anything did."""
    found: dict[str, dict[str, list[str]]] = {}
    for probe in rows[rows["failure"].notna()].to_dict("records"):
        where = f"{probe['failure']} on {probe['machine']}"
        what = f"{model_name(probe['model'])} at {probe['resolution']}"
        found.setdefault(where, {}).setdefault(what, []).append(probe["phase"])
    failures = [
        f"{where}: " + "; ".join(f"{what} ({', '.join(dict.fromkeys(phases))})" for what, phases in whats.items())
        for where, whats in found.items()
    ]
    return "\n".join(textwrap.fill(line, TITLE_CHARACTERS) for line in (text, *failures))


def repeats_text(rows: pd.DataFrame) -> str:
    """How the times of rows came about; empty where there is none."""
    repeats = [len(seconds) for seconds in rows["seconds"].dropna()]
    if not repeats:
        return ""
    bars = "its 95 % interval" if min(repeats) >= ENOUGH_REPEATS else "smallest to largest"
    return f"median of {span(repeats)} repeats (bars: {bars})"


def _details(provenance: Mapping[str, Any]) -> str:
    cpu = provenance["cpu"]
    name = " ".join(re.sub(r"\((R|TM)\)|\b(CPU|Processor)\b|@.*", " ", cpu["model"]).split())
    return f", {name}, {threads_text(cpu['torch_threads'])}"


def _of_model(rows: pd.DataFrame, model: str, x: str, y: str) -> pd.DataFrame:
    return rows[(rows["model"] == model) & rows[y].notna()].sort_values(x)
