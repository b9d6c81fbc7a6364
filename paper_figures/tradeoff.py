"""The trade-off that the paper is about: Dice of every model against its memory, with its time as a marker's area.

The area is proportional to the runtime, but at least `SMALLEST_MARKER_PT2`; the legend says so where that applies.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter

from benchmarks.names import model_name
from benchmarks.probes.records import GIGABYTE
from benchmarks.report.run_costs import costs_of
from benchmarks.report.score_records import read_records
from benchmarks.studies.table2 import TABLE2
from paper_figures.panels import INTERVAL, axis_label, label_plainly, possible
from paper_figures.picture import figure_by_profile
from paper_figures.scores import Numbers, read_numbers
from paper_figures.style import PAGE_WIDTH_IN, model_look, settings

ROW_HEIGHT_IN = 2.5

LARGEST_MARKER_PT2 = 180
"""Area of the marker of a panel's longest runtime, in square points; other areas are in proportion."""

SMALLEST_MARKER_PT2 = 12
"""Smallest area at which colours and shapes can be distinguished, in square points."""


@dataclass(frozen=True)
class Phase:
    """A column of panels.

    Attributes:
        title: title of the panels.
        memory: column of `benchmarks.report.run_costs.costs_of` on the horizontal axis.
        time: column, in seconds, that the area of markers shows.
    """

    title: str
    memory: str
    time: str


PHASES = (
    Phase("Training", "training_allocated_bytes", "training_s"),
    Phase("Segmentation of one case", "segmentation_allocated_bytes", "segmentation_s"),
)


@dataclass(frozen=True, eq=False)
class Tradeoff:
    """The models of one data set, profile and protocol.

    Attributes:
        title: origin of the numbers.
        models: row per model: `value`, `low` and `high` of its Dice, and the medians over seeds of its costs.
        devices: devices on which the costs were measured.
        without_costs: models with a Dice but without recorded costs, which are not drawn.
    """

    title: str
    models: pd.DataFrame
    devices: Sequence[str]
    without_costs: Sequence[str] = ()


def read_tradeoffs(folder: Path) -> dict[str, list[Tradeoff]]:
    """Read accuracy and costs from a folder's records of Table 2, and return them by profile.

    A data set without recorded costs is left out, and so is a profile without any data set that has them.

    Raises:
        UserError: a file cannot be read.
    """
    costs = costs_of(read_records(folder, [TABLE2.name]))
    costs = costs.dropna(subset=[column for phase in PHASES for column in (phase.memory, phase.time)])
    by_profile = {
        profile: [tradeoff for of_data in numbers for tradeoff in _tradeoffs(of_data, costs)]
        for profile, numbers in read_numbers(TABLE2, folder).items()
    }
    return {profile: tradeoffs for profile, tradeoffs in by_profile.items() if tradeoffs}


def _tradeoffs(numbers: Numbers, costs: pd.DataFrame) -> Iterator[Tradeoff]:
    own = numbers.own(costs)
    if own.empty:
        return
    dice = numbers.rows[numbers.rows["quantity"] == "dice"].set_index("model")[["value", "low", "high"]]
    medians = own.groupby("model")[[column for phase in PHASES for column in (phase.memory, phase.time)]].median()
    order = [model for (model,) in TABLE2.layout.arrange((model,) for model in dice.index) if model in dice.index]
    drawn = [model for model in order if model in medians.index]
    devices = sorted({name for name in own["device"] if name})
    without_costs = [model for model in order if model not in medians.index]
    yield Tradeoff(numbers.title, dice.join(medians).loc[drawn], devices, without_costs)


