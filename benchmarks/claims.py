"""The paper's checkable claims as data.

A claim is data (`results/published/claims.toml`): which numbers it is about, how they are compared and within what
limits. Nothing here knows of a particular claim.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator
from pydantic.dataclasses import dataclass

from ossnet.config import STRICT, build, read_toml

Setting = Literal["sampling", "locations", "resolution", "extraction"]
Column = Literal["table", "dataset", "model", "quantity", "unit", Setting]


def _listed(value: object) -> object:
    return value if isinstance(value, list | tuple) else (value,)


Values = Annotated[tuple[str | int, ...], Field(min_length=1), BeforeValidator(_listed)]
Selection = Mapping[Column, Values]
"""Rows by the values of their columns. Each combination of the listed values must be there; a text may be a pattern
such as `unet2d-*`, which stands for whatever is there. A column that is not named is free."""


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

    kind: Literal["value", "difference", "ratio", "spread"]
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
        text: the statement, in other words than the paper's.
        where: its section, table, footnote or figure.
        why: the reason for the limits and tolerances, and how a vague word was read.
        on: what every selection of the tests has in common.
        tests: all of them must hold.
    """

    id: str
    text: str
    where: str
    why: str
    on: Selection
    tests: tuple[Comparison, ...] = Field(min_length=1)


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
