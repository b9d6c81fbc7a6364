"""The paper's claims as data: `results/published/claims.toml`.

A claim says which numbers it is about, how they are compared and within which limits. No code depends on a particular
claim.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator
from pydantic.dataclasses import dataclass

from ossnet.checks import STRICT
from ossnet.config import build, read_toml

Kind = Literal["value", "difference", "ratio", "spread"]
Setting = Literal["sampling", "locations", "resolution", "extraction", "slices", "change"]
Column = Literal["table", "dataset", "model", "quantity", "unit", Setting]


def _as_sequence(value: object) -> object:
    return value if isinstance(value, list | tuple) else (value,)


Values = Annotated[tuple[str | int, ...], Field(min_length=1), BeforeValidator(_as_sequence)]
Selection = Mapping[Column, Values]
"""Selected numbers, by the values of their columns.

Every combination of the listed values must exist. A text may be a pattern such as `unet2d-*`, which selects whatever
exists. A column that is not named may have any value.
"""


@dataclass(frozen=True, config=STRICT)
class Comparison:
    """A test of a claim. Every measure that it makes must lie within its limits.

    Attributes:
        kind: the measure: `value` (each number of `of`), `difference` (each `of` minus each `to`), `ratio` (each `of`
            over each `to`) or `spread` (the largest of `of` minus the smallest). No number is compared with itself.
        of: the numbers that are measured.
        to: the numbers that they are compared with, for a difference or a ratio.
        same: columns in which both sides of a difference or a ratio must agree.
        equals: the value that the claim gives; excludes `at_least` and `at_most`.
        at_least: the lower limit.
        at_most: the upper limit.
        tolerance: the amount by which the limits are widened.
        tolerance_published: the tolerance for the paper's own tables, where the text rounds a number of theirs.
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
        """Return the lowest and the highest value that the claim allows, infinite where there is no limit.

        Args:
            published: whether the numbers are those of the paper's tables.
        """
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
        id: a short unique name.
        subject: the heading under which the claim is listed.
        text: the statement in one sentence, in other words than the paper's.
        where: its section, table, footnote or figure.
        why: the reason for the limits and tolerances, and the reading of vague words.
        on: the selection that all tests share.
        tests: the tests; the claim holds if all of them hold.
        ablations: tests of the same statement by the studies that change one part of a network at a time. They have a
            verdict of their own; the selection that all tests share holds for them, too, but they name their table.
        beside: numbers that are given because they explain the verdict; they have no part in it.
        by_definition: whether our records agree by the definition of what they measure, so that only the paper's tables
            are judged.
    """

    id: str
    subject: str
    text: str
    where: str
    why: str
    on: Selection
    tests: tuple[Comparison, ...] = Field(min_length=1)
    ablations: tuple[Comparison, ...] = ()
    beside: Selection = Field(default_factory=dict)
    by_definition: bool = False

    @property
    def tables(self) -> set[str]:
        """Names of the tables whose numbers the claim selects."""
        sides = [side for test in (*self.tests, *self.ablations) for side in (test.of, test.to)]
        return {str(name) for selection in (self.on, self.beside, *sides) for name in selection.get("table", ())}


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
    """Read the claims of a TOML file, in its order.

    Raises:
        UserError: the file is missing or no TOML; a field is unknown, missing or refused; two claims share an id.
    """
    return list(build(_ClaimFile, read_toml(path), str(path)).claims)
