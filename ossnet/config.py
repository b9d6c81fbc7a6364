"""Frozen dataclasses with checked fields, for every configuration of the suite."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ConfigDict, TypeAdapter, ValidationError

from ossnet.errors import UserError

STRICT = ConfigDict(extra="forbid")
"""For `@dataclass(frozen=True, config=STRICT)` of pydantic: an unknown field is an error."""

T = TypeVar("T")


def build(kind: type[T], values: Mapping[str, Any], source: str) -> T:
    """Make a configuration from plain values (of TOML, JSON or the command line).

    Raises:
        UserError: an unknown or missing field, or a value that its check refuses; names `source`, the field and why.
    """
    try:
        return TypeAdapter(kind).validate_python(dict(values))
    except ValidationError as error:
        problems = [f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}" for item in error.errors()]
        raise UserError(f"{source}: {'; '.join(problems)}") from error


def plain(config: Any) -> dict[str, Any]:
    """A configuration as plain values that JSON can hold; `build` makes it again."""
    return TypeAdapter(type(config)).dump_python(config, mode="json")


def merge(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Tables laid over each other: later values win, tables within tables are merged likewise."""
    merged: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            below = merged.get(key)
            merged[key] = merge(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return merged


def read_toml(path: str | Path) -> dict[str, Any]:
    """Raises UserError where the file is missing or no TOML."""
    try:
        with Path(path).open("rb") as file:
            return tomllib.load(file)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not valid TOML: {error}") from error
