"""What the scores of several models say, and how sure one may be: pure functions on (seeds x cases) matrices.

Two things vary from one score to the next: the seed that a run was trained with and the case that it was scored on. The
bootstrap resamples both, as if a few seeds of the many possible and a few patients of all had been drawn. Seeds are
resampled within each model and cases jointly for all models, so that comparisons stay paired. The habit of an interval
next to every mean is that of rliable (Agarwal et al., NeurIPS 2021).

Intervals are percentiles of the resampled numbers, and too narrow where there is little to resample. Where seeds decide
the spread, an interval of 95 % reaches at most from the worst seed to the best: it holds the truth in 50 % of studies
with two seeds and 75 % with three (for a difference of two models about 65 % and 80 %), in 85 % with five and 90 % with
ten. Much the same goes for numbers of cases. With one seed or one case the spread cannot be told: the interval is NaN.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
import pandas as pd
from scipy import stats
from scipy.special import comb

from ossnet.errors import UserError

RESAMPLES = 10_000
"""Bootstrap resamples by default: the ends of a 95 % interval then repeat to about 1 % of its width."""

SIGN_FLIPS = 9_999
"""The sign-flip test is exact where there are no more ways to flip than this (13 cases), else it draws so many."""

DESCRIPTION = ["model", "mean", "low", "high", "std_seeds", "std_cases", "seeds", "cases"]
COMPARISON = ["model", "other", "difference", "low", "high", "p", "p_adjusted", "n"]


def matrix_of(scores: pd.DataFrame, model: str, quantity: str) -> pd.DataFrame:
    """One model's scores of one quantity: a row a seed, a column a case, both sorted; NaN where no score is valid.

    Args:
        scores: records of single cases, with columns dataset, profile, model, seed, case, quantity, value (NaN where a
            case has no valid score), unit and protocol.

    Raises:
        UserError: there is no such score, they are of several data sets, profiles or protocols, or a case has two of
            them for one seed.
    """
    rows = scores[(scores["model"] == model) & (scores["quantity"] == quantity)]
    what = f"{quantity} for model {model}"
    if rows.empty:
        raise UserError(f"no scores of {quantity!r} for model {model!r}; run it, or choose one that has been run")
    for column in ("dataset", "profile", "protocol"):
        several = sorted(map(str, rows[column].unique()))
        if len(several) > 1:
            raise UserError(
                f"scores of {what} are of more than one {column} ({', '.join(several)}); select one of them"
            )
    if rows.duplicated(["seed", "case"]).any():
        row = rows[rows.duplicated(["seed", "case"])].iloc[0]
        raise UserError(
            f"two scores of {what}, seed {row['seed']}, case {row['case']}; remove the run that was recorded twice"
        )
    return rows.pivot(index="seed", columns="case", values="value").astype(float)


def seed_means(matrix: pd.DataFrame) -> pd.Series:
    """Each seed's mean over its valid cases: what a table of one run would say."""
    return matrix.mean(axis=1)


def case_means(matrix: pd.DataFrame) -> pd.Series:
    """Each case's mean over the seeds that have a valid score of it."""
    return matrix.mean(axis=0)


def best_of(matrix: pd.DataFrame, n: int | None = None, higher_is_better: bool = True) -> float:
    """The mean score of the best of `n` seeds, as the paper reports it for n = 3 (Sec. 4).

    With more than n seeds it is what the best of n of them is on average, over all ways to choose n; that does not
    depend on which seeds came first. Without `n` it is the best of those that there are. NaN where fewer than n seeds
    have a valid score.

    It grows with n for a model whose seeds differ, however good the model: compare it only at equal n, and only with
    numbers that were picked likewise. The best is picked by the very cases that it is scored on, so a new case will on
    average score lower. It has no interval, since the bootstrap fails for extremes.

    Raises:
        ValueError: n is below 1.
    """
    if n is not None and n < 1:
        raise ValueError(f"the best of {n} seeds is undefined")
    means = np.sort(seed_means(matrix).dropna())
    n = n or len(means)
    if not len(means) or n > len(means):
        return float("nan")
    worst_first = means if higher_is_better else means[::-1]
    # The i-th worst is the best of n when the n - 1 others are among the i that are worse.
    chance = comb(np.arange(len(means)), n - 1) / comb(len(means), n)
    return float(chance @ worst_first)


