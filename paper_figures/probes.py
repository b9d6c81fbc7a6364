"""Figures of memory and runtime: records as rows, the markers of machines, and axes in powers of two."""

import math
import re
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from benchmarks.markup import power_of_two, span
from benchmarks.names import model_name
from benchmarks.probes.answers import Answers
from benchmarks.probes.published import published_gigabytes
from benchmarks.probes.records import CPU, GIGABYTE, PREDICTED, slug
from benchmarks.report.probe_cells import threads_text
from paper_figures.panels import NEUTRAL, Look
from paper_figures.picture import PaperFigure, Picture, RecordFiles
from paper_figures.style import model_look

DATASET_NAMES = {"brats": "BraTS", "lits": "LiTS"}

PREDICTION: Look = {"linestyle": "-", "linewidth": 1, "zorder": 2}
MARKER_PT = 6.0
MEASUREMENT: Look = {"markersize": MARKER_PT, "markeredgewidth": 0.5, "markerfacecoloralt": "white", "zorder": 4}
PREDICTED_ENTRY: dict[str, Look] = {"predicted": NEUTRAL | PREDICTION | {"marker": ""}}
"""Legend entry of predictions."""

FILLS = ("full", "left", "bottom", "right", "top")
"""Filled part of the markers, by machine; the first machine's are full."""

ENOUGH_REPEATS = 6
"""Fewer repeats give no 95 % interval of a median, whatever their distribution."""

TITLE_CHARACTERS = 112
"""Characters per line of a title across the page in font size `medium`."""

RESULTS = ("by_part", "seconds", "median_s", "low_s", "high_s", "stages", "evaluated")
NUMBERS = ("locations", "gigabytes", "published_gigabytes", "median_s", "low_s", "high_s")
"""Columns that hold numbers, NaN where there is none."""

Split = Callable[[pd.DataFrame], Mapping[str, pd.DataFrame]]


