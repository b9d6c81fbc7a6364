"""Forest plots: the differences of rows of a table from a baseline, with their simultaneous intervals.

`read_forests` reads the differences of a study whose layout has a baseline, and `draw` draws them. A figure with other
rows, or with more to show, makes `Forest` itself, or uses `draw_effects` for a panel of its own.
"""

import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from benchmarks.layout import Layout, Row
from benchmarks.report.comparisons import compare_rows, layout_of_pairs
from benchmarks.report.score_records import records_of, scores_of
from benchmarks.study import Study
from ossnet.evaluation.quantities import COST_QUANTITIES, QUANTITIES
from paper_figures.panels import (
    PANELS_PER_LINE,
    Look,
    axis_label,
    possible,
    remark_on,
    shown_quantities,
    shown_rows,
    why_missing,
)
from paper_figures.scores import Numbers, read_numbers
from paper_figures.style import BLUE, PAGE_WIDTH_IN, VERMILION, settings

ROW_HEIGHT_IN = 0.2
LINE_IN = 0.12
LABELS_IN = 0.65
TITLE_IN = 0.35
LEGEND_IN = 0.4
"""Heights of a row, of each further line of its label, of what is above and below the rows of a panel, of a title and
of the legend, in inches.
"""

BETTER: Look = {"color": BLUE, "marker": "o"}
WORSE: Look = {"color": VERMILION, "marker": "s"}
UNDECIDED: Look = {"color": "0.35", "marker": "o", "markerfacecolor": "white"}
ALONE: Look = {"color": "0.35", "marker": "d"}
POINT: Look = {"markersize": 4.5, "zorder": 4}
PAPER: Look = {"color": "black", "marker": "D", "markersize": 5, "markerfacecolor": "none", "markeredgewidth": 0.9}
"""Looks of the marks. They also differ in their shape or filling, for grey print."""

SEED: Look = {"marker": "o", "markersize": 3, "markeredgewidth": 0, "alpha": 0.45, "linestyle": "none", "zorder": 3}
SEED_SHIFT = 0.28

REMARK_SHIFT_PT = 5
"""Distance of a remark above the mark that it is on, in points."""

BAR = "0.9"
BAR_HEIGHT = 0.62
"""Colour and height, in rows, of the bar of the differences that are found by too few studies, see `Effect`."""

LABEL_WIDTH = 35
"""Largest number of characters in a line of a row's label."""

LEGEND_COLUMNS = 4
"""Largest number of entries that a legend has in one line; more are in two."""

NO_SHARED_CASE = "no case to compare"
"""Remark on a row that has no case with a valid score in common with the baseline."""


@dataclass(frozen=True)
class Effect:
    """The difference of a row of a table from its baseline in one quantity.

    Attributes:
        label: name of the row.
        difference: the row's value minus the baseline's; NaN if there is none.
        low: lower end of the simultaneous interval; NaN if there is none.
        high: upper end.
        by_seed: each seed's value minus the baseline's mean.
        published: the difference in the paper; NaN if it has none.
        detectable: smallest true difference that at least 80 % of such studies would find in this row; NaN if it is
            not known.
        remark: why the difference is missing, or how many of the row's seeds it is from.
    """

    label: str
    difference: float
    low: float = math.nan
    high: float = math.nan
    by_seed: Sequence[float] = ()
    published: float = math.nan
    detectable: float = math.nan
    remark: str = ""

    def look(self, higher_is_better: bool) -> Look:
        """Return the look of the mark, which depends on whether the interval contains 0, or whether there is none."""
        if math.isnan(self.low):
            return ALONE
        if self.low > 0:
            return BETTER if higher_is_better else WORSE
        if self.high < 0:
            return WORSE if higher_is_better else BETTER
        return UNDECIDED


@dataclass(frozen=True)
class Forest:
    """Differences of rows from one baseline: a row of panels of a figure, with one panel per quantity.

    Attributes:
        title: origin of the numbers.
        baseline: name of the baseline, and how many of its seeds there are if some are missing.
        effects: effects by quantity. The rows of each panel are the same, in the same order, from top to bottom.
        columns: what the labels of the rows state, for the title; empty where they are names.
    """

    title: str
    baseline: str
    effects: Mapping[str, Sequence[Effect]]
    columns: str = ""


