"""Checks that the rows of a study that a user defines differ in what is trained or scored.

Rows that are the same would be compared as if they were independent trainings.
"""

from collections.abc import Sequence
from typing import Any

from benchmarks.layout import Layout, Row
from benchmarks.runs.run_folder import identity
from benchmarks.scoring.scoring import Scoring
from benchmarks.study import Point
from ossnet.config import flatten, plain
from ossnet.errors import UserError
from ossnet.training.given_settings import refuse_converted, replaced, without_effect


def refuse_same(layout: Layout, specified: Sequence[tuple[Point, Scoring]]) -> None:
    """Refuse points whose settings change nothing, or are taken for others than were written.

    Args:
        layout: layout of the study, whose columns are those of the points.
        specified: the points of the study, each with its specification.

    Raises:
        UserError: a setting is true or false where it should be a number, or the reverse; a setting has no effect
            wherever it has this value; two rows have the same run; or two rows share a training by settings that are
            written differently, so that the layout does not know it.
    """
    for point, scoring in specified:
        try:
            refuse_converted(point.overrides, scoring.training)
        except UserError as error:
            raise UserError(f"{point.origin}: {error}") from error
    _refuse_without_effect(specified)
    by_run: dict[str, Row] = {}
    by_training: dict[str, Row] = {}
    for point, scoring in specified:
        row = (point.model, *point.columns.values())
        same = by_run.setdefault(identity(plain(scoring)), row)
        if same != row:
            raise UserError(f"{point.origin}: {_names(layout, same, row)} are the same run; leave one of them out")
        alike = by_training.setdefault(scoring.training.identity, row)
        if layout.training(alike) != layout.training(row):
            raise UserError(
                f"{point.origin}: {_names(layout, alike, row)} have the same training, by settings that are written "
                "differently; write them in the same way in both, so that they are compared as one training"
            )


def _refuse_without_effect(specified: Sequence[tuple[Point, Scoring]]) -> None:
    """Raise a UserError for the first value of a setting that is replaced in every point that has it.

    A setting of all rows may have an effect in some of them only.
    """
    used: set[tuple[str, Any]] = set()
    unused: dict[tuple[str, Any], UserError] = {}
    for point, scoring in specified:
        without = replaced(point.overrides, scoring.training)
        for name, (value, now) in without.items():
            error = without_effect(name, value, now)
            unused.setdefault((name, value), UserError(f"{point.origin}: {error}"))
        # Only single values are replaced; lists cannot be in a set.
        given = {name: value for name, value in flatten(point.overrides).items() if not isinstance(value, list)}
        used |= {(name, value) for name, value in given.items() if name not in without}
    for setting, error in unused.items():
        if setting not in used:
            raise error


def _names(layout: Layout, one: Row, other: Row) -> str:
    first, second = (", ".join(layout.label(row)) for row in (one, other))
    return f"the rows {first!r} and {second!r}"
