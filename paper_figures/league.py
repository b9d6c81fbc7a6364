"""The league: Dice against memory and against time under each budget, with the Pareto fronts.

A line joins the models that none beats in both quantities of a panel. A filled marker is a model that none beats in
Dice, memory of the training and time of a segmentation at once; it may lie below the line of a single panel. A model
whose Dice is 0 is neither: it has learned nothing, and is cheap only because the segmentation of an empty mask ends
early. Models that cannot be drawn, and those whose seeds are not all drawn, are named above the panels. So are, with
their Dice, those that would take the room of all others, see `SHOWN_PART`; a line that joins one comes from below.
"""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from benchmarks.names import model_name
from benchmarks.probes.records import GIGABYTE
from benchmarks.report.run_costs import costs_of
from benchmarks.report.score_records import read_records
from benchmarks.report.score_table import NOT_RUN
from benchmarks.studies.league import LEAGUE
from paper_figures.panels import INTERVAL, Look, axis_label, possible, remark_on, scale_by_span, shown_rows
from paper_figures.picture import figure_by_profile
from paper_figures.scores import Numbers, read_numbers
from paper_figures.style import PAGE_WIDTH_IN, model_look, settings

ROW_HEIGHT_IN = 2.0
LINE_IN = 0.15
"""Heights of a row of panels and of a line of its heading, in inches."""

COSTS = {
    "training_allocated_bytes": ("Peak tensor memory of training (GB, 10⁹ bytes)", GIGABYTE),
    "segmentation_s": ("Time of a segmentation (s)", 1),
}
"""Columns of `benchmarks.report.run_costs.costs_of` on the horizontal axes, with their labels and units."""

FRONT: Look = {"color": "0.6", "linewidth": 0.9, "zorder": 2}
MARKER_PT = 6.5

HEADING_WIDTH = 115
"""Largest number of characters in a line of a heading."""

SHOWN_PART = 0.5
"""Models are drawn from this part of the best Dice on; those below it are named with their Dice."""

ROOM = 0.12
"""Room in Dice above the best and below the worst model that is drawn. Intervals that are longer are cut there."""

NO_COSTS = "costs not recorded"


@dataclass(frozen=True, eq=False)
class Budget:
    """The models of one data set and protocol under one budget.

    Attributes:
        title: the budget and the origin of the numbers.
        models: row per model: `value`, `low` and `high` of its Dice, and the medians over seeds of `COSTS`.
        remarks: what is said of models that are not drawn, or not with every seed, by model.
    """

    title: str
    models: pd.DataFrame
    remarks: Mapping[str, str]

    @property
    def is_shown(self) -> pd.Series:
        """Whether a model has `SHOWN_PART` of the best Dice, and is drawn, by model."""
        return self.models["value"] >= SHOWN_PART * self.models["value"].max()

    @property
    def heading(self) -> str:
        """The title, followed by the remarks, each with its models."""
        by_remark: dict[str, list[str]] = {}
        for model, remark in self.remarks.items():
            by_remark.setdefault(remark, []).append(model_name(model))
        below = self.models.loc[~self.is_shown, "value"]
        named = [f"{model_name(str(model))} {value:.2f}" for model, value in below.items()]
        if named:
            by_remark["below the panels, with their Dice"] = named
        text = "; ".join(f"{remark}: {', '.join(models)}" for remark, models in by_remark.items())
        return "\n".join([self.title, *textwrap.wrap(text, HEADING_WIDTH)])


def read_budgets(folder: Path) -> dict[str, list[Budget]]:
    """Read Dice and costs from a folder's records of the league, and return them by profile.

    Raises:
        UserError: a file cannot be read.
    """
    costs = costs_of(read_records(folder, [LEAGUE.name]), ["budget"]).dropna(subset=list(COSTS))
    by_profile = {
        profile: [budget for of_data in numbers for budget in _budgets(of_data, costs)]
        for profile, numbers in read_numbers(LEAGUE, folder).items()
    }
    return {profile: budgets for profile, budgets in by_profile.items() if budgets}


