"""Tests of paired differences, and their correction where there are many.

scipy.stats takes longer to import than a table takes to make: what needs it imports it itself.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd

SIGN_FLIPS = 9_999
"""The sign-flip test is exact where there are no more ways to flip than this (13 cases), else it draws so many."""

PairedTest = Callable[[np.ndarray, np.random.Generator], float]
"""A two-sided p from the differences [n] of n >= 2 cases, not all 0."""


def paired_p(differences: np.ndarray, test: PairedTest, generator: np.random.Generator) -> float:
    """p of the differences [n] of n cases: NaN for fewer than two, and 1 where all are 0."""
    # Differences that are equal on paper must be equal here for their ranks to be tied.
    differences = np.round(differences, 10)
    if len(differences) < 2:
        return float("nan")
    return test(differences, generator) if differences.any() else 1.0


def wilcoxon(differences: np.ndarray, generator: np.random.Generator) -> float:
    """Wilcoxon's signed-rank test: are differences symmetric about 0? Cases without a difference are left out.

    Exact for any number of cases, tied or not, where `scipy.stats.wilcoxon` approximates. Draws nothing.
    """
    kept = differences[differences != 0]
    # The ranks of ties are halves: twice the ranks are whole.
    ranks = (2 * pd.Series(np.abs(kept)).rank()).to_numpy(int)
    # In how many of the 2^n ways to sign the ranks those of positive sign add up to 0, 1, ...
    ways = np.zeros(ranks.sum() + 1)
    ways[0] = 1
    for rank in ranks:
        ways[rank:] += ways[:-rank].copy()
    positive = ranks[kept > 0].sum()
    fewer = min(ways[: positive + 1].sum(), ways[positive:].sum())
    return float(min(1.0, 2 * fewer / ways.sum()))


def sign_flip(differences: np.ndarray, generator: np.random.Generator) -> float:
    """The permutation test of a mean difference of 0, in which a case's two models change places: its sign flips."""
    from scipy import stats

    outcome = stats.permutation_test(
        (differences,), np.mean, permutation_type="samples", n_resamples=SIGN_FLIPS, rng=generator
    )
    return float(outcome.pvalue)


TESTS: dict[str, PairedTest] = {"wilcoxon": wilcoxon, "sign-flip": sign_flip}


def holm(p: np.ndarray) -> np.ndarray:
    """Holm's step-down correction of p values [m]: keeps the chance of a single false difference. NaN are no tests."""
    adjusted = p.copy()
    order = np.argsort(p)[: np.isfinite(p).sum()]
    adjusted[order] = np.maximum.accumulate(p[order] * np.arange(len(order), 0, -1)).clip(max=1)
    return adjusted


def benjamini_hochberg(p: np.ndarray) -> np.ndarray:
    """The step-up correction of p values [m] by Benjamini and Hochberg: keeps the expected share of false differences
    among those found. It is weaker than Holm's, and finds more. NaN are no tests."""
    from scipy import stats

    adjusted = p.copy()
    valid = np.isfinite(p)
    adjusted[valid] = stats.false_discovery_control(p[valid])
    return adjusted


CORRECTIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {"holm": holm, "benjamini-hochberg": benjamini_hochberg}
