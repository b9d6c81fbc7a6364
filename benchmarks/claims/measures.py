"""Numbers selected for a claim, and their values, differences, ratios and spreads with intervals."""

import itertools
import math
from collections.abc import Hashable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

import numpy as np

from benchmarks.claims.schema import Kind, Selection
from benchmarks.report.intervals import Estimate, widening
from benchmarks.report.statistics import weighted

Row = Mapping[Hashable, Any]
"""A number of our records or of the paper, without the columns in which it has no value."""


def fits(value: object, wanted: object) -> bool:
    """Return whether a column's value equals the wanted one or matches the wanted pattern."""
    return value == wanted or (isinstance(value, str) and isinstance(wanted, str) and fnmatchcase(value, wanted))


def select(rows: Sequence[Row], selection: Selection) -> tuple[list[Row], list[Row]]:
    """Return the selected rows, and each combination of the selection's values that no row has."""
    chosen: list[Row] = []
    absent: list[Row] = []
    for values in itertools.product(*selection.values()):
        wanted: Row = dict(zip(selection, values, strict=True))
        fitting = [row for row in rows if all(fits(row.get(column), value) for column, value in wanted.items())]
        chosen += fitting
        if not fitting:
            absent.append(wanted)
    return chosen, absent


class Interval(NamedTuple):
    """A number and the ends of its interval: infinite where they are unknown, equal where the number is exact."""

    value: float
    low: float
    high: float


def measure(kind: Kind, group: Sequence[Row], comparisons: int = 1) -> Interval:
    """Measure some numbers, with an interval of 95 %.

    Where both numbers of a difference or ratio have `scores` of one table and source, their cases are paired, and so
    are their seeds if they share a training. The interval of a ratio is then that of its logarithm, to first order.
    Otherwise it reaches from the lowest to the highest value that the intervals of the two numbers allow. A spread is
    the largest difference of two numbers, and its interval is that of all differences jointly.

    Args:
        kind: the measure.
        group: one number for a value, two for a difference or a ratio, two or more for a spread.
        comparisons: the number of intervals that hold jointly in 95 % of studies. A number that has only `low` and
            `high`, such as a runtime, gets the wider interval that a normally distributed number would have.
    """
    if kind == "spread":
        pairs = list(itertools.combinations(group, 2))
        differences = [measure("difference", pair, comparisons * len(pairs)) for pair in pairs]
        lowest = max(max(one.low, -one.high) for one in differences)
        highest = max(max(one.high, -one.low) for one in differences)
        return Interval(max(abs(one.value) for one in differences), max(0.0, lowest), highest)
    first, *rest = (float(row["value"]) for row in group)
    (low, high), *others = (_ends(row, comparisons) for row in group)
    if kind == "value":
        return Interval(first, low, high)
    (second,), ((other_low, other_high),) = rest, others
    paired = all("scores" in row for row in group) and len({(row.get("table"), row["source"]) for row in group}) == 1
    if kind == "difference":
        if paired:
            return Interval(first - second, *_known(_weighted(group, (1, -1)).ends(comparisons)))
        return Interval(first - second, low - other_high, high - other_low)
    # A ratio is that of positive numbers; over what may be 0, it may be anything.
    if other_low <= 0:
        return Interval(first / second if second else math.nan, -math.inf, math.inf)
    if paired and first > 0:
        logarithms = _known(_weighted(group, (1 / first, -1 / second)).ends(comparisons))
        return Interval(first / second, *(first / second * math.exp(end) for end in logarithms))
    return Interval(first / second, low / other_high, high / other_low)


def _ends(row: Row, comparisons: int) -> tuple[float, float]:
    """Return the ends of a number's interval."""
    if "scores" in row:
        return _known(_weighted([row], [1]).ends(comparisons))
    if "low" not in row or "high" not in row:
        return -math.inf, math.inf
    value, factor = row["value"], widening(comparisons)
    return value - factor * (value - row["low"]), value + factor * (row["high"] - value)


def _known(ends: tuple[np.ndarray, np.ndarray]) -> tuple[float, float]:
    low, high = map(float, ends)
    return (-math.inf, math.inf) if math.isnan(low) else (low, high)


def _weighted(group: Sequence[Row], weights: Sequence[float]) -> Estimate:
    """Return the weighted sum of numbers whose scores are of the same cases."""
    scores = [row["scores"] for row in group]
    # The usual spread of seeds is that of one quantity.
    one_quantity = len({row["quantity"] for row in group}) == 1
    return weighted(scores, weights, scores[0].pooled if one_quantity else None)