def _budgets(numbers: Numbers, costs: pd.DataFrame) -> list[Budget]:
    own, rows = numbers.own(costs), shown_rows(numbers, LEAGUE.layout)
    dice = numbers.rows[numbers.rows["quantity"] == "dice"].dropna(subset="value")
    found = []
    for budget in dict.fromkeys(budget for budget, _ in rows):
        of_budget = dice[dice["budget"] == budget].set_index("model")
        medians = own[own["budget"] == budget].groupby("model")[list(COSTS)].median()
        models = of_budget[["value", "low", "high"]].join(medians, how="inner")
        remarks = {model: remark_on(numbers, LEAGUE.layout, (of, model), "dice") for of, model in rows if of == budget}
        remarks |= dict.fromkeys(of_budget.index.difference(models.index, sort=False), NO_COSTS)
        # Models that were not asked for are not missed.
        remarks = {model: remark for model, remark in remarks.items() if remark not in ("", NOT_RUN)}
        if len(models) or remarks:
            name = LEAGUE.layout.names["budget"][budget]
            found.append(Budget(f"Equal {name}\n{numbers.title}", models, remarks))
    return found


def is_dominated(models: pd.DataFrame, costs: Sequence[str]) -> np.ndarray:
    """Return for each model whether another one has no worse Dice and no higher costs, and is better in one of them.

    Args:
        models: row per model, with the Dice in the column `value`.
        costs: columns of which less is better.
    """
    badness = np.column_stack([-models["value"], *(models[cost] for cost in costs)])
    no_worse = (badness[:, None] <= badness[None]).all(axis=2)
    better = (badness[:, None] < badness[None]).any(axis=2)
    return np.any(no_worse & better, axis=0)


def is_optimal(models: pd.DataFrame, costs: Sequence[str]) -> np.ndarray:
    """Return for each model whether it has learned something, a Dice above 0, and no other one dominates it."""
    return np.asarray(models["value"] > 0) & ~is_dominated(models, costs)


def draw(budgets: Sequence[Budget]) -> Figure:
    """Draw a row of panels for each data set and budget, a panel for each of `COSTS`."""
    heights_in = [ROW_HEIGHT_IN + LINE_IN * len(budget.heading.splitlines()) for budget in budgets]
    with settings():
        figure = Figure(figsize=(PAGE_WIDTH_IN, 1.0 + sum(heights_in)), layout="constrained")
        parts = figure.subfigures(len(budgets), 1, squeeze=False, height_ratios=heights_in)[:, 0]
        for part, budget in zip(parts, budgets, strict=True):
            part.suptitle(budget.heading, x=0.01, ha="left", fontsize="medium")
            for axes, cost in zip(part.subplots(1, len(COSTS), sharey=True), COSTS, strict=True):
                _draw_panel(axes, budget, cost)
            part.axes[0].set_ylabel(axis_label("dice"))
        models = dict.fromkeys(str(model) for budget in budgets for model in budget.models.index[budget.is_shown])
        entries = [_entry(model) for model in models]
        entries.append(Line2D([], [], label="Pareto front of the panel", **FRONT))
        entries.append(Line2D([], [], color="0.35", marker="o", linestyle="none", label="Pareto-optimal in all three"))
        figure.legend(handles=entries, loc="outside lower center", ncols=4)
    return figure


def _entry(model: str) -> Line2D:
    colour, marker = model_look(model)
    return Line2D([], [], color=colour, marker=marker, linestyle="none", markersize=MARKER_PT, label=model_name(model))


def _draw_panel(axes: Axes, budget: Budget, cost: str) -> None:
    label, unit = COSTS[cost]
    models, optimal = budget.models, is_optimal(budget.models, list(COSTS))
    shown = models[budget.is_shown]
    for (model, row), is_filled in zip(shown.iterrows(), optimal[budget.is_shown], strict=True):
        colour, marker = model_look(str(model))
        place = row[cost] / unit
        axes.plot([place, place], possible("dice", [row["low"], row["high"]]), color=colour, **INTERVAL)
        axes.plot(
            *(place, row["value"]),
            color=colour,
            marker=marker,
            markersize=MARKER_PT,
            markerfacecolor=colour if is_filled else "white",
            zorder=4,
        )
    front = models[is_optimal(models, [cost])].sort_values(cost)
    axes.step(front[cost] / unit, front["value"], where="post", **FRONT)
    if len(shown):
        axes.set_ylim(max(shown["value"].min() - ROOM, -0.02), min(shown["value"].max() + ROOM, 1.02))
    scale_by_span(axes.xaxis, pd.concat([shown, front])[cost])
    axes.set_xlabel(label)
    axes.grid(color="0.9", linewidth=0.6)
    axes.set_axisbelow(True)


LEAGUE_FIGURE = figure_by_profile("league", LEAGUE.name, read_budgets, draw)
