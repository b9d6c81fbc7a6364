"""The paper's checkable claims as data, and how numbers are selected and measured for them.

A claim is data (`results/published/claims.toml`): which numbers it is about, how they are compared and within what
limits. Nothing here knows of a particular claim.
"""

import itertools
import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from pydantic import BeforeValidator, Field, model_validator
from pydantic.dataclasses import dataclass

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


PERCENTILES = (2.5, 97.5)
"""Of resampled numbers: the ends of an interval of 95 %."""


class Interval(NamedTuple):
    """A number and the ends of its interval: infinite where they are not known, alike where it is exact."""

    value: float
    low: float
    high: float


MEASURES: dict[Kind, Callable[[np.ndarray], np.ndarray]] = {
    "value": lambda parts: parts[0],
    "difference": lambda parts: parts[0] - parts[1],
    "ratio": lambda parts: parts[0] / parts[1],
    "spread": lambda parts: np.ptp(parts, axis=0),
}
"""Of k parts [k, ...]."""

FURTHEST: dict[Kind, Callable[[np.ndarray, np.ndarray], tuple[float, float]]] = {
    "value": lambda low, high: (low[0], high[0]),
    "difference": lambda low, high: (low[0] - high[1], high[0] - low[1]),
    "ratio": lambda low, high: (low[0] / high[1], high[0] / low[1]),
    "spread": lambda low, high: (max(0.0, max(low) - min(high)), max(high) - min(low)),
}
"""The lowest and the highest that a measure can be, of the parts' lower and upper ends [k]."""


def measure(kind: Kind, group: Sequence[Row]) -> Interval:
    """A measure of some records, each with `value` and, if known, `low` and `high`.

    Where every record has the means `resampled` [B] and all of them are of one table and source, thus drawn jointly,
    its interval is that of 95 % of the measure of these means. Else it goes from the lowest to the highest value that
    the ends of the parts allow.
    """
    values = np.array([row["value"] for row in group])
    known = np.array(["low" in row and "high" in row for row in group])
    low, high = (np.array([row.get(end, math.nan) for row in group]) for end in ("low", "high"))
    low, high = np.where(known, low, -math.inf), np.where(known, high, math.inf)
    # A ratio is that of positive numbers; over what may be 0, it may be anything.
    if kind == "ratio" and low[1] <= 0:
        return Interval(values[0] / values[1] if values[1] else math.nan, -math.inf, math.inf)
    value = float(MEASURES[kind](values))
    resampled = [row["resampled"] for row in group if "resampled" in row]
    drawn_for = {(row.get("table"), row["source"]) for row in group}
    if kind != "value" and known.all() and len(resampled) == len(group) and len(drawn_for) == 1:
        measures = MEASURES[kind](np.stack(resampled))
        if kind == "spread":
            # Chance drives extremes apart: resampled spreads are too large by about as much as they exceed this one.
            measures = measures - (np.nanmean(measures) - value)
        ends = np.nanpercentile(measures, PERCENTILES)
    else:
        ends = FURTHEST[kind](low, high)
    return Interval(value, float(ends[0]), float(ends[1]))


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
    """

    id: str
    subject: str
    text: str
    where: str
    why: str
    on: Selection
    tests: tuple[Comparison, ...] = Field(min_length=1)
    beside: Selection = Field(default_factory=dict)


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
