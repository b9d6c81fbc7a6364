"""Intervals of means over seeds and cases: variance components, degrees of freedom and quantiles.

A score is modelled as

    score[model, seed, case] = mean[model] + seed[model, seed] + case[case] + interaction[model, case] + residual

with seeds and cases drawn at random. This is a two-way random-effects model, in which all models share the cases but
not the seeds. The mean over S seeds and C cases varies by seeds / S + (case + interaction) / C + residual / (S C). The
spread of the seeds' means and that of the cases' means each contain the residual, so it is subtracted once.

Three seeds say little about their variance. Each model's variance is therefore shrunk towards a pooled one, the median
over the trainings of the table, which weighs as much as two degrees of freedom: a half with three seeds, less with more
(as in Smyth's moderated t, 2004, with a fixed prior weight and a robust target). The model's own variance alone has two
degrees of freedom, with which joint intervals would be too wide to be of use. The pooled one alone would be wrong for a
model that differs, as OSS-Net A does on the embedded livers, where one of its seeds failed. The degrees of freedom of
the sum are Satterthwaite's (1946). `benchmarks.report.simulation` shows how often the intervals cover the truth.

Scorings of one training, such as several extractions, share its seeds. They count once in the pool. Their difference is
taken within each seed and uses only its own variance, since differences between trainings are unrelated to it. Without
a pool the variance of seeds has few degrees of freedom, and Satterthwaite's intervals cover the truth too seldom. The
half width is then the root of the sum of squares of the components' half widths, as in the method of variance estimates
recovery (Zou and Donner 2008), which is never much too narrow.

Joint intervals are widened by Šidák's inequality (1967), which holds for any correlation.

References: Satterthwaite, An approximate distribution of estimates of variance components, 1946. Šidák, Rectangular
confidence regions for the means of multivariate normal distributions, 1967. Smyth, Linear models and empirical Bayes
methods for assessing differential expression in microarray experiments, 2004. Zou and Donner, Construction of
confidence limits about effect measures: a general approach, 2008. Owen, The pigeonhole bootstrap, 2007, on
why resampling seeds and cases does not avoid estimating the components.
"""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.special import chdtri, nctdtrinc, ndtri, stdtrit

CONFIDENCE = 0.95

POWER = 0.8
"""Probability with which a study detects a difference that it can detect."""

PRIOR_DEGREES = 2.0
"""Weight of the pooled variance of seeds, in degrees of freedom; a model's own variance has S - 1."""


class Components(NamedTuple):
    """One model's mean and its components of variance. Arrays are [...] unless stated otherwise.

    Attributes:
        value: the mean over seeds of each seed's mean over its valid cases.
        by_case: each case's share in the error of the mean, [..., C]; 0 for a case without a valid score.
        has_case: whether a case has a valid score, [..., C].
        seeds: the number of seeds with a valid score.
        spread: the variance of the seeds' means, residual included; NaN with one seed.
        residual: the residual's part of `spread`, which is in the spread of cases as well.
    """

    value: np.ndarray
    by_case: np.ndarray
    has_case: np.ndarray
    seeds: np.ndarray
    spread: np.ndarray
    residual: np.ndarray


class Pool(NamedTuple):
    """The usual spread of seeds over several trainings: medians of `Components`, [...].

    Attributes:
        spread: the median spread of seeds, scaled to the variance of normally distributed seeds.
        residual: the residual's part of `spread`.
        degrees: the degrees of freedom; a median has 2 / pi times those of a mean.
    """

    spread: np.ndarray
    residual: np.ndarray
    degrees: float


@dataclass(frozen=True, eq=False)
class Estimate:
    """A number with the components of its variance, arrays [...]; NaN where they are unknown.

    Attributes:
        value: the number.
        cases: the variance due to cases, residual included.
        cases_degrees: the degrees of freedom of `cases` and `residual`.
        spread: the variance due to seeds, residual included.
        residual: the residual's part of `spread`, which is in `cases` as well.
        spread_degrees: the degrees of freedom of `spread`.
        pooled: whether `spread` was shrunk towards that of other trainings.
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
        """The variance due to seeds, without the residual."""
        return np.maximum(self.spread - self.residual, 0)

    @property
    def variance(self) -> np.ndarray:
        """The variance of the number."""
        return self.cases + self.seeds

    @property
    def degrees(self) -> np.ndarray:
        """Satterthwaite's degrees of freedom of the variance."""
        both = _satterthwaite([self.cases, self.seeds], [self.cases_degrees, self.spread_degrees])
        return np.where(self.seeds > 0, both, self.cases_degrees)

    def ends(self, comparisons: int = 1) -> tuple[np.ndarray, np.ndarray]:
        """Return the ends of the interval of 95 %, or of one of `comparisons` intervals that hold jointly."""
        half = self._half_width(_probability(comparisons))
        return self.value - half, self.value + half

    def detectable(self, comparisons: int = 1) -> np.ndarray:
        """Return the smallest true value whose interval is above 0 in 80 % of studies with this variance.

        The number over its standard error, which varies from study to study, too, has a noncentral t distribution.
        """
        deviation = np.sqrt(self.variance)
        with np.errstate(divide="ignore", invalid="ignore"):
            quantile = self._half_width(_probability(comparisons)) / deviation
        return np.where(deviation == 0, 0.0, deviation * nctdtrinc(self.degrees, 1 - POWER, quantile))

    def _half_width(self, probability: float) -> np.ndarray:
        """Return the half width of the interval whose upper end has a probability below it."""
        if self.pooled:
            return np.sqrt(_square(self.variance, self.degrees, probability))
        # The variance of three seeds is often far too low, and the sum would then get the degrees of the cases.
        of_seeds = _square(self.spread, self.spread_degrees, probability)
        of_residual = _square(self.residual, self.cases_degrees, probability)
        of_cases = _square(self.cases, self.cases_degrees, probability)
        return np.sqrt(of_cases + np.maximum(of_seeds - of_residual, 0))