def _all_in_one(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return all rows as those of a single picture, whose name has no ending."""
    return {"": rows}


def figure_of_probes(
    name: str, study: str, draw: Callable[[pd.DataFrame], Figure], split: Split = _all_in_one
) -> PaperFigure:
    """Return a figure of a study's records of memory or runtime.

    Args:
        name: name of the figure.
        study: name of the study.
        draw: function that draws rows of `read_probes`.
        split: function that divides the rows among pictures, by what follows `name` in the names of their files.
    """
    records = RecordFiles(study, ".jsonl", folder="efficiency")

    def pictures(folder: Path, reference: Path | None) -> list[Picture]:
        rows = read_probes(folder, study, reference)
        if rows.empty:
            return []
        sources = records.find(folder)
        if reference is not None:
            sources += records.find(reference / records.folder)
        return [Picture(f"{name}{ending}", partial(draw, part), sources) for ending, part in split(rows).items()]

    return PaperFigure(name, pictures, records)


def read_probes(folder: Path, study: str, reference: Path | None = None) -> pd.DataFrame:
    """Return a row per record of a study in a folder: predictions first, then GPUs, then the CPU.

    Records of machines that the folder has none of are taken from the reference, so that a laptop's figure has a GPU in
    it.

    Columns: the fields of `benchmarks.workload.Probe`; `resolution`, as in tables; `edge`, in voxels, of a cube with
    the same number of voxels; `kind`: `predicted`, `gpu` or `cpu`; `machine`, its name in texts, and `slug`, in file
    names; `gigabytes`, the peak of tensors, and `published_gigabytes`, that of the paper's Table 3 (10⁹ bytes);
    `failure`; and `RESULTS` of the record's `result`. None or NaN where there is no value.

    Args:
        folder: folder `efficiency` of a results folder.
        study: name of the study.
        reference: results folder of the committed reference; None for no reference.

    Raises:
        UserError: a file cannot be read.
    """
    published = published_gigabytes()
    answers = Answers.read(study, folder.parent, reference)
    rows = []
    for machine in (PREDICTED, *answers.measured):
        for probe, record in answers.by_machine.get(machine, {}).items():
            result = record.result or {}
            allocated_bytes = result.get("allocated_bytes")
            rows.append(
                {
                    **probe.plain(),
                    "resolution": probe.resolution,
                    "edge": math.prod(probe.shape) ** (1 / 3),
                    "kind": {PREDICTED: "predicted", CPU: "cpu"}.get(machine, "gpu"),
                    "machine": answers.title(machine) + (_details(record.provenance) if machine == CPU else ""),
                    "slug": slug(machine),
                    "gigabytes": None if allocated_bytes is None else allocated_bytes / GIGABYTE,
                    "published_gigabytes": published.get(replace(probe, implementation="suite")),
                    "failure": record.failure,
                    **{name: result.get(name) for name in RESULTS},
                }
            )
    frame = pd.DataFrame(rows)
    return frame if frame.empty else frame.astype(dict.fromkeys(NUMBERS, float))


def machine_fills(rows: pd.DataFrame) -> dict[str, str]:
    """Return the filled part of the markers of each machine that measured, by its name."""
    return dict(zip(rows.loc[rows["kind"] != "predicted", "machine"].unique(), FILLS, strict=False))


def draw_prediction(axes: Axes, rows: pd.DataFrame, model: str, x: str, y: str) -> None:
    """Draw a line through the predictions for one model, column `y` against column `x`."""
    predicted = _of_model(rows[rows["kind"] == "predicted"], model, x, y)
    axes.plot(predicted[x], predicted[y], color=model_look(model)[0], **PREDICTION)


def draw_measured(
    axes: Axes, rows: pd.DataFrame, model: str, x: str, y: str, fills: Mapping[str, str], size_pt: float = MARKER_PT
) -> None:
    """Draw markers of the measurements of one model by all machines, column `y` against column `x`.

    Full markers have a white edge, which separates them where they overlap. `fills` are those of `machine_fills` for
    all machines of the figure.
    """
    colour, marker = model_look(model)
    for machine, fill in fills.items():
        measured = _of_model(rows[rows["machine"] == machine], model, x, y)
        edge = "white" if fill == FILLS[0] else colour
        look: Look = {"fillstyle": fill, "markersize": size_pt, "markeredgecolor": edge, "linestyle": "none"}
        axes.plot(measured[x], measured[y], color=colour, marker=marker, **MEASUREMENT | look)


def draw_intervals(axes: Axes, rows: pd.DataFrame, x: str, colour: str) -> None:
    """Draw a bar from the lower to the upper bound of each median against column `x`."""
    bounded = rows[rows["low_s"].notna()]
    axes.vlines(bounded[x], bounded["low_s"], bounded["high_s"], color=colour, linewidth=1, zorder=3)


def scale_log2(axes: Axes, values: Sequence[float], texts: Sequence[str]) -> None:
    """Scale the horizontal axis by log2, with ticks at these values alone."""
    axes.set_xscale("log", base=2)
    axes.set_xticks(values, texts)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.margins(x=0.06)


def scale_locations(axes: Axes, rows: pd.DataFrame) -> None:
    """Scale the horizontal axis by log2, with ticks at the rows' numbers of locations."""
    locations = sorted({int(number) for number in rows["locations"].dropna()})
    scale_log2(axes, locations, [power_of_two(number) for number in locations])


def model_entries(models: Iterable[str]) -> dict[str, Look]:
    """Return legend entries of models: their colour and marker."""
    entries = {}
    for model in models:
        colour, marker = model_look(model)
        entries[model_name(model)] = MEASUREMENT | {"color": colour, "marker": marker, "linestyle": "none"}
    return entries


def machine_entries(rows: pd.DataFrame) -> dict[str, Look]:
    """Return legend entries of the machines that measured."""
    return {
        f"measured: {machine}": NEUTRAL | MEASUREMENT | {"fillstyle": fill, "linestyle": "none"}
        for machine, fill in machine_fills(rows).items()
    }


def handles_of(entries: Mapping[str, Look]) -> list[Artist]:
    """Return lines and markers for a legend, by their labels."""
    return [Line2D([], [], label=label, **look) for label, look in entries.items()]


def title_of(text: str, rows: pd.DataFrame) -> str:
    """Return a figure's title, followed by a line for each reason and machine of failures, if there are any."""
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
    """Return how the runtimes of rows were obtained; empty where there are none."""
    repeats = [len(seconds) for seconds in rows["seconds"].dropna()]
    if not repeats:
        return ""
    bars = "95 % interval" if min(repeats) >= ENOUGH_REPEATS else "range"
    return f"median of {span(repeats)} repeats (bars: {bars})"


def _details(provenance: Mapping[str, Any]) -> str:
    cpu = provenance["cpu"]
    name = " ".join(re.sub(r"\((R|TM)\)|\b(CPU|Processor)\b|@.*", " ", cpu["model"]).split())
    return f", {name}, {threads_text(cpu['torch_threads'])}"


def _of_model(rows: pd.DataFrame, model: str, x: str, y: str) -> pd.DataFrame:
    return rows[(rows["model"] == model) & rows[y].notna()].sort_values(x)