def draw(tradeoffs: Sequence[Tradeoff]) -> Figure:
    """Draw a row of panels for each data set: Dice against the memory of training and of a segmentation."""
    with settings():
        figure = Figure(figsize=(PAGE_WIDTH_IN, 0.8 + ROW_HEIGHT_IN * len(tradeoffs)), layout="constrained")
        for part, tradeoff in zip(figure.subfigures(len(tradeoffs), 1, squeeze=False)[:, 0], tradeoffs, strict=True):
            parts = [tradeoff.title, ", ".join(tradeoff.devices)]
            if tradeoff.without_costs:
                parts.append(f"no recorded costs: {', '.join(map(model_name, tradeoff.without_costs))}")
            part.suptitle("; ".join(filter(None, parts)), x=0.01, ha="left", fontsize="medium")
            for axes, phase in zip(part.subplots(1, len(PHASES), sharey=True), PHASES, strict=True):
                _draw_phase(axes, tradeoff.models, phase)
            part.axes[0].set_ylabel(axis_label("dice"))
        models = dict.fromkeys(str(model) for tradeoff in tradeoffs for model in tradeoff.models.index)
        figure.legend(handles=[_entry(model) for model in models], loc="outside lower center", ncols=3)
    return figure


def _entry(model: str) -> Line2D:
    colour, marker = model_look(model)
    return Line2D([], [], color=colour, marker=marker, linestyle="none", markersize=6, label=model_name(model))


def _draw_phase(axes: Axes, models: pd.DataFrame, phase: Phase) -> None:
    longest = float(models[phase.time].max())

    def area(seconds: float) -> float:
        return max(SMALLEST_MARKER_PT2, LARGEST_MARKER_PT2 * seconds / longest)

    # Small markers lie above large ones.
    for model, row in models.sort_values(phase.time, ascending=False).iterrows():
        colour, marker = model_look(str(model))
        memory = row[phase.memory] / GIGABYTE
        axes.plot([memory, memory], possible("dice", [row["low"], row["high"]]), color=colour, **INTERVAL)
        axes.scatter(
            memory,
            row["value"],
            s=area(row[phase.time]),
            color=colour,
            marker=marker,
            edgecolor="white",
            linewidth=0.5,
            zorder=4,
        )
    axes.set_xscale("log")
    label_plainly(axes.xaxis)
    axes.xaxis.set_minor_formatter(FuncFormatter(_at_two_and_five))
    axes.tick_params(axis="x", which="minor", labelsize=7)
    axes.set_title(f"{phase.title}; area of markers: runtime")
    axes.set_xlabel("Peak tensor memory (GB, 10⁹ bytes)")
    axes.grid(color="0.9", linewidth=0.6)
    axes.set_axisbelow(True)
    _explain_areas(axes, models[phase.time], area)


def _at_two_and_five(memory: float, _position: int) -> str:
    """Return the label of a tick between powers of ten: twos and fives have one, since more labels would overlap."""
    return f"{memory:g}" if f"{memory:e}"[0] in "25" else ""


def _explain_areas(axes: Axes, times: pd.Series, area: Callable[[float], float]) -> None:
    """Add a legend of markers of round runtimes up to the panel's longest, and of the smallest marker if it is used.

    Args:
        axes: panel.
        times: runtimes of its models, in seconds.
        area: function that returns a marker's area for a runtime, in square points.
    """
    longest, floor = times.max(), times.max() * SMALLEST_MARKER_PT2 / LARGEST_MARKER_PT2
    labels = {time: f"{time:g} s" for time in (_round_down(longest), _round_down(longest) / 5)}
    if times.min() < floor:
        labels[floor] = f"{floor:.2g} s or less"
    handles = [
        Line2D([], [], color="0.6", marker="o", linestyle="none", markersize=math.sqrt(area(time)), label=label)
        for time, label in labels.items()
    ]
    axes.legend(handles=handles, loc="best", labelspacing=1.1, borderpad=0.8)


def _round_down(number: float) -> float:
    """Return the largest of 1, 2 and 5 times a power of ten that is no larger than a number."""
    power = 10.0 ** np.floor(np.log10(number))
    return float(power * max(digit for digit in (1, 2, 5) if digit * power <= number * (1 + 1e-9)))


TRADEOFF = figure_by_profile("tradeoff", TABLE2.name, read_tradeoffs, draw)
