"""What `ossnet.checks` takes from pydantic, by the standard library alone: checks are read and not made."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

T = TypeVar("T")

STRICT: Mapping[str, str] = {}

PositiveInt = int


def checked(*, frozen: bool, config: Mapping[str, str], kw_only: bool = False) -> Callable[[type[T]], type[T]]:
    """A dataclass; an unknown field is an error in every dataclass."""
    return dataclasses.dataclass(frozen=frozen, kw_only=kw_only)


def Field(  # noqa: N802 - as pydantic names it
    default: Any = dataclasses.MISSING,
    *,
    default_factory: Any = dataclasses.MISSING,
    ge: float | None = None,
    gt: float | None = None,
    le: float | None = None,
    lt: float | None = None,
    min_length: int | None = None,
) -> Any:
    """A dataclass's field."""
    return dataclasses.field(default=default, default_factory=default_factory)
