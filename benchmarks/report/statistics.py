"""What the scores of several models say, and how sure one may be: pure functions on (seeds x cases) matrices.

A matrix holds one model's scores of one quantity: a row a seed, a column a case, NaN where no score is valid. The
intervals are those of `benchmarks.report.intervals`.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from math import comb
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.report.intervals import Estimate, Pool, components, estimate, pool, weigh

DESCRIPTION = ["model", "mean", "low", "high", "std_seeds", "std_cases", "seeds", "cases", "scores"]
COMPARISON = ["model", "other", "difference", "low", "high", "low_joint", "high_joint", "n"]


@dataclass(frozen=True, eq=False)
class Scores:
    """One model's scores, and what the trainings that it was scored with tell of their seeds.

    Attributes:
        matrix: [seeds, cases].
        training: what it shares with other scorings of the same trained seeds, and with nothing else of the table.
        pooled: the spread of seeds of all these trainings; None where there is but one.
    """

    matrix: pd.DataFrame
    training: Hashable
    pooled: Pool | None


def seed_means(matrix: pd.DataFrame) -> pd.Series:
    """Each seed's mean over its valid cases: what a table of one run would say."""
    return matrix.mean(axis=1)


def case_means(matrix: pd.DataFrame) -> pd.Series:
    """Each case's mean over the seeds that have a valid score of it."""
    return matrix.mean(axis=0)


def best_of(
    matrix: pd.DataFrame,
    n: int | None = None,
    higher_is_better: bool = True,
    picked_by: pd.DataFrame | None = None,
) -> float:
    """The mean score of the best of `n` seeds, as the paper reports it for n = 3 (Sec. 4).

    With more than n seeds it is what the best of n of them is on average, over all ways to choose n; that does not
    depend on which seeds came first. Without `n` it is the best of those that there are. NaN where fewer than n seeds
    have a valid score.

    With `picked_by`, the matrix of a quantity of which more is better, the best seed is the one of the highest mean of
    that, so that several quantities are those of one seed.

    It grows with n for a model whose seeds differ, however good the model: compare it only at equal n, and only with
    numbers that were picked likewise. The best is picked by the very cases that it is scored on, so a new case will on
    average score lower. It has no interval: an extreme is no mean.

    Raises:
        ValueError: n is below 1.
    """
    if n is not None and n < 1:
        raise ValueError(f"the best of {n} seeds is undefined")
    means = seed_means(matrix).dropna()
    n = n or len(means)
    if not len(means) or n > len(means):
        return float("nan")
    ranked = means if picked_by is None else seed_means(picked_by).reindex(means.index)
    rising = higher_is_better or picked_by is not None
    worst_first = means[ranked.sort_values(ascending=rising, na_position="first", kind="stable").index].to_numpy()
    # The i-th worst is the best of n when the n - 1 others are among the i that are worse.
    chances = [comb(worse, n - 1) / comb(len(means), n) for worse in range(len(means))]
    return float(chances @ worst_first)


def weighted(scores: Sequence[Scores], weights: Sequence[float], pooled: Pool | None) -> Estimate:
    """The weighted sum of the means of several models; cases are paired, and seeds if all are of one training."""
    cases = _union([of_model.matrix.columns for of_model in scores])
    seeds = _union([of_model.matrix.index for of_model in scores])
    arrays = [of_model.matrix.reindex(index=seeds, columns=cases).to_numpy(float) for of_model in scores]
    return weigh(arrays, weights, [of_model.training for of_model in scores], pooled)


def describe(matrices: Mapping[Any, pd.DataFrame], trainings: Mapping[Any, Hashable] | None = None) -> pd.DataFrame:
    """Mean, interval and spread of each model's scores.

    Args:
        matrices: a matrix [seeds, cases] for each model. The models tell of each other's seeds.
        trainings: of each model, the training that it shares with others; None where each has its own.

    Returns:
        Exactly `DESCRIPTION`, a row a model in the order given. `mean` is the mean over seeds of each seed's mean over
        its valid cases; `low` and `high` its interval of 95 %, NaN with fewer than two seeds or cases. `std_seeds` is
        the standard deviation of the seeds' means: how much training again changes the result (of two or three seeds
        it is little more than a guess). `std_cases` is that of the cases' means: how much patients differ. Both divide
        by one less than their number and are NaN for one. `seeds` and `cases` count those with a valid score. `scores`
        holds `Scores`, from which any comparison can be worked out.

        Overlapping intervals of two models do not mean that the models are alike: their cases are the same, so ask
        `compare`.
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


def compare(matrices: Mapping[Any, pd.DataFrame], trainings: Mapping[Any, Hashable] | None = None) -> pd.DataFrame:
    """Differences between the models of every pair, with intervals; cases are paired, and the seeds of one training.

    Args:
        matrices: a matrix [seeds, cases] for each model; cases are paired by name. Leave out models that are not in
            question, since every pair more makes joint intervals wider.
        trainings: as for `describe`.

    Returns:
        Exactly `COMPARISON`, a row a pair in the order given. `n` is the number of cases for which both models have a
        valid score (of one training, from one seed), and the others do not count: a model that gives no valid score
        where a case is hard looks better than it is. `difference` is the mean of `model` less that of `other` over
        these cases, each a mean over seeds.
        `low` and `high` are its interval of 95 %, for who asked for this pair alone. The intervals from `low_joint` to
        `high_joint` of all pairs hold at once in 95 % of studies: a pair picked from among them for its difference
        differs if its joint interval does not hold 0. All are NaN with fewer than two seeds or shared cases.
    """
    scores = _scored(matrices, trainings)
    pairs = []
    for model, other in combinations(scores, 2):
        both = _on_shared_cases(scores[model], scores[other])
        pairs.append((model, other, weighted(both, (1, -1), scores[model].pooled), both[0].matrix.shape[1]))
    told = sum(bool(np.isfinite(difference.variance)) for _, _, difference, _ in pairs)
    rows = [
        (model, other, *map(float, (difference.value, *difference.ends(), *difference.ends(max(told, 1)))), n)
        for model, other, difference, n in pairs
    ]
    return pd.DataFrame(rows, columns=COMPARISON)


def _scored(matrices: Mapping[Any, pd.DataFrame], trainings: Mapping[Any, Hashable] | None) -> dict[Any, Scores]:
    trainings = {model: model for model in matrices} if trainings is None else trainings
    pooled = pool((trainings[model], components(matrix.to_numpy(float))) for model, matrix in matrices.items())
    return {model: Scores(matrix, trainings[model], pooled) for model, matrix in matrices.items()}


def _on_shared_cases(first: Scores, other: Scores) -> list[Scores]:
    """Their scores of the cases that both have a valid one of, from one seed if they share them."""
    valid, other_valid = first.matrix.notna(), other.matrix.notna()
    if first.training == other.training:
        seeds = valid.index.intersection(other_valid.index)
        shared = (valid.loc[seeds] & other_valid.loc[seeds]).any()
    else:
        shared = valid.any() & other_valid.any()
    return [replace(scores, matrix=scores.matrix[shared.index[shared.to_numpy(bool)]]) for scores in (first, other)]


def _union(indices: Sequence[pd.Index]) -> list[Any]:
    return sorted({name for index in indices for name in index}, key=str)