def read_forests(study: Study, folder: Path) -> dict[str, list[Forest]]:
    """Return, by profile, the differences from a study's baseline by its records in a folder.

    There is one item per data set and protocol that has the baseline. A cost that the study's layout shows has
    differences of medians over seeds, without intervals.

    Raises:
        UserError: a file cannot be read.
    """
    layout = study.layout
    pairs = compare_rows(scores_of(records_of(study.layout, folder)), layout)
    forests = {
        profile: [forest for of_data in numbers if (forest := _forest(of_data, pairs, layout)) is not None]
        for profile, numbers in read_numbers(study, folder).items()
    }
    return {profile: several for profile, several in forests.items() if several}


def _forest(numbers: Numbers, pairs: pd.DataFrame, layout: Layout) -> Forest | None:
    """Return the differences of one data set, profile and protocol; None without any number of the baseline."""
    found = list(numbers.rows[list(layout.columns)].itertuples(index=False, name=None))
    of_group = numbers.own(pairs)
    layout = layout_of_pairs(of_group, layout) if len(of_group) else layout.for_rows(found)
    baseline = layout.baseline
    if baseline is None or baseline not in found:
        return None
    rows = [row for row in shown_rows(numbers, layout) if row != baseline]
    effects, of_baseline = {}, {}
    for quantity in shown_quantities(layout, [numbers]):
        if quantity in COST_QUANTITIES:
            effects[quantity] = _costs(numbers, quantity, layout, rows)
        else:
            of_quantity = of_group[of_group["quantity"] == quantity]
            effects[quantity] = _differences(numbers, quantity, layout, rows, of_quantity)
        of_baseline[QUANTITIES[quantity].name] = remark_on(numbers, layout, baseline, quantity)
    columns = ", ".join(layout.shown) if layout.axes else ""
    return Forest(numbers.title, ", ".join(layout.label(baseline)) + _in_brackets(of_baseline), effects, columns)


def _in_brackets(remarks: Mapping[str, str]) -> str:
    """Return remarks by quantity as one text, which names the quantities where they differ; empty without any."""
    if len(set(remarks.values())) == 1:
        texts = [*set(remarks.values())]
    else:
        texts = [f"{name}: {remark}" for name, remark in remarks.items() if remark]
    return f" ({'; '.join(texts)})" if any(texts) else ""


def _differences(
    numbers: Numbers, quantity: str, layout: Layout, rows: Sequence[Row], pairs: pd.DataFrame
) -> list[Effect]:
    compared = pairs[pairs["n"] > 0].to_dict("records")
    by_row = {tuple(pair[column] for column in layout.columns): pair for pair in compared}
    effects = []
    for row in rows:
        pair, label = by_row.get(row), ", ".join(layout.label(row))
        if pair is None:
            reason = why_missing(numbers, layout, row, quantity) or NO_SHARED_CASE
            effects.append(Effect(label, math.nan, remark=reason))
        else:
            effects.append(
                Effect(
                    *(label, pair["difference"], pair["low_joint"], pair["high_joint"]),
                    published=pair["published"],
                    detectable=pair["detectable"],
                    remark=remark_on(numbers, layout, row, quantity),
                )
            )
    return effects


def _costs(numbers: Numbers, quantity: str, layout: Layout, rows: Sequence[Row]) -> list[Effect]:
    of_quantity = numbers.rows[numbers.rows["quantity"] == quantity]
    by_row = {tuple(of[column] for column in layout.columns): of for of in of_quantity.to_dict("records")}
    baseline = by_row.get(layout.baseline or (), {}).get("value", math.nan)
    effects = []
    for row in rows:
        found, label = by_row.get(row), ", ".join(layout.label(row))
        remark = remark_on(numbers, layout, row, quantity)
        seeds = [] if found is None else [value - baseline for value in found["by_seed"]]
        difference = math.nan if found is None else found["value"] - baseline
        effects.append(Effect(label, difference, by_seed=seeds, remark=remark))
    return effects


