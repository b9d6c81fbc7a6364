"""What the scores of several models say, and how sure one may be: pure functions on (seeds x cases) matrices.

A matrix holds one model's scores of one quantity: a row a seed, a column a case, NaN where no score is valid. The
intervals are those of `benchmarks.bootstrap`, the tests those of `benchmarks.significance`.
"""

from collections.abc import Mapping
from itertools import combinations
from math import comb
from typing import Any, Literal

import numpy as np
import pandas as pd

from benchmarks.bootstrap import Bootstrap, interval
from benchmarks.significance import CORRECTIONS, TESTS, paired_p

DESCRIPTION = ["model", "mean", "low", "high", "std_seeds", "std_cases", "seeds", "cases", "resampled"]
COMPARISON = ["model", "other", "difference", "low", "high", "p", "p_adjusted", "n"]


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
    average score lower. It has no interval, since the bootstrap fails for extremes.

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


def describe(matrices: Mapping[Any, pd.DataFrame], bootstrap: Bootstrap, confidence: float = 0.95) -> pd.DataFrame:
    """Mean, interval and spread of each model's scores.

    Args:
        matrices: a matrix [seeds, cases] for each model.
        bootstrap: draws of these models' seeds and of these cases.
        confidence: of the intervals.

    Returns:
        Exactly `DESCRIPTION`, a row a model in the order given. `mean` is the mean over seeds of each seed's mean over
        its valid cases; `low` and `high` its bootstrap interval over seeds and cases. `std_seeds` is the standard
        deviation of the seeds' means: how much training again changes the result (of two or three seeds it is little
        more than a guess). `std_cases` is that of the cases' means: how much patients differ. Both divide by one less
        than their number and are NaN for one. `seeds` and `cases` count those with a valid score. `resampled` holds
        what `Bootstrap.means` gives, also where there is no interval.

        Overlapping intervals of two models do not mean that the models are alike: their cases are the same, so ask
        `compare`.
    """
    rows = []
    for model, matrix in matrices.items():
        by_seed, by_case = seed_means(matrix).dropna(), case_means(matrix).dropna()
        resampled = bootstrap.means(model, matrix)
        numbers = len(by_seed), len(by_case)
        low, high = interval(resampled, confidence, *numbers)
        rows.append((model, by_seed.mean(), low, high, by_seed.std(), by_case.std(), *numbers, resampled))
    return pd.DataFrame(rows, columns=DESCRIPTION)


def compare(
    matrices: Mapping[Any, pd.DataFrame],
    bootstrap: Bootstrap,
    generator: np.random.Generator,
    test: Literal["wilcoxon", "sign-flip"] = "wilcoxon",
    correction: Literal["holm", "benjamini-hochberg"] = "holm",
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Paired differences between the models of every pair, with intervals and tests.

    Args:
        matrices: a matrix [seeds, cases] for each model; cases are paired by name.
        bootstrap: draws of these models' seeds and of these cases.
        generator: source of the sign flips.
        test: a name of `benchmarks.significance.TESTS`.
        correction: a name of `benchmarks.significance.CORRECTIONS`, over all pairs given. Leave out models that are not
            in question, since every pair more costs power.
        confidence: of the intervals.

    Returns:
        Exactly `COMPARISON`, a row a pair in the order given. `n` is the number of cases for which both models have a
        valid score, and the others do not count: a model that gives no valid score where a case is hard looks better
        than it is. `difference` is the mean over these cases of (score of `model` - score of `other`), each a mean over
        seeds; `low` and `high` its bootstrap interval over seeds and cases. `p` is the chance of differences at least
        as one-sided where neither model is better, `p_adjusted` the same corrected for the number of pairs.

        The tests know nothing of seeds: they ask whether these trained runs differ on cases like these. Whether the
        methods do, when trained again, is what the interval is for; with two seeds neither can say. With n cases
        p cannot fall below 2^(1 - n), so five cases never reach 0.05, and 36 pairs (nine models) with Holm's correction
        need eleven. Fewer than two cases give NaN.
    """
    matrices = {model: matrix.reindex(columns=bootstrap.cases.columns) for model, matrix in matrices.items()}
    means = {model: case_means(matrix).to_numpy() for model, matrix in matrices.items()}
    valid = {model: matrix.notna().to_numpy() for model, matrix in matrices.items()}
    resampled = {model: bootstrap.case_means(model, matrix) for model, matrix in matrices.items()}
    rows = []
    for model, other in combinations(matrices, 2):
        differences = means[model] - means[other]
        shared = ~np.isnan(differences)
        differences = differences[shared]
        seeds = [valid[name][:, shared].any(axis=1).sum() for name in (model, other)]
        numbers = len(differences), *seeds
        low, high = interval(bootstrap.mean(resampled[model] - resampled[other]), confidence, *numbers)
        p = paired_p(differences, TESTS[test], generator)
        mean = differences.mean() if len(differences) else float("nan")
        rows.append((model, other, mean, low, high, p, len(differences)))
    frame = pd.DataFrame(rows, columns=[name for name in COMPARISON if name != "p_adjusted"])
    return frame.assign(p_adjusted=CORRECTIONS[correction](frame["p"].to_numpy(float)))[COMPARISON]
