"""Forest plots: the differences of rows of a table from a baseline, with their simultaneous intervals.

`read_forests` reads the differences of a study whose layout has a baseline, and `draw` draws them. A figure with other
rows, or with more to show, makes `Forest` itself, or uses `draw_effects` for a panel of its own.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
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
from paper_figures.panels import PANELS_PER_LINE, Look, axis_label, missing_rows, shown_quantities
from paper_figures.scores import Numbers, read_numbers
from paper_figures.style import BLUE, PAGE_WIDTH_IN, VERMILION, settings

ROW_HEIGHT_IN = 0.2
LABELS_IN = 0.65
TITLE_IN = 0.35
LEGEND_IN = 0.4
"""Heights of a row, of what is above and below the rows of a panel, of a title and of the legend, in inches."""

BETTER: Look = {"color": BLUE, "marker": "o"}
WORSE: Look = {"color": VERMILION, "marker": "s"}
UNDECIDED: Look = {"color": "0.35", "marker": "o", "markerfacecolor": "white"}
ALONE: Look = {"color": "0.35", "marker": "d"}
POINT: Look = {"markersize": 4.5, "zorder": 4}
PAPER: Look = {"color": "black", "marker": "D", "markersize": 5, "markerfacecolor": "none", "markeredgewidth": 0.9}
"""Looks of the marks. They also differ in their shape or filling, for grey print."""

SEED: Look = {"marker": "o", "markersize": 3, "markeredgewidth": 0, "alpha": 0.45, "linestyle": "none", "zorder": 3}
SEED_SHIFT = 0.28

BAND = "0.9"
"""Colour of the band of differences that are too small to be detected."""


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
        remark: text in place of a difference that is missing, such as why the row has no scores.
    """

    label: str
    difference: float
    low: float = math.nan
    high: float = math.nan
    by_seed: Sequence[float] = ()
    published: float = math.nan
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
        baseline: name of the baseline.
        effects: effects by quantity. The rows of each panel are the same, in the same order, from top to bottom.
        detectable: smallest difference that the study can detect, by quantity, which is drawn as a band: the median
            over rows, from which single rows differ.
        columns: what the labels of the rows state, for the title; empty where they are names.
    """

    title: str
    baseline: str
    effects: Mapping[str, Sequence[Effect]]
    detectable: Mapping[str, float] = field(default_factory=dict)
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
    by_quantity = {name: of_group[of_group["quantity"] == name] for name in shown_quantities(layout, [numbers])}
    missing = missing_rows(numbers, layout)
    effects = {
        name: _costs(numbers, name, layout, missing) if name in COST_QUANTITIES else effects_of(of, layout, missing)
        for name, of in by_quantity.items()
    }
    detectable = {name: float(of["detectable"].median()) for name, of in by_quantity.items() if of["detectable"].any()}
    columns = ", ".join(layout.shown) if layout.axes else ""
    return Forest(numbers.title, ", ".join(layout.label(baseline)), effects, detectable, columns)


def effects_of(pairs: pd.DataFrame, layout: Layout, missing: Mapping[Row, str]) -> list[Effect]:
    """Return an effect for each row of a layout but its baseline, in the layout's order.

    Args:
        pairs: rows of `compare_rows` with one quantity, data set, profile and protocol, each against the baseline.
        layout: the table's layout.
        missing: why a row has no scores, by row.
    """
    by_row = {tuple(pair[column] for column in layout.columns): pair for pair in pairs.to_dict("records")}
    effects = []
    for row in layout.arrange({*by_row, *missing, *filter(None, [layout.baseline])}):
        if row == layout.baseline:
            continue
        pair = by_row.get(row)
        label = ", ".join(layout.label(row))
        if pair is None:
            effects.append(Effect(label, math.nan, remark=missing.get(row, "not run")))
        else:
            remark = "" if pair["n"] else "no valid score"
            ends = (pair["low_joint"], pair["high_joint"])
            effects.append(Effect(label, pair["difference"], *ends, published=pair["published"], remark=remark))
    return effects


def _costs(numbers: Numbers, quantity: str, layout: Layout, missing: Mapping[Row, str]) -> list[Effect]:
    of_quantity = numbers.rows[numbers.rows["quantity"] == quantity]
    by_row = {tuple(of[column] for column in layout.columns): of for of in of_quantity.to_dict("records")}
    baseline = by_row.get(layout.baseline or (), {}).get("value", math.nan)
    effects = []
    for row in layout.arrange({*by_row, *missing}):
        found = by_row.get(row)
        if row != layout.baseline:
            label = ", ".join(layout.label(row))
            seeds = [] if found is None else [value - baseline for value in found["by_seed"]]
            difference = math.nan if found is None else found["value"] - baseline
            effects.append(Effect(label, difference, by_seed=seeds, remark="" if found else missing.get(row, "")))
    return effects


def draw(forests: Sequence[Forest]) -> Figure:
    """Draw a row of panels for each forest, one panel per quantity, broken into lines of `PANELS_PER_LINE`."""
    lines = [-(-len(forest.effects) // PANELS_PER_LINE) for forest in forests]
    heights_in = [
        TITLE_IN + number * (LABELS_IN + ROW_HEIGHT_IN * max(map(len, forest.effects.values())))
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
                draw_effects(axes, effects, quantity, forest.detectable.get(quantity))
            for surplus in panels.flat[len(forest.effects) :]:
                surplus.remove()
        add_legend(figure, forests)
    return figure


def draw_effects(axes: Axes, effects: Sequence[Effect], quantity: str, detectable: float | None = None) -> None:
    """Draw a panel: the effects from top to bottom, a line at no difference, and what is too small to be detected.

    Args:
        axes: the panel.
        effects: the effects.
        quantity: name of their quantity.
        detectable: smallest difference that can be detected; None to leave it out.
    """
    if detectable is not None:
        axes.axvspan(-detectable, detectable, color=BAND, linewidth=0, zorder=0)
    axes.axvline(0, color="0.4", linewidth=0.8, zorder=1)
    for place, effect in enumerate(effects):
        look = effect.look(QUANTITIES[quantity].higher_is_better)
        axes.plot([effect.low, effect.high], [place, place], color=look["color"], linewidth=1.2, zorder=3)
        axes.plot(effect.by_seed, [place + SEED_SHIFT] * len(effect.by_seed), color=look["color"], **SEED)
        axes.plot([effect.difference], [place], **POINT | look)
        axes.plot([effect.published], [place], linestyle="none", zorder=5, **PAPER)
        if effect.remark:
            axes.annotate(
                effect.remark,
                (0, place),
                (3, 0),
                textcoords="offset points",
                fontsize=7,
                style="italic",
                verticalalignment="center",
            )
    axes.set_yticks(range(len(effects)), [effect.label for effect in effects])
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
    if any(forest.detectable for forest in forests):
        handles.append(Patch(color=BAND, label="too small to be detected"))
    figure.legend(
        handles=handles,
        loc="outside lower center",
        ncols=len(handles),
        title="Lines: simultaneous 95 % intervals, those of one panel hold jointly",
        title_fontsize=7,
    )