def draw(forests: Sequence[Forest]) -> Figure:
    """Draw a row of panels for each forest, one panel per quantity, broken into lines of `PANELS_PER_LINE`."""
    lines = [-(-len(forest.effects) // PANELS_PER_LINE) for forest in forests]
    heights_in = [
        TITLE_IN + number * (LABELS_IN + max(map(_height_in, forest.effects.values())))
        for number, forest in zip(lines, forests, strict=True)
    ]
    with settings():
        figure = Figure(figsize=(PAGE_WIDTH_IN, LEGEND_IN + sum(heights_in)), layout="constrained")
        parts = figure.subfigures(len(forests), 1, squeeze=False, height_ratios=heights_in)[:, 0]
        for part, forest, of_part in zip(parts, forests, lines, strict=True):
            labels = f"; rows: {forest.columns}" if forest.columns else ""
            title = f"{forest.title}\nDifferences from {forest.baseline}{labels}"
            part.suptitle(title, x=0.01, ha="left", fontsize="medium")
            panels = part.subplots(of_part, -(-len(forest.effects) // of_part), sharey=True, squeeze=False)
            for axes, (quantity, effects) in zip(panels.flat, forest.effects.items(), strict=False):
                draw_effects(axes, effects, quantity)
            for surplus in panels.flat[len(forest.effects) :]:
                surplus.remove()
        add_legend(figure, forests)
    return figure


def _height_in(effects: Sequence[Effect]) -> float:
    """Return the height of the rows of a panel, which are all as high as the one with the longest label."""
    lines = max((len(_lines(effect.label)) for effect in effects), default=1)
    return len(effects) * (ROW_HEIGHT_IN + LINE_IN * (lines - 1))


def _lines(label: str) -> list[str]:
    """Return the lines of a label, which end between words, not at the hyphens of names."""
    return textwrap.wrap(label, LABEL_WIDTH, break_on_hyphens=False)


def draw_effects(axes: Axes, effects: Sequence[Effect], quantity: str) -> None:
    """Draw a panel: the effects from top to bottom, and a line at no difference.

    A bar behind each effect has the differences around 0 that less than 80 % of such studies would find if they were
    true. A single study can find one, so that an effect inside its bar may be decided.
    """
    axes.axvline(0, color="0.4", linewidth=0.8, zorder=1)
    # Else a bar would begin at the edge of the panel.
    axes.use_sticky_edges = False
    for place, effect in enumerate(effects):
        look = effect.look(QUANTITIES[quantity].higher_is_better)
        if not math.isnan(effect.detectable):
            (end,) = possible(quantity, [effect.detectable], of_difference=True)
            axes.barh(place, 2 * end, BAR_HEIGHT, -end, color=BAR, zorder=0.8)
        ends = possible(quantity, [effect.low, effect.high], of_difference=True)
        axes.plot(ends, [place, place], color=look["color"], linewidth=1.2, zorder=3)
        axes.plot(effect.by_seed, [place + SEED_SHIFT] * len(effect.by_seed), color=look["color"], **SEED)
        axes.plot([effect.difference], [place], **POINT | look)
        axes.plot([effect.published], [place], linestyle="none", zorder=5, **PAPER)
        if effect.remark:
            is_missing = math.isnan(effect.difference)
            axes.annotate(
                effect.remark,
                (0 if is_missing else effect.difference, place),
                (3, 0) if is_missing else (0, REMARK_SHIFT_PT),
                textcoords="offset points",
                fontsize=7 if is_missing else 6,
                style="italic",
                horizontalalignment="left" if is_missing else "center",
                verticalalignment="center",
            )
    axes.set_yticks(range(len(effects)), ["\n".join(_lines(effect.label)) for effect in effects])
    axes.set_ylim(len(effects) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", color="0.93", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.set_title(axis_label(quantity))
    axes.locator_params(axis="x", nbins=5)
    unit = QUANTITIES[quantity].unit
    axes.set_xlabel(f"Difference ({unit})" if unit else "Difference")


def add_legend(figure: Figure, forests: Sequence[Forest]) -> None:
    """Add a legend of the looks of the marks that forests have, below their panels."""
    effects = [
        (quantity, effect) for forest in forests for quantity, several in forest.effects.items() for effect in several
    ]
    drawn = [(quantity, effect) for quantity, effect in effects if not math.isnan(effect.difference)]
    looks = [effect.look(QUANTITIES[quantity].higher_is_better) for quantity, effect in drawn]
    texts = [
        (BETTER, "better than the baseline"),
        (WORSE, "worse"),
        (UNDECIDED, "not decided"),
        (ALONE, "without interval"),
    ]
    handles: list[Line2D | Patch] = [
        Line2D([], [], label=text, linewidth=1.2, **POINT | look) for look, text in texts if look in looks
    ]
    if any(effect.by_seed for _, effect in effects):
        handles.append(Line2D([], [], label="single seed", color="0.35", **SEED))
    if any(not math.isnan(effect.published) for _, effect in effects):
        handles.append(Line2D([], [], label="paper", linestyle="none", **PAPER))
    if any(not math.isnan(effect.detectable) for _, effect in drawn):
        handles.append(Patch(color=BAR, label="found by fewer than 80 % of such studies"))
    if not handles:
        return
    lines = 1 if len(handles) <= LEGEND_COLUMNS else 2
    figure.legend(
        handles=handles,
        loc="outside lower center",
        ncols=-(-len(handles) // lines),
        title="Lines: simultaneous 95 % intervals, those of one panel hold jointly",
        title_fontsize=7,
    )
