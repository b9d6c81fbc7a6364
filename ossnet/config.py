"""Configurations: frozen dataclasses with checked fields, and their plain values in TOML, JSON and digests.

The dataclasses are declared with `ossnet.checks`, which works without pydantic; this module needs it.
"""

import hashlib
import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from ossnet.checks import newer as newer
from ossnet.errors import UserError

T = TypeVar("T")

Location = tuple[int | str, ...]
"""Names of fields and places in lists that lead to a value, as in pydantic's errors."""

_WANTED = {
    "tuple_type": "give a list",
    "list_type": "give a list",
    "dict_type": "give a table, such as { name = value }",
    "dataclass_type": "give a table, such as { name = value }",
}
"""What to give in place of a refused value, in the words of TOML, by pydantic's type of the error."""


def build(kind: type[T], values: Mapping[str, Any], source: str) -> T:
    """Build a configuration from plain values, as read from TOML, JSON or the command line.

    Args:
        kind: the dataclass of the configuration.
        values: values by field name.
        source: origin of the values, for error messages.

    Raises:
        UserError: a field is unknown or missing, or its check rejects the value. The message names `source`, the field
            and the reason, or what to give if the field has a `description`.
    """
    try:
        return TypeAdapter(kind).validate_python(dict(values))
    except ValidationError as error:
        # A field with several types has an error for each.
        problems = "; ".join(dict.fromkeys(_problem(kind, item) for item in error.errors()))
        raise UserError(f"{source}: {problems}") from error


def _problem(kind: type, error: ErrorDetails) -> str:
    location = error["loc"]
    message = error["msg"].removeprefix("Value error, ")
    if error["type"] == "unexpected_keyword_argument":
        message = f"unknown field; choose one of {', '.join(_fields_at(kind, location[:-1]))}"
    elif error["type"] != "value_error":
        message = _WANTED.get(error["type"], message)
        field = _innermost_field(kind, location)
        if wanted := _description(kind, field):
            location, message = field, f"give {wanted}"
    return f"{'.'.join(map(str, location))}: {message}" if location else message


def takes_list(kind: type, name: str) -> bool:
    """Return whether the field of a dotted name exists within the dataclass `kind` and takes nothing but a list."""
    hint = _hint_at(kind, name.split("."))
    members = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    return {get_origin(member) or member for member in members} - {NoneType} in ({tuple}, {list})


def _innermost_field(kind: type, location: Location) -> Location:
    """Return the part of a location that leads to a field, without places in lists and alternatives of its type."""
    ends = range(len(location), 0, -1)
    return next((location[:end] for end in ends if location[end - 1] in _fields_at(kind, location[: end - 1])), ())


def _description(kind: type, field: Location) -> str | None:
    owner = _dataclass_in(_hint_at(kind, field[:-1]))
    info = getattr(owner, "__pydantic_fields__", {}).get(field[-1]) if field else None
    return None if info is None else info.description


def _fields_at(kind: type, location: Location) -> list[str]:
    """Return the field names of the dataclass at a location within the dataclass `kind`; none if there is no such."""
    found = _dataclass_in(_hint_at(kind, location))
    return [] if found is None else [field.name for field in fields(found)]


def _hint_at(kind: Any, location: Sequence[int | str]) -> Any:
    """Return the type of what is at a location within the dataclass `kind`; None if there is no such field."""
    for part in location:
        # An item of a list is looked for in the type of the list.
        if isinstance(part, str):
            owner = _dataclass_in(kind)
            kind = None if owner is None else get_type_hints(owner).get(part)
    return kind


def _dataclass_in(hint: Any) -> Any:
    """Return the dataclass that a type is, or that it has among its arguments as a list or an optional field has it."""
    return next((inner for inner in (hint, *get_args(hint)) if is_dataclass(inner)), None)


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
