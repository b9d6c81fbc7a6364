"""Points of the studies `tuning` and `league`: batches and lengths by trials, learning rates by the tuning."""

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from statistics import fmean
from typing import Any, NamedTuple

from benchmarks.experiments.trials import Trials
from benchmarks.runs.run_folder import Run, State
from benchmarks.runs.sweep import log
from benchmarks.studies.league import BUDGETS, EPOCHS, MEMORY_OF, MODELS, RATES, VALIDATIONS
from benchmarks.study import Point, Stage, trials_path
from ossnet.config import merge
from ossnet.errors import UserError
from ossnet.progress import ProgressLine

FAILED = -1.0
"""Rating of a trial that failed, below every Dice."""


class Entry(NamedTuple):
    """A model under a budget.

    Attributes:
        model: name of the model.
        budget: one of `BUDGETS`.
        overrides: settings that give the training its batch and its length.
        learning_rate: learning rate of the model's recipe.
    """

    model: str
    budget: str
    overrides: Mapping[str, Any]
    learning_rate: float


def tuning_points(stage: Stage) -> Sequence[Point]:
    """Return every trial of every entry, with the first seed.

    Raises:
        UserError: the data set has no validation cases to tune on, or no test cases to score.
    """
    return [point for entry in _entries(stage) for point in _trials(entry, stage)]


def league_points(stage: Stage) -> Sequence[Point]:
    """Return each tuned entry with every seed and the best learning rate of its trials.

    Raises:
        UserError: entries are not tuned, or not equally often.
    """
    entries = list(_entries(stage))
    ended = {entry[:2]: [_rated(stage.run_of(point)) for point in _trials(entry, stage)] for entry in entries}
    counts = {name: sum(rated is not None for rated in trials) for name, trials in ended.items()}
    if stage.job is not None:
        require_equal_trials(counts)
    points = []
    for entry in entries:
        if counts[entry[:2]] == len(RATES):
            overrides = _with_rate(entry, _best_rate(ended[entry[:2]]))
            points += [
                Point(entry.model, seed, {"budget": entry.budget}, overrides, protocols=())
                for seed in stage.profile.seeds
            ]
    return points


def require_equal_trials(counts: Mapping[tuple[str, str], int]) -> None:
    """Refuse models that were tuned more or less than others.

    Args:
        counts: number of trials that have ended, by model and budget.

    Raises:
        UserError: the numbers differ, or are not the number of `RATES`.
    """
    wrong = [f"{model}, equal {budget}: {count}" for (model, budget), count in counts.items() if count != len(RATES)]
    if wrong:
        raise UserError(
            f"every model of the league has {len(RATES)} trials of its learning rate, but there are others "
            f"({'; '.join(wrong)}); make them with `python -m benchmarks run tuning league`"
        )


def _entries(stage: Stage) -> Iterator[Entry]:
    """Yield every model under every budget, but for those whose trial failed, or is missing where none may be made."""
    for split in ("validation", "test"):
        if not stage.dataset.splits[split]:
            raise UserError(f"data set {stage.dataset.name} has no {split} cases, which the league needs")
    profile, dataset, seed = stage.profile, stage.dataset, stage.profile.seeds[0]
    trials = Trials(trials_path(stage.results, "league", dataset.name, profile.name))
    common: dict[str, Any] = {"recipe": {"optimization": {"schedule": "cosine"}}}
    limit_of = profile.spec(MEMORY_OF, dataset, seed, common)
    if stage.job is not None:
        trials.require_made_here(stage.job)
    models = stage.models or MODELS
    # A trial takes up to a minute, with the predictions of memory.
    with ProgressLine("trials of the league", len(models) * len(BUDGETS), report_end=False) as line:
        for done, (model, budget) in enumerate(product(models, BUDGETS)):
            line.update(done, f"{model}, equal {budget}")
            spec = profile.spec(model, dataset, seed, common)
            within = limit_of if budget == "memory" else None
            trial = trials.of(spec, within)
            if trial is None and stage.job is not None:
                trial = trials.make(spec, within, dataset, stage.job)
            if trial is None:
                continue
            if trial.failure:
                if stage.job is not None:
                    log(f"{model}, equal {budget}, is left out, since its trial failed: {trial.failure}")
                continue
            recipe = {"batch_size": trial.batch_size} | _length(profile.league_s / trial.seconds_per_step)
            rate = spec.recipe.optimization.learning_rate
            yield Entry(model, budget, merge(common, {"recipe": recipe}), rate)


def _length(steps: float) -> dict[str, Any]:
    """Return the settings of a training of so many steps, within one and a half, but at least one per epoch."""
    lengths = {epochs: max(1, round(steps / epochs)) for epochs in EPOCHS}
    epochs = min(lengths, key=lambda epochs: abs(epochs * lengths[epochs] - round(steps)))
    return {"epochs": epochs, "steps_per_epoch": lengths[epochs], "validation": {"every": epochs // VALIDATIONS}}


def _trials(entry: Entry, stage: Stage) -> list[Point]:
    seed = stage.profile.seeds[0]
    return [
        Point(
            entry.model,
            seed,
            {"budget": entry.budget, "rate": rate},
            _with_rate(entry, rate),
            split="validation",
            protocols=(),
        )
        for rate in RATES
    ]


def _with_rate(entry: Entry, rate: str) -> dict[str, Any]:
    """Return the settings of an entry with the learning rate of a trial, to three digits."""
    learning_rate = float(f"{entry.learning_rate * RATES[rate]:.3g}")
    return merge(entry.overrides, {"recipe": {"optimization": {"learning_rate": learning_rate}}})


def _rated(run: Run) -> float | None:
    """Return the mean Dice of the validation cases, `FAILED` for a trial that failed, None for one that goes on."""
    if run.state not in (State.DONE, State.FAILED):
        return None
    if not run.done:
        return FAILED
    with (run.folder / "per_case.csv").open(encoding="utf-8", newline="") as file:
        rows = [float(row["value"] or "nan") for row in csv.DictReader(file) if row["quantity"] == "dice"]
    valid = [value for value in rows if not math.isnan(value)]
    return fmean(valid) if valid else 0.0


def _best_rate(rated: Sequence[float | None]) -> str:
    """Return the trial of the highest rating; of equal ones the recipe's rate, if it is among them."""
    ratings = dict(zip(RATES, rated, strict=True))
    return max(RATES, key=lambda rate: (FAILED if ratings[rate] is None else ratings[rate], rate == "recipe"))
