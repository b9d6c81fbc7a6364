"""The paper's Figure 5: runtime of a segmentation against the most locations of a pass, and what it goes into."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from benchmarks.markup import power_of_two
from paper_figures.panels import Look
from paper_figures.picture import Picture
from paper_figures.probes import (
    MEASUREMENT,
    draw_intervals,
    figure_of_probes,
    handles_of,
    locations_axis,
    repeats_text,
    title_of,
)
from paper_figures.style import (
    BLUE,
    GREEN,
    ORANGE,
    PAGE_WIDTH_IN,
    SKY_BLUE,
    YELLOW,
    model_look,
    model_name,
    settings,
)

INFERENCES: dict[str, tuple[str, Look]] = {
    "mise": ("original inference", {"color": BLUE, "marker": "o", "linestyle": "--"}),
    "prior": ("improved inference", {"color": ORANGE, "marker": "s", "linestyle": "-"}),
}
"""Of Section 3.3, by extraction; the look is that of lines."""

HATCH = "////"
"""Of the original inference's stages."""

STAGES = {"encoder": SKY_BLUE, "gather": YELLOW, "decoder": GREEN, "bookkeeping": "0.6"}
"""Colours by stage, from the bottom up."""

BEST = (2**12, 2**14)
"""Runtimes are constant from the first on, the paper states, and what lies between is best (Section 4.3)."""

HALF: Look = {"color": BLUE, "linestyle": ":", "linewidth": 1}
SHADE: Look = {"color": "0.92", "linewidth": 6}
PAPER_LINE: Look = {"color": "0.35", "linestyle": (0, (1, 1)), "linewidth": 1}

PAPER_SECONDS = 2.6
PAPER_RESOLUTION = "256x256x160"
"""The improved inference takes so long on an RTX 2080 Ti (Section 4.3)."""


def pictures(rows: pd.DataFrame, sources: Sequence[Path]) -> list[Picture]:
    """One for each machine."""
    return [
        Picture(f"figure5-{slug}", partial(draw, of_machine), sources)
        for slug, of_machine in rows.groupby("slug", sort=False)
    ]


def draw(rows: pd.DataFrame) -> Figure:
    """On the left runtimes, with what the paper states of them; on the right the stages that they are spent in.

    Args:
        rows: of `paper_figures.probes.read_probes`, of one machine.
    """
    segmented = rows[rows["locations"].notna()]
    first = segmented.iloc[0]
    with settings():
        figure = Figure(figsize=(PAGE_WIDTH_IN, 3.8), layout="constrained")
        where = f"{model_name(first['model'])}, {first['resolution']}, {first['machine']}"
        figure.suptitle(title_of(f"{where}; {repeats_text(rows)}", rows), fontsize="medium")
        times, stages = figure.subplots(1, 2, sharey=True)
        entries = _draw_times(times, rows)
        locations_axis(times, segmented)
        times.set_ylabel("Runtime of a segmentation (s)")
        times.set_ylim(bottom=0)
        _draw_stages(stages, segmented[segmented["stages"].notna()])
        patches = [
            *(Patch(facecolor=colour, label=stage) for stage, colour in STAGES.items()),
            Patch(facecolor="white", edgecolor="0.4", hatch=HATCH, label=INFERENCES["mise"][0]),
            Patch(facecolor="white", edgecolor="0.4", label=INFERENCES["prior"][0]),
        ]
        for axes, handles, columns in ((times, handles_of(entries), 1), (stages, patches, 2)):
            axes.set_xlabel("Maximum locations per pass")
            axes.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.5, -0.18), ncols=columns)
    return figure


FIGURE5 = figure_of_probes("figure5", "figure5", pictures)


def _draw_times(axes: Axes, rows: pd.DataFrame) -> dict[str, Look]:
    """Runtimes of both inferences, of slicing and of the paper; their legend."""
    timed = rows[rows["median_s"].notna()].sort_values("locations")
    entries: dict[str, Look] = {}
    for extraction, (name, look) in INFERENCES.items():
        of_extraction = timed[(timed["extraction"] == extraction) & timed["locations"].notna()]
        entries[name] = MEASUREMENT | {"linewidth": 1} | look
        axes.plot(of_extraction["locations"], of_extraction["median_s"], **entries[name])
        draw_intervals(axes, of_extraction, "locations", look["color"])
    original = timed[timed["extraction"] == "mise"]
    entries["half of the original: what the paper states of the improved"] = HALF
    axes.plot(original["locations"], original["median_s"] / 2, **HALF)
    for index, slicing in enumerate(timed[timed["locations"].isna()].to_dict("records")):
        slices = slicing["batch_size"]
        look = {"color": model_look(slicing["model"])[0], "linestyle": ("-", "-.")[index % 2], "linewidth": 1}
        entries[f"{model_name(slicing['model'])}: {slices} slice{'' if slices == 1 else 's'} a pass"] = look
        axes.axhline(slicing["median_s"], **look)
    if (rows["kind"] == "gpu").all() and (rows["resolution"] == PAPER_RESOLUTION).all():
        entries[f"paper, improved: {PAPER_SECONDS} s on an RTX 2080 Ti"] = PAPER_LINE
        axes.axhline(PAPER_SECONDS, **PAPER_LINE)
    entries[f"from {power_of_two(BEST[0])} on constant, best up to {power_of_two(BEST[1])}, the paper states"] = SHADE
    axes.axvspan(*BEST, color=SHADE["color"], zorder=0)
    return entries


def _draw_stages(axes: Axes, rows: pd.DataFrame) -> None:
    """A pair of stacked bars for each number of locations."""
    locations = sorted({int(number) for number in rows["locations"]})
    for extraction, shift, hatch in (("mise", -0.2, HATCH), ("prior", 0.2, "")):
        of_extraction = rows[rows["extraction"] == extraction]
        places = np.array([locations.index(number) for number in of_extraction["locations"]]) + shift
        bottom = np.zeros(len(places))
        for stage, colour in STAGES.items():
            seconds = np.array([stages[stage] for stages in of_extraction["stages"]])
            axes.bar(places, seconds, 0.36, bottom, color=colour, hatch=hatch, edgecolor="white", linewidth=0)
            bottom += seconds
    axes.set_xticks(range(len(locations)), [power_of_two(number) for number in locations])