def describe(
    matrices: Mapping[str, pd.DataFrame],
    generator: np.random.Generator,
    resamples: int = RESAMPLES,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Mean, interval and spread of each model's scores.

    Args:
        matrices: a matrix [seeds, cases] as of `matrix_of` for each model.
        generator: source of the bootstrap's draws. The same state gives the same intervals, whatever the order of
            models, seeds and cases.
        resamples: bootstrap resamples.
        confidence: of the intervals.

    Returns:
        Exactly `DESCRIPTION`, a row a model in the order given. `mean` is the mean over seeds of each seed's mean over
        its valid cases; `low` and `high` its bootstrap interval over seeds and cases. `std_seeds` is the standard
        deviation of the seeds' means: how much training again changes the result (of two or three seeds it is little
        more than a guess). `std_cases` is that of the cases' means: how much patients differ. Both divide by one less
        than their number and are NaN for one. `seeds` and `cases` count those with a valid score.

        Overlapping intervals of two models do not mean that the models are alike: their cases are the same, so ask
        `compare`.
    """
    bootstrap = Bootstrap.draw(matrices, resamples, generator)
    rows = []
    for model, matrix in matrices.items():
        by_seed, by_case = seed_means(matrix).dropna(), case_means(matrix).dropna()
        low, high = _interval(bootstrap.means(model), confidence, len(by_seed), len(by_case))
        rows.append((model, by_seed.mean(), low, high, by_seed.std(), by_case.std(), len(by_seed), len(by_case)))
    return pd.DataFrame(rows, columns=DESCRIPTION)


def compare(
    matrices: Mapping[str, pd.DataFrame],
    generator: np.random.Generator,
    test: Literal["wilcoxon", "sign-flip"] = "wilcoxon",
    correction: Literal["holm", "benjamini-hochberg"] = "holm",
    resamples: int = RESAMPLES,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Paired differences between the models of every pair, with intervals and tests.

    Args:
        matrices: a matrix [seeds, cases] as of `matrix_of` for each model; cases are paired by name.
        generator: source of the bootstrap's draws and the sign flips.
        test: a name of `TESTS`.
        correction: a name of `CORRECTIONS`, over all pairs given. Leave out models that are not in question, since
            every pair more costs power.
        resamples: bootstrap resamples.
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
    bootstrap = Bootstrap.draw(matrices, resamples, generator)
    rows = []
    for model, other in combinations(matrices, 2):
        first, second = matrices[model], matrices[other]
        differences = (case_means(first) - case_means(second)).dropna()
        n = len(differences)
        seeds = [seed_means(matrix[differences.index]).count() for matrix in (first, second)]
        low, high = _interval(bootstrap.differences(model, other), confidence, n, *seeds)
        p = paired_p(differences.sort_index().to_numpy(), TESTS[test], generator)
        rows.append((model, other, differences.mean(), low, high, p, n))
    frame = pd.DataFrame(rows, columns=[name for name in COMPARISON if name != "p_adjusted"])
    return frame.assign(p_adjusted=CORRECTIONS[correction](frame["p"].to_numpy(float)))[COMPARISON]


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

    Exact for up to 50 cases, or 13 where some are tied or 0; else by the normal approximation. Draws nothing.
    """
    return float(stats.wilcoxon(differences).pvalue)


def sign_flip(differences: np.ndarray, generator: np.random.Generator) -> float:
    """The permutation test of a mean difference of 0, in which a case's two models change places: its sign flips."""
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
    adjusted = p.copy()
    valid = np.isfinite(p)
    adjusted[valid] = stats.false_discovery_control(p[valid])
    return adjusted


CORRECTIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {"holm": holm, "benjamini-hochberg": benjamini_hochberg}


@dataclass(frozen=True, eq=False)
class Bootstrap:
    """Resampled seeds and cases of several models, as how often each is drawn (`scipy.stats.bootstrap` resamples one of
    them only). For the part of a score that is of neither the seed nor the case alone, this errs on the safe side
    (Owen, The pigeonhole bootstrap, 2007): where it is all there is, intervals are up to 1.7 times too wide.

    Attributes:
        scores: by model [S, C], with NaN where there is no valid score; the columns are the same cases for all models.
        seeds: by model, draws of each seed [B, S]; a row sums to S.
        cases: draws of each case [B, C]; a row sums to C.
    """

    scores: dict[str, np.ndarray]
    seeds: dict[str, np.ndarray]
    cases: np.ndarray

    @classmethod
    def draw(cls, matrices: Mapping[str, pd.DataFrame], resamples: int, generator: np.random.Generator) -> "Bootstrap":
        """Draw in an order that depends on names alone."""
        names = sorted({case for matrix in matrices.values() for case in matrix.columns})
        scores = {
            model: matrices[model].sort_index().reindex(columns=names).to_numpy(float) for model in sorted(matrices)
        }
        cases = _draws(len(names), resamples, generator)
        seeds = {model: _draws(len(values), resamples, generator) for model, values in scores.items()}
        return cls(scores, seeds, cases)

    def means(self, model: str) -> np.ndarray:
        """The mean over seeds of each seed's mean over valid cases, [B]."""
        by_seed = _mean("bc,sc->bs", self.cases, self.scores[model])
        return _mean("bs,bs->b", self.seeds[model], by_seed)

    def differences(self, model: str, other: str) -> np.ndarray:
        """The mean over cases with valid scores of both models of the difference of their means over seeds, [B]."""
        first, second = (_mean("bs,sc->bc", self.seeds[name], self.scores[name]) for name in (model, other))
        return _mean("bc,bc->b", self.cases, first - second)


def _draws(n: int, resamples: int, generator: np.random.Generator) -> np.ndarray:
    return generator.multinomial(n, np.full(n, 1 / n), size=resamples).astype(float)


def _mean(axes: str, weights: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Weighted mean over the axis that `axes` (of einsum) sums, without NaN values; NaN where no other has weight."""
    valid = ~np.isnan(values)
    total = np.einsum(axes, weights, valid.astype(float), optimize=True)
    weighted = np.einsum(axes, weights, np.where(valid, values, 0.0), optimize=True)
    return np.divide(weighted, total, out=np.full(total.shape, np.nan), where=total > 0)


def _interval(resampled: np.ndarray, confidence: float, *numbers: int) -> tuple[float, float]:
    """Percentiles of resampled numbers [B]; NaN where fewer than two of what was resampled (`numbers`) are there."""
    if min(numbers) < 2:
        return float("nan"), float("nan")
    low, high = np.nanquantile(resampled, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)
