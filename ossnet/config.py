"""Configurations: frozen dataclasses with checked fields, and their plain values in TOML, JSON and digests.

The dataclasses are declared with `ossnet.checks`, which works without pydantic; this module needs it.
"""

import hashlib
import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, get_args, get_type_hints

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from ossnet.checks import newer as newer
from ossnet.errors import UserError

T = TypeVar("T")


def build(kind: type[T], values: Mapping[str, Any], source: str) -> T:
    """Build a configuration from plain values, as read from TOML, JSON or the command line.

    Args:
        kind: the dataclass of the configuration.
        values: values by field name.
        source: origin of the values, for error messages.

    Raises:
        UserError: a field is unknown or missing, or its check rejects the value. The message names `source`, the field
            and the reason.
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
        message = f"unknown field; choose one of {', '.join(_fields_at(kind, location[:-1]))}"
    return f"{'.'.join(map(str, location))}: {message}" if location else message


def _fields_at(kind: Any, location: Sequence[int | str]) -> list[str]:
    """Return the field names of the dataclass at a location within the dataclass `kind`."""
    for part in location:
        hint = get_type_hints(kind)[part] if isinstance(part, str) else kind
        # The type of a sequence or an optional field has the dataclass among its arguments.
        kind = next((inner for inner in (hint, *get_args(hint)) if is_dataclass(inner)), hint)
    return [field.name for field in fields(kind)]


def plain(config: Any) -> dict[str, Any]:
    """Return a configuration as plain values that JSON can represent; `build` is the inverse."""
    return TypeAdapter(type(config)).dump_python(config, mode="json")


def digest(values: Any) -> str:
    """Return the SHA-256 of plain values in hexadecimal; the order of keys does not matter."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def merge(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Merge tables: later values replace earlier ones, and nested tables are merged in the same way."""
    merged: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            below = merged.get(key)
            merged[key] = merge(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return merged


def flatten(table: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of nested tables by their dotted names.

    >>> flatten({"network": {"patch_size": 3}, "extraction": "dense"})
    {'network.patch_size': 3, 'extraction': 'dense'}
    """
    flat: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, Mapping):
            flat |= {f"{key}.{inner}": of_inner for inner, of_inner in flatten(value).items()}
        else:
            flat[key] = value
    return flat


def read_toml(path: str | Path) -> dict[str, Any]:
    """Read a TOML file (UTF-8, with or without a byte-order mark).

    Raises:
        UserError: the file cannot be read or is not valid TOML.
    """
    try:
        return tomllib.loads(Path(path).read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}; give a readable TOML file") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not valid TOML ({error}); save it as UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"{path} is not valid TOML: {error}; correct it there") from error
