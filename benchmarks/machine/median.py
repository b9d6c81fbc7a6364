"""Interval of a median by order statistics; importable without torch."""

from collections.abc import Sequence
from math import comb

CONFIDENCE = 0.95
"""Confidence of intervals, where the number of repeats allows it."""


def coverage(count: int, rank: int) -> float:
    """Return the chance that the true median lies between the `rank`-th smallest and the `rank`-th largest draw.

    It is exact for independent draws of any continuous distribution: the number of draws below the median is binomial
    with probability 1/2, and the interval misses the median if fewer than `rank` draws fall on one side of it.

    Args:
        count: number of draws.
        rank: rank of the bounds, from 1.
    """
    return 1 - 2 * sum(comb(count, below) for below in range(rank)) / 2**count


def interval_rank(count: int, confidence: float = CONFIDENCE) -> int:
    """Return the rank of the narrowest interval whose `coverage` is at least `confidence`; 1 where none reaches that.

    At 0.95 the rank is 1 up to 8 repeats (coverage 0.9844 for seven), 2 from 9 on, 3 from 12 on. Up to five repeats
    cannot reach 0.95: from smallest to largest, the coverage is 0.75 for three, 0.875 for four and 0.9375 for five.
    """
    ranks = range(1, count // 2 + 1)
    return max((rank for rank in ranks if coverage(count, rank) >= confidence), default=1)


def median_interval(values: Sequence[float], confidence: float = CONFIDENCE) -> tuple[float, float] | None:
    """Return the interval of the median by order statistics; None for fewer than two values.

    Order statistics assume no distribution. See `interval_rank` for the coverage with few values.
    """
    if len(values) < 2:
        return None
    ordered = sorted(values)
    rank = interval_rank(len(values), confidence)
    return ordered[rank - 1], ordered[-rank]
