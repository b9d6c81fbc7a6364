"""The paper's checkable claims as data, and how numbers are selected and measured for them.

A claim is data (`results/published/claims.toml`): which numbers it is about, how they are compared and within what
limits. Nothing here knows of a particular claim.
"""

import itertools
import math
from collections.abc import Hashable, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from pydantic import BeforeValidator, Field, model_validator
from pydantic.dataclasses import dataclass

from benchmarks.report.intervals import Estimate, widening
from benchmarks.report.statistics import weighted
from ossnet.checks import STRICT
from ossnet.config import build, read_toml

Kind = Literal["value", "difference", "ratio", "spread"]
Setting = Literal["sampling", "locations", "resolution", "extraction", "slices"]
Column = Literal["table", "dataset", "model", "quantity", "unit", Setting]


def _listed(value: object) -> object:
    return value if isinstance(value, list | tuple) else (value,)


Values = Annotated[tuple[str | int, ...], Field(min_length=1), BeforeValidator(_listed)]
Selection = Mapping[Column, Values]
"""Rows by the values of their columns. Each combination of the listed values must be there; a text may be a pattern
such as `unet2d-*`, which stands for whatever is there. A column that is not named is free."""

Row = Mapping[Hashable, Any]
"""A record or a number of the paper: only the columns in which it has something."""


def fits(value: object, wanted: object) -> bool:
    """Whether a column's value is the wanted one, or of the wanted pattern."""
    return value == wanted or (isinstance(value, str) and isinstance(wanted, str) and fnmatchcase(value, wanted))


def select(rows: Sequence[Row], selection: Selection) -> tuple[list[Row], list[Row]]:
    """The rows of a selection, and each combination of its values that no row has."""
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
    """A number and the ends of its interval: infinite where they are not known, alike where it is exact."""

    value: float
    low: float
    high: float


def measure(kind: Kind, group: Sequence[Row], comparisons: int = 1) -> Interval:
    """A measure of some records, with its interval of 95 % or, of several comparisons, one of those that hold at once.

    Where both numbers of a difference or ratio have `scores` of one table and source, their cases are paired, and their
    seeds if they are of the same training; the interval of a ratio is that of its logarithm, to first order. Else it
    goes from the lowest to the highest value that the ends of the parts allow. A spread is the largest difference of
    two numbers; its interval is that of all differences at once. Of a number that has but `low` and `high`, such as a
    timing, one of several intervals is made wider as that of a normal number would be.
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
    """The ends of a number's interval, or of one of several that hold at once."""
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
    """The weighted sum of numbers that have scores of the same cases."""
    scores = [row["scores"] for row in group]
    # What is usual for seeds is so for one quantity.
    alike = len({row["quantity"] for row in group}) == 1
    return weighted(scores, weights, scores[0].pooled if alike else None)


@dataclass(frozen=True, config=STRICT)
class Comparison:
    """One test of a claim: every measure that it makes must lie within its limits.

    Attributes:
        kind: `value` (each number of `of`), `difference` (each `of` minus each `to`), `ratio` (each `of` over each
            `to`) or `spread` (the largest of `of` minus the smallest). A number is never compared with itself.
        same: columns in which the two sides of a difference or a ratio must agree to be compared.
        equals, at_least, at_most: the limits: either `equals`, or one or both of the others.
        tolerance: by which the limits are widened.
        tolerance_published: in its place for the paper's own tables, for a number that the text rounds.
    """

    kind: Kind
    of: Selection
    to: Selection = Field(default_factory=dict)
    same: tuple[Column, ...] = ()
    equals: float | None = None
    at_least: float | None = None
    at_most: float | None = None
    tolerance: float = Field(default=0.0, ge=0)
    tolerance_published: float | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _check(self) -> "Comparison":
        paired = self.kind in ("difference", "ratio")
        if paired != bool(self.to) or (self.same and not paired):
            raise ValueError("a difference or ratio needs `to`, and only those take `to` and `same`")
        if (self.equals is None) == (self.at_least is None and self.at_most is None):
            raise ValueError("give either `equals` or one or both of `at_least` and `at_most`")
        return self

    def limits(self, published: bool) -> tuple[float, float]:
        """The lowest and the highest value that the claim allows, for our records or for the paper's tables."""
        tolerance = self.tolerance
        if published and self.tolerance_published is not None:
            tolerance = self.tolerance_published
        lowest = self.at_least if self.equals is None else self.equals
        highest = self.at_most if self.equals is None else self.equals
        return (
            -math.inf if lowest is None else lowest - tolerance,
            math.inf if highest is None else highest + tolerance,
        )


@dataclass(frozen=True, config=STRICT)
class Claim:
    """A statement of the paper.

    Attributes:
        subject: what it is about; claims of one subject are shown together.
        text: the statement, in other words than the paper's.
        where: its section, table, footnote or figure.
        why: the reason for the limits and tolerances, and how a vague word was read.
        on: what every selection of the tests has in common.
        tests: all of them must hold.
        beside: numbers that are shown with the verdict, since they explain it, and have no bearing on it.
        by_definition: our records cannot but agree, by the definition of what they measure, so that only the paper's
            tables are judged.
    """

    id: str
    subject: str
    text: str
    where: str
    why: str
    on: Selection
    tests: tuple[Comparison, ...] = Field(min_length=1)
    beside: Selection = Field(default_factory=dict)
    by_definition: bool = False


@dataclass(frozen=True, config=STRICT)
class _ClaimFile:
    claims: tuple[Claim, ...]

    @model_validator(mode="after")
    def _check(self) -> "_ClaimFile":
        ids = [claim.id for claim in self.claims]
        twice = {name for name in ids if ids.count(name) > 1}
        if twice:
            raise ValueError(f"two claims have the id {min(twice)}")
        return self


def read_claims(path: str | Path) -> list[Claim]:
    """The claims of a TOML file, in its order.

    Raises:
        UserError: the file is missing or no TOML; a field is unknown, missing or refused; two claims share an id.
    """
    return list(build(_ClaimFile, read_toml(path), str(path)).claims)
