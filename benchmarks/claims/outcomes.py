"""The comparisons of a claim and the outcome of each."""

import itertools
from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from benchmarks.claims.measures import Interval, Row, measure
from benchmarks.claims.schema import Claim, Comparison, Kind, Selection
from benchmarks.claims.sides import Side

ROUNDING = 1e-9
"""Slack at every limit: decimal fractions are not exact in binary, and the limit itself is allowed."""


class Verdict(StrEnum):
    """A verdict on a claim or a comparison.

    Of several comparisons, the first verdict in this order is the claim's. No comparison is true `BY_DEFINITION`.
    """

    FAILS = "does not hold"
    NOT_MEASURED = "not measured"
    UNDECIDED = "undecided"
    HOLDS = "holds"
    BY_DEFINITION = "by definition"


class Outcome(NamedTuple):
    """The outcome of a comparison.

    Attributes:
        verdict: its verdict.
        kind: its measure.
        group: the numbers compared, or the selection of a missing number.
        limits: the lowest and the highest value allowed.
        measured: the measure with the interval that decided; None if it is not measured.
        reason: the reason why it is not measured.
    """

    verdict: Verdict
    kind: Kind
    group: Sequence[Row]
    limits: tuple[float, float]
    measured: Interval | None = None
    reason: str = ""

    @property
    def margin(self) -> float:
        """The distance of the interval from the limits, negative beyond them."""
        if self.measured is None:
            return 0.0
        return min(self.measured.low - self.limits[0], self.limits[1] - self.measured.high)


def outcomes_of(claim: Claim, side: Side) -> list[Outcome]:
    """Return the outcomes of all comparisons of a claim, those that are not measured first."""
    compared = [(test, *_compared(test, claim.on, side)) for test in claim.tests]
    number = max(1, sum(len(groups) for _, groups, _ in compared))
    missing = [outcome for _, _, outcomes in compared for outcome in outcomes]
    return missing + [_measured(test, group, side, number) for test, groups, _ in compared for group in groups]


def _compared(test: Comparison, on: Selection, side: Side) -> tuple[list[tuple[Row, ...]], list[Outcome]]:
    """Return the numbers of each measure that a test makes, and an outcome for each number that is missing."""
    of, absent = side.select({**on, **test.of})
    groups: list[tuple[Row, ...]] = [(row,) for row in of]
    if test.kind == "spread":
        groups = [tuple(of)] if len(of) > 1 and not absent else []
    elif test.to:
        to, absent_from_to = side.select({**on, **test.to})
        absent += absent_from_to
        groups = [
            (row, other)
            for row, other in itertools.product(of, to)
            if row is not other and all(row.get(column) == other.get(column) for column in test.same)
        ]
    missing = [_unmeasured(test, (wanted,), side, side.why_missing(wanted)) for wanted in absent]
    if not absent and not groups:
        alike = f" of the same {' and '.join(test.same)}" if test.same else ""
        missing = [_unmeasured(test, of, side, f"nothing to compare with{alike}")]
    return groups, missing


def _unmeasured(test: Comparison, group: Sequence[Row], side: Side, reason: str) -> Outcome:
    return Outcome(Verdict.NOT_MEASURED, test.kind, group, test.limits(side.published), reason=reason)


def _measured(test: Comparison, group: Sequence[Row], side: Side, comparisons: int) -> Outcome:
    """Return the outcome of one of the `comparisons` comparisons of a claim."""
    for condition in ("profile", "protocol", "unit"):
        values = {str(row.get(condition) or "none") for row in group}
        if len(values) > 1:
            return _unmeasured(test, group, side, f"not of one {condition} ({', '.join(sorted(values))})")
    lowest, highest = test.limits(side.published)
    alone = measure(test.kind, group)
    if lowest - ROUNDING <= alone.low and alone.high <= highest + ROUNDING:
        return Outcome(Verdict.HOLDS, test.kind, group, (lowest, highest), alone)
    joint = measure(test.kind, group, comparisons)
    beyond = joint.high < lowest - ROUNDING or joint.low > highest + ROUNDING
    return Outcome(Verdict.FAILS if beyond else Verdict.UNDECIDED, test.kind, group, (lowest, highest), joint)
