"""What the scores of several models say, and how sure one may be: pure functions on (seeds x cases) matrices.

A matrix holds one model's scores of one quantity: a row a seed, a column a case, NaN where no score is valid. The
intervals are those of `benchmarks.intervals`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from math import comb
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.intervals import Pool, components, estimate, pool

DESCRIPTION = ["model", "mean", "low", "high", "std_seeds", "std_cases", "seeds", "cases", "scores"]
COMPARISON = ["model", "other", "difference", "low", "high", "low_joint", "high_joint", "n"]


@dataclass(frozen=True, eq=False)
class Scores:
    """One model's scores, and what the models that it was scored with tell of their seeds.

    Attributes:
        matrix: [seeds, cases].
        pooled: the spread of seeds of all these models.
    """

    matrix: pd.DataFrame
    pooled: Pool


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


def describe(matrices: Mapping[Any, pd.DataFrame]) -> pd.DataFrame:
    """Mean, interval and spread of each model's scores.

    Args:
        matrices: a matrix [seeds, cases] for each model. The models tell of each other's seeds.

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
    pooled = pool(list(parts.values()))
    rows = []
    for model, matrix in matrices.items():
        by_seed, by_case = seed_means(matrix).dropna(), case_means(matrix).dropna()
        mean = estimate([parts[model]], pooled=pooled)
        numbers = len(by_seed), len(by_case)
        scores = Scores(matrix, pooled)
        rows.append(
            (model, float(mean.value), *map(float, mean.ends()), by_seed.std(), by_case.std(), *numbers, scores)
        )
    return pd.DataFrame(rows, columns=DESCRIPTION)


def compare(matrices: Mapping[Any, pd.DataFrame]) -> pd.DataFrame:
    """Differences between the models of every pair, with intervals; cases are paired, seeds are not.

    Args:
        matrices: a matrix [seeds, cases] for each model; cases are paired by name. Leave out models that are not in
            question, since every pair more makes joint intervals wider.

    Returns:
        Exactly `COMPARISON`, a row a pair in the order given. `n` is the number of cases for which both models have a
        valid score, and the others do not count: a model that gives no valid score where a case is hard looks better
        than it is. `difference` is the mean of `model` less that of `other` over these cases, each a mean over seeds.
        `low` and `high` are its interval of 95 %, for who asked for this pair alone. The intervals from `low_joint` to
        `high_joint` of all pairs hold at once in 95 % of studies: a pair picked from among them for its difference
        differs if its joint interval does not hold 0. All are NaN with fewer than two seeds or shared cases.
    """
    cases = sorted({case for matrix in matrices.values() for case in matrix}, key=str)
    scores = {model: matrix.reindex(columns=cases).to_numpy(float) for model, matrix in matrices.items()}
    pooled = pool([components(of_model) for of_model in scores.values()])
    pairs = []
    for model, other in combinations(scores, 2):
        shared = ~np.isnan(scores[model]).all(axis=0) & ~np.isnan(scores[other]).all(axis=0)
        parts = [components(scores[name][:, shared]) for name in (model, other)]
        pairs.append((model, other, estimate(parts, (1, -1), pooled), shared.sum()))
    told = sum(bool(np.isfinite(difference.variance)) for _, _, difference, _ in pairs)
    rows = [
        (model, other, *map(float, (difference.value, *difference.ends(), *difference.ends(max(told, 1)))), n)
        for model, other, difference, n in pairs
    ]
    return pd.DataFrame(rows, columns=COMPARISON)
