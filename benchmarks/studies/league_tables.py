"""Tables of the league beside that of its scores: budgets as they were kept, and ranks with their stability."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.markup import NOTHING, Cell, Table, span
from benchmarks.names import model_name, source_text
from benchmarks.probes.records import GIGABYTE
from benchmarks.report.ranks import RESAMPLES, rank_stability
from benchmarks.report.run_costs import costs_of
from benchmarks.report.score_records import Record, Records, failures_of, read_records, scores_of
from benchmarks.report.score_table import Failed, failed_rows, failure_sentences, status_text
from benchmarks.report.table_notes import join_notes
from benchmarks.studies.league import LEAGUE
from benchmarks.study import Findings, trials_path
from ossnet.errors import UserError

SEED = 0
"""Seed of the resampling."""

RANK_NOTES = (
    f"Ranks are by the mean Dice over seeds and cases; in {RESAMPLES} resamples, cases are drawn with replacement for "
    "all models together, and for each model by itself one seed fewer than it has, so that the variance of the seeds' "
    "mean is not understated",
    "Still, so few seeds say little about their own variance: ranks may be less stable than they look, whereas the "
    "intervals of the comparisons allow for it",
    "Interval: 95 % of the resamples; first: share of them in which the model is the best; same: in which it has this "
    "rank",
)
BUDGET_NOTES = (
    "Batch and steps are part of each run's specification; the number of steps is that of the equal time, by a trial "
    "on the machine of the trainings",
    "Training: median over seeds of the seconds of all epochs, without the validations, which the equal time does not "
    "include; as many trainings ran at a time as the machine has workers, whereas trials run alone",
    "Trials: learning rates that were tried on the validation cases, with one seed; the best of them is that of the "
    "league",
    "Predicted: peak of a training step on a GPU; tensors: as they were counted in the trainings, "
    "on a CPU as the suite counts them, on a GPU as torch does",
)


def league_tables(found: Findings) -> list[Table]:
    """Return for each data set and profile the tables of ranks, one per budget, and of budgets.

    Raises:
        UserError: models have different numbers of trials.
    """
    tuned = read_records(found.results / "records", ["tuning"])
    tables = []
    for records in found.records:
        if any("result" in row for row in records.rows):
            failed = failed_rows(failures_of([records]), LEAGUE.layout).get((records.dataset, records.profile), {})
            tables += _ranks(records, failed)
            tables.append(_budgets(records, tuned, _trials(found.results, records), failed))
    return tables


def trial_counts(records: Sequence[Records], of: Records) -> Mapping[tuple[str, str], int]:
    """Return the number of trials of each budget and model of a league, among the records of its tuning.

    Raises:
        UserError: the numbers differ between models.
    """
    trials = [(row["columns"]["budget"], row["model"]) for row in _rows_of(records, of)]
    entries = {(row["columns"]["budget"], row["model"]) for row in of.rows}
    counts = {entry: trials.count(entry) for entry in sorted(entries)}
    if len(set(counts.values())) > 1:
        listed = "; ".join(f"{model}, equal {budget}: {count}" for (budget, model), count in counts.items())
        raise UserError(f"models of the league were not tuned equally often ({listed}); run tuning and league again")
    return counts


def _ranks(records: Records, failed: Failed) -> list[Table]:
    scores = scores_of([records])
    dice = scores[scores["quantity"] == "dice"]
    tables = []
    for (budget, protocol), of_budget in dice.groupby(["budget", "protocol"], sort=False):
        wide = of_budget.pivot(index=["model", "seed"], columns="case", values="value")
        matrices = {str(model): block.to_numpy() for model, block in wide.groupby(level="model", sort=False)}
        ranked = rank_stability(matrices, np.random.default_rng(SEED)).sort_values("rank", kind="stable")
        rows = [
            [
                *(Cell(f"{row['rank']:g}"), Cell(model_name(str(model))), _number(row["mean"], "{:.3f}")),
                *(Cell(f"{row['low']:g} to {row['high']:g}"), Cell(f"{row['first']:.0%}"), Cell(f"{row['same']:.0%}")),
            ]
            for model, row in ranked.iterrows()
        ]
        of_budget_failed = {row: reasons for row, reasons in failed.items() if row[0] == budget}
        status = [status_text(True, failed.get((budget, model), {})) for model in ranked.index]
        for (_, model), reasons in of_budget_failed.items():
            if model not in matrices:
                rows.append([NOTHING, Cell(model_name(model)), *[NOTHING] * 4])
                status.append(status_text(False, reasons))
        where = source_text(records.dataset, records.profile, str(protocol))
        size = f"seeds: {span(map(len, matrices.values()))}; cases: {wide.shape[1]}"
        head = ["Rank", "Model", "Dice ↑", "Interval of the rank", "First", "Same"]
        caption = f"Ranks of the league, equal {_shown(str(budget))}. {where}; {size}."
        tables.append(_with_failures(Table(caption, head, rows), RANK_NOTES, status, of_budget_failed))
    return tables


def _with_failures(table: Table, sentences: Sequence[str], status: Sequence[str], failed: Failed) -> Table:
    """Return a table with notes, and if runs failed with a column that says which, and with the reasons.

    Args:
        table: the table without its notes.
        sentences: the notes, without their full stops.
        status: status of each row, see `benchmarks.report.score_table.status_text`.
        failed: why runs failed.
    """
    noted = replace(table, notes=join_notes([*sentences, *failure_sentences(failed, LEAGUE.layout)]))
    if not any(status):
        return noted
    rows = [[*row, Cell(text)] for row, text in zip(table.rows, status, strict=True)]
    return replace(noted, head=[*table.head, "Status"], rows=rows)


def _trials(results: Path, records: Records) -> list[Mapping[str, Any]]:
    """Return the trials of a league (`benchmarks.experiments.trials.Trial`), from their file if it is there."""
    path = trials_path(results, records.study, records.dataset, records.profile)
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.is_file() else []


def _budgets(records: Records, tuned: Sequence[Records], trials: Sequence[Mapping[str, Any]], failed: Failed) -> Table:
    predicted = {(trial["model"], trial["batch_size"]): trial["predicted_bytes"] for trial in trials}
    left_out = dict.fromkeys(
        f"Left out, since its steps could not be timed: {model_name(trial['model'])}, batch {trial['batch_size']}: "
        f"{trial['failure']}"
        for trial in trials
        if trial.get("failure")
    )
    counts = trial_counts(tuned, records)
    costs = costs_of([records], ["budget"]).groupby(["budget", "model"], sort=False)
    medians = costs[["training_s", "validation_s", "training_allocated_bytes"]].median().reset_index()
    entries = dict.fromkeys((row["columns"]["budget"], row["model"]) for row in records.rows)
    scored = set(costs.groups)
    # Also the entries whose runs all failed, which have no costs.
    medians = pd.DataFrame(list(entries), columns=["budget", "model"]).merge(medians, how="left")
    rows, status = [], []
    for of_entry in medians.to_dict("records"):
        budget, model = str(of_entry["budget"]), str(of_entry["model"])
        status.append(status_text((budget, model) in scored, failed.get((budget, model), {})))
        recipe = _recipe(records, budget, model)
        rows.append(
            [
                *(Cell(_shown(budget)), Cell(model_name(model)), Cell(str(recipe["batch_size"]))),
                Cell(str(recipe["epochs"] * recipe["steps_per_epoch"])),
                *(Cell(f"{recipe['optimization']['learning_rate']:g}"), Cell(str(counts[budget, model]))),
                _number(of_entry["training_s"] - of_entry["validation_s"], "{:.0f}"),
                _number(predicted.get((model, recipe["batch_size"]), math.nan) / GIGABYTE, "{:.3f}"),
                _number(of_entry["training_allocated_bytes"] / GIGABYTE, "{:.3f}"),
            ]
        )
    head = [
        "Equal",
        "Model",
        "Batch",
        "Steps",
        "Learning rate",
        "Trials",
        "Training (s)",
        "Predicted (GB)",
        "Tensors (GB)",
    ]
    where = source_text(records.dataset, records.profile, "")
    table = Table(f"Budgets of the league as they were kept. {where}.", head, rows)
    return _with_failures(table, [*BUDGET_NOTES, *_nothing_learned(records, tuned), *left_out], status, failed)


def _nothing_learned(records: Records, tuned: Sequence[Records]) -> Iterator[str]:
    """Yield a sentence that names the entries of a league for which no trial found anything, if there are any."""
    best = {(row["columns"]["budget"], row["model"]): 0.0 for row in records.rows}
    for row in _rows_of(tuned, records):
        entry = row["columns"]["budget"], row["model"]
        dice = row.get("scores", {}).get("dice", {}).values()
        best[entry] = max(best.get(entry, 0.0), *(value or 0.0 for value in dice), 0.0)
    without = [f"equal {_shown(budget)}, {model_name(model)}" for (budget, model), dice in best.items() if dice == 0]
    if without:
        yield f"No trial has a Dice above 0, so that the recipe's rate was taken: {'; '.join(without)}"


def _rows_of(records: Sequence[Records], like: Records) -> Iterator[Record]:
    """Yield the rows of the same data set and profile as those of a league."""
    for part in records:
        if (part.dataset, part.profile) == (like.dataset, like.profile):
            yield from part.rows


def _shown(budget: str) -> str:
    return LEAGUE.layout.names["budget"][budget]


def _recipe(records: Records, budget: str, model: str) -> Mapping[str, Any]:
    """Return the recipe of an entry's runs, which differ in their seeds alone."""
    recipe: Mapping[str, Any] = next(
        row["spec"]["training"]["recipe"]
        for row in records.rows
        if (row["columns"]["budget"], row["model"]) == (budget, model)
    )
    return recipe


def _number(value: float, form: str) -> Cell:
    return Cell("–" if pd.isna(value) else form.format(value))
