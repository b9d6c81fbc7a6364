"""Intervals of means over seeds and cases: variance components, degrees of freedom and quantiles.

A score is taken to be

    score[model, seed, case] = mean[model] + seed[model, seed] + case[case] + interaction[model, case] + residual

with seeds and cases drawn at random: a two-way random-effects model, whose cases all models share and whose seeds
they do not. The mean over S seeds and C cases varies by seeds / S + (case + interaction) / C + residual / (S C). The
spread of the seeds' means and that of the cases' means each hold the residual, so that it is taken off once.

Three seeds tell little of their variance. Each model's is therefore drawn towards a pooled one, the median over the
trainings of the table, which weighs as much as two degrees of freedom: half with three seeds, less with more
(shrinkage, as in Smyth's moderated t, 2004, with a fixed prior weight and a robust target). A model's own alone has two
degrees of freedom, and intervals that hold jointly would tell nothing; the pooled one alone would be wrong for a model
that differs in it, as OSS-Net A does on the embedded livers, where one of its seeds failed. Degrees of freedom of the
sum are Satterthwaite's (1946). `benchmarks.report.simulation` shows how often the intervals hold the truth.

Scorings of one training, such as several extractions, share its seeds. They count once in the pool, and their
difference is that of each seed, whose variance is its own: what differs between trainings tells nothing of it. Without
a pool the variance of seeds has few degrees of freedom, and intervals by Satterthwaite's hold the truth too seldom. The
half width is then the root of the sum of squares of the components' own, as in the method of variance estimates
recovery (Zou and Donner 2008), which is never much too narrow.

Of several intervals at once each is made wider by Šidák's inequality (1967), which holds whatever their correlation.

References: Satterthwaite, An approximate distribution of estimates of variance components, 1946. Šidák, Rectangular
confidence regions for the means of multivariate normal distributions, 1967. Smyth, Linear models and empirical Bayes
methods for assessing differential expression in microarray experiments, 2004. Zou and Donner, Construction of
confidence limits about effect measures: a general approach, 2008. Owen, The pigeonhole bootstrap, 2007, on
why resampling seeds and cases is no way around the components.
"""

from collections.abc import Hashable, Iterable, Sequence
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
    """The spread of seeds that is usual for several trainings: medians over them, [...], of `Components`.

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
    """A number with the components of its variance, arrays [...]; NaN where they cannot be told.

    Attributes:
        cases: the variance that is due to cases, the residual's included.
        cases_degrees: its degrees of freedom, and those of the residual.
        spread: the variance that is due to seeds, residual and all.
        residual: the part of `spread` that is of the residual, and in `cases` as well.
        spread_degrees: degrees of freedom of `spread`.
        pooled: `spread` was drawn towards that of other trainings.
    """

    value: np.ndarray
    cases: np.ndarray
    cases_degrees: np.ndarray
    spread: np.ndarray
    residual: np.ndarray
    spread_degrees: np.ndarray
    pooled: bool

    @property
    def seeds(self) -> np.ndarray:
        """The variance that is due to seeds, without the residual."""
        return np.maximum(self.spread - self.residual, 0)

    @property
    def variance(self) -> np.ndarray:
        return self.cases + self.seeds

    @property
    def degrees(self) -> np.ndarray:
        """Satterthwaite's degrees of freedom of the variance."""
        both = _satterthwaite([self.cases, self.seeds], [self.cases_degrees, self.spread_degrees])
        return np.where(self.seeds > 0, both, self.cases_degrees)

    def ends(self, comparisons: int = 1) -> tuple[np.ndarray, np.ndarray]:
        """The ends of the interval of 95 %, or of one of several that all hold at once in 95 % of studies."""
        probability = _probability(comparisons)
        if self.pooled:
            square = _square(self.variance, self.degrees, probability)
        else:
            # Of three seeds alone a variance is often far too low, and would then lend the sum the cases' degrees.
            of_seeds = _square(self.spread, self.spread_degrees, probability)
            of_residual = _square(self.residual, self.cases_degrees, probability)
            square = _square(self.cases, self.cases_degrees, probability) + np.maximum(of_seeds - of_residual, 0)
        half = np.sqrt(square)
        return self.value - half, self.value + half


