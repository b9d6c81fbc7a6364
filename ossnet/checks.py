"""Dataclasses with checked fields: pydantic's; without pydantic, the same without their checks.

A machine that only measures models (see `benchmarks.commands.gpu`) need not have it: what it makes is written in the
code.
"""

from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING or find_spec("pydantic") is not None:
    from pydantic import ConfigDict, Field, PositiveInt
    from pydantic.dataclasses import dataclass as checked

    STRICT = ConfigDict(extra="forbid")
    """For `@checked(frozen=True, config=STRICT)`: an unknown field is an error."""
else:
    from ossnet.unchecked import STRICT, Field, PositiveInt, checked

__all__ = ["STRICT", "Field", "PositiveInt", "checked"]
