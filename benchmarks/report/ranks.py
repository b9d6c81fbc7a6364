"""Ranks of models, and how stable they are when seeds and cases are drawn again (bootstrap).

As many draws as there are seeds would understate the variance of their mean: with S seeds it would be (S - 1) / S of
the unbiased estimate, two thirds with three seeds. One draw fewer gives that estimate (Rao and Wu, Resampling inference
with complex survey data, 1988, where this is the case without rescaling). Cases are many enough to be drawn as they
are. No resampling makes up for how little a few seeds say about their variance: the intervals of
`benchmarks.report.intervals` allow for that by a pooled variance and quantiles of few degrees of freedom, ranks do not.
"""

from collections.abc import Hashable, Mapping
from typing import TypeVar

import numpy as np
import pandas as pd
from scipy.stats import rankdata

RESAMPLES = 4_000

Name = TypeVar("Name", bound=Hashable)


def rank_stability(
    scores: Mapping[Name, np.ndarray], generator: np.random.Generator, resamples: int = RESAMPLES
) -> pd.DataFrame:
    """Return the ranks of models by their mean score, the highest first, and their distribution under resampling.

    In each resample, the cases are drawn with replacement for all models together, as all are scored on the same ones,
    and for each model by itself one seed fewer than it has, but at least one. Models of the same mean share the mean of
    their ranks.

    Args:
        scores: scores [S, C] by model, NaN where one is not valid; all models have the same cases.
        generator: generator of the random numbers.
        resamples: number of resamples.

    Returns:
        A row per model, in the order of `scores`: `mean`, the mean over all valid scores; `rank`; `low` and `high`,
        the 2.5 % and 97.5 % quantiles of the rank; `first`, the share of resamples in which the rank is below 2; and
        `same`, the share in which it is the model's own rank.
    """
    (cases,) = {values.shape[1] for values in scores.values()}
    drawn = generator.multinomial(cases, np.full(cases, 1 / cases), resamples)
    means = np.stack([_means(values, _seeds(values, generator, resamples), drawn) for values in scores.values()])
    own = np.array([np.nanmean(values) if np.isfinite(values).any() else np.nan for values in scores.values()])
    ranks, rank = _ranks(means), _ranks(own[:, None])[:, 0]
    low, high = np.quantile(ranks, [0.025, 0.975], axis=1, method="inverted_cdf")
    return pd.DataFrame(
        {
            **{"mean": own, "rank": rank, "low": low, "high": high},
            **{"first": (ranks < 2).mean(axis=1), "same": (ranks == rank[:, None]).mean(axis=1)},
        },
        index=pd.Index(list(scores), tupleize_cols=False),
    )


def _seeds(values: np.ndarray, generator: np.random.Generator, resamples: int) -> np.ndarray:
    seeds = len(values)
    return generator.multinomial(max(seeds - 1, 1), np.full(seeds, 1 / seeds), resamples)


def _means(values: np.ndarray, seeds: np.ndarray, cases: np.ndarray) -> np.ndarray:
    """Return the weighted mean of the valid scores for each row of weights of seeds [B, S] and cases [B, C]."""
    valid = np.isfinite(values)
    total = np.einsum("bs,sc,bc->b", seeds, np.where(valid, values, 0.0), cases)
    weight = np.einsum("bs,sc,bc->b", seeds, valid, cases)
    return np.divide(total, weight, out=np.full(len(total), np.nan), where=weight > 0)


def _ranks(means: np.ndarray) -> np.ndarray:
    """Return the ranks [models, B] of means, 1 for the highest; a model without a valid score comes last."""
    return rankdata(np.where(np.isnan(means), np.inf, -means), axis=0)
