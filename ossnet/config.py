"""Frozen dataclasses with checked fields, for every configuration of the suite."""

import hashlib
import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, get_args, get_type_hints

from pydantic import Field, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from ossnet.errors import UserError

T = TypeVar("T")


def build(kind: type[T], values: Mapping[str, Any], source: str) -> T:
    """Make a configuration from plain values (of TOML, JSON or the command line).

    Raises:
        UserError: an unknown or missing field, or a value that its check refuses; names `source`, the field and why.
    """
    try:
        return TypeAdapter(kind).validate_python(dict(values))
    except ValidationError as error:
        problems = "; ".join(_problem(kind, item) for item in error.errors())
        raise UserError(f"{source}: {problems}") from error


def _problem(kind: type, error: ErrorDetails) -> str:
    location = error["loc"]
    message = error["msg"].removeprefix("Value error, ")
    if error["type"] == "unexpected_keyword_argument":
        message = f"unknown field; known are {', '.join(_fields_at(kind, location[:-1]))}"
    return f"{'.'.join(map(str, location))}: {message}" if location else message


def _fields_at(kind: Any, location: Sequence[int | str]) -> list[str]:
    """Names of the fields of the dataclass at a location within the dataclass `kind`."""
    for part in location:
        hint = get_type_hints(kind)[part] if isinstance(part, str) else kind
        # In a sequence or an optional field, it is the dataclass among the type's arguments.
        kind = next((inner for inner in (hint, *get_args(hint)) if is_dataclass(inner)), hint)
    return [field.name for field in fields(kind)]


def newer(default: Any) -> Any:
    """A field that a configuration has been given since there are records: `plain` leaves it out at its default.

    So what was made before it, and what is made without it, keep the plain values and the `digest` that they had.
    """
    return Field(default=default, exclude_if=lambda value: value == default)


def plain(config: Any) -> dict[str, Any]:
    """A configuration as plain values that JSON can hold; `build` makes it again."""
    return TypeAdapter(type(config)).dump_python(config, mode="json")


def digest(values: Any) -> str:
    """SHA-256 of plain values, hexadecimal; the order of keys does not matter."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def merge(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Tables laid over each other: later values win, tables within tables are merged likewise."""
    merged: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            below = merged.get(key)
            merged[key] = merge(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return merged


def read_toml(path: str | Path) -> dict[str, Any]:
    """Read a TOML file (UTF-8, with or without a byte-order mark).

    Raises:
        UserError: the file is missing or no TOML.
    """
    try:
        return tomllib.loads(Path(path).read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not valid TOML ({error}); save it in UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"{path} is not valid TOML: {error}") from error
