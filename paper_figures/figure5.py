"""The paper's Figure 5: segmentation runtime against the maximum number of locations per pass, and its stages."""

import math

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from benchmarks.markup import power_of_two
from benchmarks.names import model_name
from paper_figures.panels import Look
from paper_figures.probes import (
    MEASUREMENT,
    draw_intervals,
    figure_of_probes,
    handles_of,
    repeats_text,
    scale_locations,
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
    settings,
)

INFERENCES: dict[str, tuple[str, Look]] = {
    "mise": ("original inference, as in the paper", {"color": BLUE, "marker": "o", "linestyle": "-"}),
    "paper-prior": ("improved inference, as in the paper", {"color": ORANGE, "marker": "s", "linestyle": "-"}),
    "released": ("original inference, as in the released code", {"color": BLUE, "marker": "o", "linestyle": "--"}),
    "released-prior": (
        "improved inference, as in the released code",
        {"color": ORANGE, "marker": "s", "linestyle": "--"},
    ),
}
"""Names and line looks of the inferences of Section 3.3, by extraction."""

BARS = {"mise": "original,\npaper", "paper-prior": "improved,\npaper"}
BARS |= {"released": "original,\ncode", "released-prior": "improved,\ncode"}

BARS_AT = 2**14
"""Locations per pass whose stages are shown, or the closest number: the paper's Table 3 has it, too."""

STAGES = {"encoder": SKY_BLUE, "gather": YELLOW, "decoder": GREEN, "bookkeeping": "0.6"}
"""Colours of stages, from the bottom up."""

BEST = (2**12, 2**14)
"""The paper states that runtime is constant from the first number on, and best between the two (Section 4.3)."""

HALF: Look = {"color": BLUE, "linestyle": ":", "linewidth": 1}
SHADE: Look = {"color": "0.92", "linewidth": 6}
PAPER_LINE: Look = {"color": "0.35", "linestyle": (0, (1, 1)), "linewidth": 1}

PAPER_SECONDS = 2.6
PAPER_RESOLUTION = "256x256x160"
"""Runtime of the improved inference on an RTX 2080 Ti, and its volume (Section 4.3)."""


def by_machine(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the rows of each machine."""
    return {f"-{slug}": of_machine for slug, of_machine in rows.groupby("slug", sort=False)}


def draw(rows: pd.DataFrame) -> Figure:
    """Draw runtimes on the left, with the paper's statements on them, and the stages that they consist of on the right.

    Args:
        rows: rows of `paper_figures.probes.read_probes` of one machine. Those of the most common resolution are drawn.
    """
    resolution = rows["resolution"].mode()[0]
    curves = rows[rows["resolution"] == resolution]
    segmented = curves[curves["locations"].notna()]
    first = segmented.iloc[0]
    with settings():
        figure = Figure(figsize=(PAGE_WIDTH_IN, 3.8), layout="constrained")
        machines = " and ".join(rows["machine"].unique())
        where = f"{model_name(first['model'])}, {first['resolution']}, {machines}"
        figure.suptitle(title_of(f"{where}; {repeats_text(rows)}", rows), fontsize="medium")
        times, stages = figure.subplots(1, 2, width_ratios=(5, 4))
        entries = _draw_times(times, curves)
        scale_locations(times, segmented)
        times.set_ylabel("Segmentation runtime (s)")
        times.set_ylim(bottom=0)
        times.set_xlabel("Maximum number of locations per pass")
        _draw_stages(stages, segmented[segmented["stages"].notna()])
        patches = [Patch(facecolor=colour, label=stage) for stage, colour in STAGES.items()]
        for axes, handles, columns, top in ((times, handles_of(entries), 1, -0.18), (stages, patches, 2, -0.36)):
            axes.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.5, top), ncols=columns)
    return figure


FIGURE5 = figure_of_probes("figure5", "figure5", draw, by_machine)


def _draw_times(axes: Axes, rows: pd.DataFrame) -> dict[str, Look]:
    """Draw runtimes of both inferences in both readings, of slicing and of the paper; return their legend entries."""
    timed = rows[rows["median_s"].notna()].sort_values("locations")
    entries: dict[str, Look] = {}
    for extraction, (name, look) in INFERENCES.items():
        of_extraction = timed[(timed["extraction"] == extraction) & timed["locations"].notna()]
        entries[name] = MEASUREMENT | {"linewidth": 1} | look
        axes.plot(of_extraction["locations"], of_extraction["median_s"], **entries[name])
        draw_intervals(axes, of_extraction, "locations", look["color"])
    entries["half the original: improved inference, according to the paper"] = HALF
    for original in ("mise", "released"):
        of_original = timed[timed["extraction"] == original]
        axes.plot(of_original["locations"], of_original["median_s"] / 2, **HALF)
    for index, slicing in enumerate(timed[timed["locations"].isna()].to_dict("records")):
        slices = slicing["batch_size"]
        look = {"color": model_look(slicing["model"])[0], "linestyle": ("-", "-.")[index % 2], "linewidth": 1}
        entries[f"{model_name(slicing['model'])}: {slices} slice{'' if slices == 1 else 's'} per pass"] = look
        axes.axhline(slicing["median_s"], **look)
    if (rows["kind"] == "gpu").all() and (rows["resolution"] == PAPER_RESOLUTION).all():
        entries[f"paper, improved inference: {PAPER_SECONDS} s on an RTX 2080 Ti"] = PAPER_LINE
        axes.axhline(PAPER_SECONDS, **PAPER_LINE)
    entries[f"paper: constant from {power_of_two(BEST[0])} on, best up to {power_of_two(BEST[1])}"] = SHADE
    axes.axvspan(*BEST, color=SHADE["color"], zorder=0)
    return entries


def _draw_stages(axes: Axes, rows: pd.DataFrame) -> None:
    """Draw a stacked bar for each extraction, below the number of locations that it evaluates."""
    at = min(rows["locations"], key=lambda locations: abs(math.log2(locations / BARS_AT)), default=BARS_AT)
    shown = rows[rows["locations"] == at].set_index("extraction")
    for place, extraction in enumerate(BARS):
        if extraction not in shown.index:
            continue
        row = shown.loc[extraction]
        bottom = 0.0
        for stage, colour in STAGES.items():
            axes.bar(place, row["stages"][stage], 0.7, bottom, color=colour, linewidth=0)
            bottom += row["stages"][stage]
        axes.annotate(
            f"{sum(row['evaluated']):,}",
            (place, bottom),
            (0, 2),
            textcoords="offset points",
            horizontalalignment="center",
            fontsize="small",
        )
    axes.set_xticks(range(len(BARS)), list(BARS.values()))
    axes.set_xlabel(f"{power_of_two(int(at))} locations per pass;\nabove bars: locations evaluated")
    axes.set_ylabel("Runtime by stage (s)")
