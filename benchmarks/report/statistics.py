"""Means, spreads and differences of the scores of several models: pure functions on (seeds x cases) matrices.

A matrix has one model's scores of one quantity: one row per seed, one column per case, NaN where a score is not valid.
The intervals are those of `benchmarks.report.intervals`.
"""

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from math import comb
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.report.intervals import Estimate, Pool, components, estimate, pool, weigh

DESCRIPTION = ["model", "mean", "low", "high", "std_seeds", "std_cases", "seeds", "cases", "scores"]
COMPARISON = ["model", "other", "difference", "low", "high", "low_joint", "high_joint", "detectable", "n"]


@dataclass(frozen=True, eq=False)
class Scores:
    """One model's scores, and the usual spread of seeds in its table.

    Attributes:
        matrix: the scores [seeds, cases].
        training: an identifier of the training, equal for other scorings of the same trained seeds only.
        pooled: the spread of seeds over all trainings of the table; None if there is only one.
    """

    matrix: pd.DataFrame
    training: Hashable
    pooled: Pool | None


def seed_means(matrix: pd.DataFrame) -> pd.Series:
    """Return each seed's mean over its valid cases, the value in a table of that run alone."""
    return matrix.mean(axis=1)


def case_means(matrix: pd.DataFrame) -> pd.Series:
    """Return each case's mean over the seeds that have a valid score of it."""
    return matrix.mean(axis=0)


def best_of(
    matrix: pd.DataFrame,
    n: int,
    higher_is_better: bool = True,
    picked_by: pd.DataFrame | None = None,
) -> float:
    """Return the mean score of the best of `n` seeds, as the paper reports it for n = 3 (Section 4).

    With more than n seeds, this is the average over all choices of n of them, which does not depend on their order.

    It grows with n if a model's seeds differ, however good the model is: compare it only at equal n, and only with
    numbers that were picked in the same way. The best seed is picked by the cases that it is scored on, so a new case
    will score lower on average. It has no interval, since an extreme is not a mean.

    Args:
        matrix: the scores [seeds, cases].
        n: the number of seeds.
        higher_is_better: whether the best score is the highest.
        picked_by: the scores of another quantity of the same seeds, higher being better, whose highest mean picks the
            best seed, so that several quantities are those of one seed. None to pick by `matrix`.

    Returns:
        The mean; NaN if fewer than n seeds have a valid score.

    Raises:
        ValueError: n is below 1.
    """
    if n < 1:
        raise ValueError(f"the best of {n} seeds is undefined")
    means = seed_means(matrix).dropna()
    if n > len(means):
        return float("nan")
    ranked = means if picked_by is None else seed_means(picked_by).reindex(means.index)
    rising = higher_is_better or picked_by is not None
    worst_first = means[ranked.sort_values(ascending=rising, na_position="first", kind="stable").index].to_numpy()
    # The i-th worst is the best of n if the n - 1 others are among the i that are worse.
    chances = [comb(worse, n - 1) / comb(len(means), n) for worse in range(len(means))]
    return float(chances @ worst_first)


def weighted(scores: Sequence[Scores], weights: Sequence[float], pooled: Pool | None) -> Estimate:
    """Return the weighted sum of several models' means, with cases paired, and seeds if all share one training."""
    cases = _union([of_model.matrix.columns for of_model in scores])
    seeds = _union([of_model.matrix.index for of_model in scores])
    arrays = [of_model.matrix.reindex(index=seeds, columns=cases).to_numpy(float) for of_model in scores]
    return weigh(arrays, weights, [of_model.training for of_model in scores], pooled)


def describe(matrices: Mapping[Any, pd.DataFrame], trainings: Mapping[Any, Hashable] | None = None) -> pd.DataFrame:
    """Return mean, interval and spread of each model's scores.

    Overlapping intervals of two models do not mean that the models are alike, since they share their cases; `compare`
    accounts for this.

    Args:
        matrices: a matrix [seeds, cases] for each model. The usual spread of seeds is estimated from all of them.
        trainings: the identifier of each model's training, equal for models that share it; None if none do.

    Returns:
        Exactly `DESCRIPTION`, one row per model in the order given. `mean` is the mean over seeds of each seed's mean
        over its valid cases; `low` and `high` are its interval of 95 %, NaN with fewer than two seeds or cases.
        `std_seeds` is the standard deviation of the seeds' means: how much training again changes the result (with two
        or three seeds it is little more than a guess). `std_cases` is that of the cases' means: how much patients
        differ. Both divide by one less than their number and are NaN for one. `seeds` and `cases` are the numbers of
        those with a valid score. `scores` holds `Scores`, from which any comparison can be worked out.
    """
    parts = {model: components(matrix.to_numpy(float)) for model, matrix in matrices.items()}
    scores = _scored(matrices, trainings)
    rows = []
    for model, matrix in matrices.items():
        by_seed, by_case = seed_means(matrix).dropna(), case_means(matrix).dropna()
        mean = estimate([parts[model]], pooled=scores[model].pooled)
        deviations, numbers = (by_seed.std(), by_case.std()), (len(by_seed), len(by_case))
        rows.append((model, float(mean.value), *map(float, mean.ends()), *deviations, *numbers, scores[model]))
    return pd.DataFrame(rows, columns=DESCRIPTION)


