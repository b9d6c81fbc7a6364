"""Intervals of means over seeds and cases: variance components, degrees of freedom and quantiles.

A score is taken to be

    score[model, seed, case] = mean[model] + seed[model, seed] + case[case] + interaction[model, case] + residual

with seeds and cases drawn at random: a two-way random-effects model, whose cases all models share and whose seeds
they do not. The mean over S seeds and C cases varies by seeds / S + (case + interaction) / C + residual / (S C). The
spread of the seeds' means and that of the cases' means each hold the residual, so that it is taken off once.

Three seeds tell little of their variance. Each model's is therefore drawn towards a pooled one, the median over the
models of the table, which weighs as much as two degrees of freedom: half with three seeds, less with more (shrinkage,
as in Smyth's moderated t, 2004, with a fixed prior weight and a robust target). A model's own alone has two degrees of
freedom, and intervals that hold jointly would tell nothing; the pooled one alone would be wrong for a model that
differs in it, as OSS-Net A does on the embedded livers, where one of its seeds failed. Degrees of freedom of the sum
are Satterthwaite's (1946). `benchmarks.simulation` shows how often the intervals hold the truth.

Of several intervals at once each is made wider by Šidák's inequality (1967), which holds whatever their correlation.

References: Satterthwaite, An approximate distribution of estimates of variance components, 1946. Šidák, Rectangular
confidence regions for the means of multivariate normal distributions, 1967. Smyth, Linear models and empirical Bayes
methods for assessing differential expression in microarray experiments, 2004. Owen, The pigeonhole bootstrap, 2007, on
why resampling seeds and cases is no way around the components.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.special import chdtri, ndtri, stdtrit

CONFIDENCE = 0.95

PRIOR_DEGREES = 2.0
"""Weight of the pooled variance of seeds, beside the S - 1 degrees of freedom of a model's own."""


class Components(NamedTuple):
    """One model's mean and what it varies by. Arrays are [...] if not said otherwise.

    Attributes:
        value: the mean over seeds of each seed's mean over its valid cases.
        by_case: each case's share in the error of the mean, [..., C]; 0 for a case without a valid score.
        has_case: the cases with a valid score, [..., C].
        seeds: the number of seeds with a valid score.
        spread: the variance of the seeds' means, residual and all; NaN with one seed.
        residual: the part of it that is of the residual, and shows in the spread of cases as well.
    """

    value: np.ndarray
    by_case: np.ndarray
    has_case: np.ndarray
    seeds: np.ndarray
    spread: np.ndarray
    residual: np.ndarray


class Pool(NamedTuple):
    """The spread of seeds that is usual for several models: medians over them, [...], of `Components`.

    Attributes:
        spread: the spread of seeds, as it is for normal ones of which this is the median.
        residual: the part of it that is of the residual.
        degrees: degrees of freedom. A median has 2 / pi of those of a mean.
    """

    spread: np.ndarray
    residual: np.ndarray
    degrees: float


@dataclass(frozen=True, eq=False)
class Estimate:
    """A number with its variance and the degrees of freedom of that, arrays [...]; NaN where they cannot be told."""

    value: np.ndarray
    variance: np.ndarray
    degrees: np.ndarray

    def ends(self, comparisons: int = 1) -> tuple[np.ndarray, np.ndarray]:
        """The ends of the interval of 95 %, or of one of several that all hold at once in 95 % of studies."""
        # What never varied has no degrees of freedom, and needs none.
        half = np.where(
            self.variance == 0, 0.0, np.sqrt(self.variance) * stdtrit(self.degrees, _probability(comparisons))
        )
        return self.value - half, self.value + half


def components(scores: np.ndarray) -> Components:
    """The mean of one model's scores [..., S, C], NaN where one is not valid, and its components of variance."""
    valid = ~np.isnan(scores)
    has_seed, has_case = valid.any(axis=-1), valid.any(axis=-2)
    seeds, cases_of_seed = has_seed.sum(axis=-1), valid.sum(axis=-1)
    of_seed, of_case = _mean(scores, -1), _mean(scores, -2)
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = (scores - of_seed[..., None]) / (cases_of_seed * seeds[..., None])[..., None]
        # Within cases: which of them a seed lacks a score of does not make it better or worse.
        by_seed = _mean(scores - of_case[..., None, :], -1)
        by_seed = by_seed - _mean(by_seed, -1)[..., None]
        spread = np.nansum(by_seed**2, axis=-1) / (seeds - 1)
        residuals = scores - of_case[..., None, :] - by_seed[..., None]
        degrees = valid.sum(axis=(-2, -1)) - seeds - has_case.sum(axis=-1) + 1
        variance = np.nansum(residuals**2, axis=(-2, -1)) / np.maximum(degrees, 1)
        residual = variance * _mean(np.where(has_seed, 1 / cases_of_seed, np.nan), -1)
    return Components(_mean(of_seed, -1), np.nansum(shares, axis=-2), has_case, seeds, spread, residual)


