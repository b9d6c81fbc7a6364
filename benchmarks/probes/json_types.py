"""Checks of the types of values from JSON, without pydantic, which a machine that only measures need not have."""

import json
from collections.abc import Collection, Mapping
from dataclasses import MISSING, fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints, is_typeddict

WORDS = {int: "a whole number", float: "a number", str: "a text", NoneType: "null", list: "a list", dict: "a table"}

MAX_SHOWN = 40
"""Number of characters of a wrong value in a message."""


def check_type(value: Any, kind: Any, name: str) -> None:
    """Check the type of a value and of everything in it.

    Args:
        value: value that was read from JSON.
        kind: int, float (which includes whole numbers), str, None, object (anything), a list, a dict with text as keys,
            a tuple of fixed length (a list in JSON), a dataclass (a table of exactly its fields), a TypedDict (a table
            that may have more keys), a Literal of texts (any text), or a union of these.
        name: name of the value in messages.

    Raises:
        ValueError: a value has another type, is missing or is unknown; the message names it.
    """
    options = get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)
    fitting = next((option for option in options if _has_json_type(value, option)), None)
    if fitting is None:
        words = " or ".join(dict.fromkeys(WORDS[_json_type(option)] for option in options))
        raise ValueError(f"{name} is {json.dumps(value)[:MAX_SHOWN]}, not {words}")
    if is_dataclass(fitting) or is_typeddict(fitting):
        _check_keys(value, fitting, name)
    elif get_origin(fitting) is dict:
        for key, item in value.items():
            check_type(item, get_args(fitting)[1], f"{name}.{key}")
    elif _json_type(fitting) is list:
        kinds = get_args(fitting) if get_origin(fitting) is tuple else get_args(fitting) * len(value)
        if len(kinds) != len(value):
            raise ValueError(f"{name} has {len(value)} values, not {len(kinds)}")
        for place, (item, of_item) in enumerate(zip(value, kinds, strict=True)):
            check_type(item, of_item, f"{name}[{place}]")


def _check_keys(table: Mapping[str, Any], kind: Any, name: str) -> None:
    known, required = get_type_hints(kind), _required(kind)
    if missing := sorted(required - table.keys()):
        raise ValueError(f"{name}.{missing[0]} is missing")
    if is_dataclass(kind) and (unknown := sorted(table.keys() - known)):
        raise ValueError(f"{name}.{unknown[0]} is unknown")
    for key in known.keys() & table.keys():
        check_type(table[key], known[key], f"{name}.{key}")


def _required(kind: Any) -> Collection[str]:
    if is_dataclass(kind):
        return {field.name for field in fields(kind) if field.default is MISSING}
    required: frozenset[str] = kind.__required_keys__
    return required


def _json_type(kind: Any) -> Any:
    """Return the type of JSON's values for a type."""
    if is_dataclass(kind) or is_typeddict(kind):
        return dict
    return {Literal: str, tuple: list}.get(get_origin(kind), get_origin(kind) or kind)


def _has_json_type(value: Any, kind: Any) -> bool:
    json_type = _json_type(kind)
    # `isinstance` counts a bool as an int.
    return json_type is object or type(value) is json_type or (json_type is float and type(value) is int)