def _square(variance: np.ndarray, degrees: np.ndarray, probability: float) -> np.ndarray:
    """The square of a t interval's half width."""
    # What never varied has no degrees of freedom, and needs none.
    return np.where(variance == 0, 0.0, variance * stdtrit(degrees, probability) ** 2)


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


def pool(models: Iterable[tuple[Hashable, Components]]) -> Pool | None:
    """Medians over the trainings that have two or more seeds; None for fewer than two of them.

    Args:
        models: pairs of a training and a model as it was scored. Of several scorings of one training the mean counts.
    """
    scorings: dict[Hashable, list[Components]] = {}
    for training, model in models:
        if np.all(model.seeds > 1):
            scorings.setdefault(training, []).append(model)
    if len(scorings) < 2:
        return None
    spreads, residuals, degrees = [], [], []
    for of_training in scorings.values():
        own = np.mean([model.seeds for model in of_training], axis=0) - 1
        spreads.append(np.mean([model.spread for model in of_training], axis=0) * own / chdtri(own, 0.5))
        residuals.append(np.mean([model.residual for model in of_training], axis=0))
        degrees.append(own)
    return Pool(np.median(spreads, axis=0), np.median(residuals, axis=0), np.sum(degrees, axis=0) * 2 / np.pi)


def weigh(
    scores: Sequence[np.ndarray],
    weights: Sequence[float],
    trainings: Sequence[Hashable],
    pooled: Pool | None,
) -> Estimate:
    """The weighted sum of the means of several models' scores [..., S, C] of the same cases.

    Those of one training have the same seeds, in their order, and are paired in them: NaN in one is NaN in the sum.
    """
    if len(scores) > 1 and len(set(trainings)) == 1:
        paired = np.sum([weight * of_model for weight, of_model in zip(weights, scores, strict=True)], axis=0)
        return estimate([components(paired)])
    return estimate([components(of_model) for of_model in scores], weights, pooled)


def estimate(
    parts: Sequence[Components],
    weights: Sequence[float] = (1.0,),
    pooled: Pool | None = None,
) -> Estimate:
    """The weighted sum of means on the same cases, each from seeds of its own.

    `estimate([a])` is a mean, `estimate([a, b], (1, -1))` a difference, and with weights of 1 / a and -1 / b it has the
    variance of the logarithm of a ratio, to first order.

    Args:
        pooled: the spread of seeds that is usual for the trainings of the table; None to take each part's own alone.

    Returns:
        Numbers [...], without a variance where a part has fewer than two seeds or all of them fewer than two cases.
    """
    weighted = list(zip(weights, parts, strict=True))
    value = np.sum([weight * part.value for weight, part in weighted], axis=0)
    by_case = np.sum([weight * part.by_case for weight, part in weighted], axis=0)
    cases_degrees = np.any([part.has_case for part in parts], axis=0).sum(axis=-1) - 1
    with np.errstate(divide="ignore", invalid="ignore"):
        of_cases = (by_case**2).sum(axis=-1) * (cases_degrees + 1) / cases_degrees
        # Each part's spread is its own with the degrees of freedom that it has, and the pooled one for the rest.
        prior = 0.0 if pooled is None else PRIOR_DEGREES
        factors = [weight**2 / part.seeds for weight, part in weighted]
        own = [
            factor * (part.seeds - 1) / (part.seeds - 1 + prior) for factor, part in zip(factors, parts, strict=True)
        ]
        spreads = [factor * part.spread for factor, part in zip(own, parts, strict=True)]
        residual = np.sum([factor * part.residual for factor, part in zip(own, parts, strict=True)], axis=0)
        degrees: list[np.ndarray | float] = [part.seeds - 1 for part in parts]
        if pooled is not None:
            common = np.sum(factors, axis=0) - np.sum(own, axis=0)
            spreads.append(common * pooled.spread)
            residual = residual + common * pooled.residual
            degrees.append(pooled.degrees)
        spread_degrees = _satterthwaite(spreads, degrees)
    spread = np.sum(spreads, axis=0)
    return Estimate(value, of_cases, cases_degrees, spread, residual, spread_degrees, pooled is not None)


def _satterthwaite(variances: Sequence[np.ndarray], degrees: Sequence[np.ndarray | float]) -> np.ndarray:
    """The degrees of freedom of a sum of independent variances."""
    with np.errstate(divide="ignore", invalid="ignore"):
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