def pool(models: Sequence[Components]) -> Pool:
    """Medians over the models that have two or more seeds; NaN without any."""
    models = [model for model in models if np.all(model.seeds > 1)]
    if not models:
        return Pool(np.asarray(np.nan), np.asarray(np.nan), 0.0)
    degrees = [model.seeds - 1 for model in models]
    spreads = [model.spread * of / chdtri(of, 0.5) for model, of in zip(models, degrees, strict=True)]
    residuals = [model.residual for model in models]
    return Pool(np.median(spreads, axis=0), np.median(residuals, axis=0), np.sum(degrees, axis=0) * 2 / np.pi)


def estimate(
    parts: Sequence[Components],
    weights: Sequence[float] = (1.0,),
    pooled: Pool | None = None,
) -> Estimate:
    """The weighted sum of means on the same cases, each from seeds of its own.

    `estimate([a])` is a mean, `estimate([a, b], (1, -1))` a difference, and with weights of 1 / a and -1 / b it has the
    variance of the logarithm of a ratio, to first order.

    Args:
        pooled: the spread of seeds that is usual for all models of the table; for the parts where it is not given.

    Returns:
        Numbers [...], without a variance where a part has fewer than two seeds or all of them fewer than two cases.
    """
    pooled = pool(parts) if pooled is None else pooled
    weighted = list(zip(weights, parts, strict=True))
    value = np.sum([weight * part.value for weight, part in weighted], axis=0)
    by_case = np.sum([weight * part.by_case for weight, part in weighted], axis=0)
    cases_degrees = np.any([part.has_case for part in parts], axis=0).sum(axis=-1) - 1
    with np.errstate(divide="ignore", invalid="ignore"):
        of_cases = (by_case**2).sum(axis=-1) * (cases_degrees + 1) / cases_degrees
        # Each part's spread is its own with the degrees of freedom that it has, and the pooled one for the rest.
        own = [
            weight**2 / part.seeds * (part.seeds - 1) / (part.seeds - 1 + PRIOR_DEGREES) for weight, part in weighted
        ]
        common = np.sum([weight**2 / part.seeds for weight, part in weighted], axis=0) - np.sum(own, axis=0)
        spreads = [*(factor * part.spread for factor, part in zip(own, parts, strict=True)), common * pooled.spread]
        residual = np.sum([factor * part.residual for factor, part in zip(own, parts, strict=True)], axis=0)
        spread = np.sum(spreads, axis=0)
        of_seeds = np.maximum(spread - residual - common * pooled.residual, 0)
        degrees: list[np.ndarray | float] = [*(part.seeds - 1 for part in parts), pooled.degrees]
        seeds_degrees = _satterthwaite(spreads, degrees)
        degrees_of_sum = np.where(
            of_seeds > 0, _satterthwaite([of_cases, of_seeds], [cases_degrees, seeds_degrees]), cases_degrees
        )
    return Estimate(value, of_cases + of_seeds, degrees_of_sum)


def _satterthwaite(variances: Sequence[np.ndarray], degrees: Sequence[np.ndarray | float]) -> np.ndarray:
    """The degrees of freedom of a sum of independent variances."""
    squares = [variance**2 / of for variance, of in zip(variances, degrees, strict=True)]
    return np.sum(variances, axis=0) ** 2 / np.sum(squares, axis=0)


def widening(comparisons: int) -> float:
    """The factor by which an interval of which only the ends are known is too narrow for one of several, if normal."""
    return float(ndtri(_probability(comparisons)) / ndtri(_probability(1)))


def _probability(comparisons: int) -> float:
    """The probability below the upper end of each of so many intervals that hold at once."""
    return (1 + CONFIDENCE ** (1 / comparisons)) / 2


def _mean(values: np.ndarray, axis: int) -> np.ndarray:
    """The mean without those that are NaN; NaN where there is no other."""
    valid = ~np.isnan(values)
    number = valid.sum(axis=axis)
    total = np.where(valid, values, 0.0).sum(axis=axis)
    return np.divide(total, number, out=np.full(total.shape, np.nan), where=number > 0)
