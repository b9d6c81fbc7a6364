"""Dataclasses with checked fields, by pydantic; where it is not installed, the same dataclasses without checks.

A machine that only measures models (see `benchmarks.commands.gpu`) can do without pydantic, since its configurations
are written in the code. `ossnet.config` reads and writes configurations, which always needs pydantic.
"""

import dataclasses
from collections.abc import Callable
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

__all__ = ["STRICT", "Field", "PositiveInt", "checked", "newer"]

if TYPE_CHECKING or find_spec("pydantic") is not None:
    from pydantic import ConfigDict, Field, PositiveInt
    from pydantic.dataclasses import dataclass as checked

    STRICT = ConfigDict(extra="forbid")
    """For `@checked(frozen=True, config=STRICT)`: an unknown field is an error."""
else:
    STRICT, PositiveInt = {}, int

    def checked(*, frozen: bool, config: dict[str, Any], kw_only: bool = False) -> Callable[[type], type]:
        """Return a decorator that makes a class a dataclass, in which an unknown field is an error anyway."""
        return dataclasses.dataclass(frozen=frozen, kw_only=kw_only)

    def Field(  # noqa: N802 - the name in pydantic
        default: Any = dataclasses.MISSING, *, default_factory: Any = dataclasses.MISSING, **checks: Any
    ) -> Any:
        """Return a dataclass field with a default; the checks are left out."""
        return dataclasses.field(default=default, default_factory=default_factory)


def newer(default: Any) -> Any:
    """Return a field that was added to a configuration after records were made: `plain` omits it at its default.

    Configurations that do not set it therefore keep the plain values and the `digest` that they had without it (see
    `ossnet.config`).
    """
    return Field(default=default, exclude_if=lambda value: value == default)