def _square(variance: np.ndarray, degrees: np.ndarray, probability: float) -> np.ndarray:
    """Return the square of a t interval's half width."""
    # A variance of 0 has no degrees of freedom, and needs none.
    return np.where(variance == 0, 0.0, variance * stdtrit(degrees, probability) ** 2)


def components(scores: np.ndarray) -> Components:
    """Return the mean and components of variance of one model's scores [..., S, C], NaN where one is not valid."""
    valid = ~np.isnan(scores)
    has_seed, has_case = valid.any(axis=-1), valid.any(axis=-2)
    seeds, cases_of_seed = has_seed.sum(axis=-1), valid.sum(axis=-1)
    of_seed, of_case = _mean(scores, -1), _mean(scores, -2)
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = (scores - of_seed[..., None]) / (cases_of_seed * seeds[..., None])[..., None]
        # Within cases, so that a seed is not better or worse for the cases of which it lacks a score.
        by_seed = _mean(scores - of_case[..., None, :], -1)
        by_seed = by_seed - _mean(by_seed, -1)[..., None]
        spread = np.nansum(by_seed**2, axis=-1) / (seeds - 1)
        residuals = scores - of_case[..., None, :] - by_seed[..., None]
        degrees = valid.sum(axis=(-2, -1)) - seeds - has_case.sum(axis=-1) + 1
        variance = np.nansum(residuals**2, axis=(-2, -1)) / np.maximum(degrees, 1)
        residual = variance * _mean(np.where(has_seed, 1 / cases_of_seed, np.nan), -1)
    return Components(_mean(of_seed, -1), np.nansum(shares, axis=-2), has_case, seeds, spread, residual)


def pool(models: Iterable[tuple[Hashable, Components]]) -> Pool | None:
    """Return medians over the trainings that have two or more seeds; None for fewer than two such trainings.

    Args:
        models: pairs of a training and the components of a scoring. Several scorings of one training are averaged.
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
    """Return the weighted sum of the means of several models' scores of the same cases.

    If all models share a training, their seeds are the same, in the same order, and are paired: NaN in one model is NaN
    in the sum.

    Args:
        scores: the scores [..., S, C] of each model.
        weights: the weight of each model.
        trainings: the identifier of each model's training.
        pooled: the usual spread of seeds, as for `estimate`.
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
    """Return the weighted sum of means on the same cases, each from seeds of its own.

    `estimate([a])` is a mean and `estimate([a, b], (1, -1))` a difference. With weights of 1 / a and -1 / b, the
    variance is that of the logarithm of a ratio, to first order.

    Args:
        parts: the components of each mean.
        weights: the weight of each mean.
        pooled: the usual spread of seeds over the trainings of the table; None to use each part's own spread alone.

    Returns:
        Numbers [...], without a variance where a part has fewer than two seeds or all parts have fewer than two cases.
    """
    weighted = list(zip(weights, parts, strict=True))
    value = np.sum([weight * part.value for weight, part in weighted], axis=0)
    by_case = np.sum([weight * part.by_case for weight, part in weighted], axis=0)
    cases_degrees = np.any([part.has_case for part in parts], axis=0).sum(axis=-1) - 1
    with np.errstate(divide="ignore", invalid="ignore"):
        of_cases = (by_case**2).sum(axis=-1) * (cases_degrees + 1) / cases_degrees
        # Each part's spread is the mean of its own, weighted by its degrees of freedom, and the pooled one.
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
    """Return the degrees of freedom of a sum of independent variances."""
    with np.errstate(divide="ignore", invalid="ignore"):
        squares = [variance**2 / of for variance, of in zip(variances, degrees, strict=True)]
        return np.sum(variances, axis=0) ** 2 / np.sum(squares, axis=0)


def widening(comparisons: int) -> float:
    """Return the factor that turns the interval of a normally distributed number into one of several joint ones."""
    return float(ndtri(_probability(comparisons)) / ndtri(_probability(1)))


def _probability(comparisons: int) -> float:
    """Return the probability below the upper end of each of `comparisons` intervals that hold jointly."""
    return (1 + CONFIDENCE ** (1 / comparisons)) / 2


def _mean(values: np.ndarray, axis: int) -> np.ndarray:
    """Return the mean of the values that are not NaN; NaN if all are."""
    valid = ~np.isnan(values)
    number = valid.sum(axis=axis)
    total = np.where(valid, values, 0.0).sum(axis=axis)
    return np.divide(total, number, out=np.full(total.shape, np.nan), where=number > 0)