def compare(
    matrices: Mapping[Any, pd.DataFrame],
    trainings: Mapping[Any, Hashable] | None = None,
    baseline: Hashable | None = None,
    strata: Mapping[Any, Hashable] | None = None,
) -> pd.DataFrame:
    """Return the difference of every two models with intervals, with cases paired, and seeds that share a training.

    Args:
        matrices: a matrix [seeds, cases] for each model; cases are paired by name. Leave out models that are not of
            interest, since every further pair widens the joint intervals.
        trainings: as for `describe`.
        baseline: model from which the differences of all others are returned, in place of those of every two; they
            are fewer, so that their joint intervals are narrower. None for every two.
        strata: the stratum of each model; only models of the same one are compared. None for a single one. The usual
            spread of seeds is still that of all models.

    Returns:
        Exactly `COMPARISON`, one row per pair in the order given. `n` is the number of cases for which both models have
        a valid score (from the same seed if they share a training). Other cases do not count: a model without a valid
        score on hard cases looks better than it is. `difference` is the mean of `model` minus that of `other` over
        these cases, each a mean over seeds. `low` and `high` are its interval of 95 %, for a pair chosen beforehand.
        The intervals from `low_joint` to `high_joint` of all pairs of a stratum hold jointly in 95 % of studies: a pair
        chosen for its difference differs if its joint interval does not contain 0. `detectable` is the smallest true
        difference whose joint interval does not contain 0 in 80 % of studies. All are NaN with fewer than two seeds or
        shared cases.
    """
    scores = _scored(matrices, trainings)
    strata = dict.fromkeys(matrices) if strata is None else strata
    pairs = []
    for model, other in _pairs(scores, baseline):
        if strata[model] == strata[other]:
            both = _on_shared_cases(scores[model], scores[other])
            pairs.append((model, other, weighted(both, (1, -1), scores[model].pooled), both[0].matrix.shape[1]))
    with_interval = Counter(strata[model] for model, _, difference, _ in pairs if np.isfinite(difference.variance))
    rows = []
    for model, other, difference, n in pairs:
        joint = max(with_interval[strata[model]], 1)
        numbers = (difference.value, *difference.ends(), *difference.ends(joint), difference.detectable(joint))
        rows.append((model, other, *map(float, numbers), n))
    return pd.DataFrame(rows, columns=COMPARISON)


def _pairs(models: Iterable[Any], baseline: Hashable | None) -> list[tuple[Any, Any]]:
    if baseline is None:
        return list(combinations(models, 2))
    known = list(models)
    return [(model, baseline) for model in known if model != baseline] if baseline in known else []


def _scored(matrices: Mapping[Any, pd.DataFrame], trainings: Mapping[Any, Hashable] | None) -> dict[Any, Scores]:
    trainings = {model: model for model in matrices} if trainings is None else trainings
    pooled = pool((trainings[model], components(matrix.to_numpy(float))) for model, matrix in matrices.items())
    return {model: Scores(matrix, trainings[model], pooled) for model, matrix in matrices.items()}


def _on_shared_cases(first: Scores, other: Scores) -> list[Scores]:
    """Return both models' scores of the cases for which both have a valid one, from one seed if they share seeds."""
    valid, other_valid = first.matrix.notna(), other.matrix.notna()
    if first.training == other.training:
        seeds = valid.index.intersection(other_valid.index)
        shared = (valid.loc[seeds] & other_valid.loc[seeds]).any()
    else:
        shared = valid.any() & other_valid.any()
    return [replace(scores, matrix=scores.matrix[shared.index[shared.to_numpy(bool)]]) for scores in (first, other)]


def _union(indices: Sequence[pd.Index]) -> list[Any]:
    return sorted({name for index in indices for name in index}, key=str)
