"""Whether what was read from JSON has the types it should: pydantic tells that, which a GPU machine need not have."""

import json
from collections.abc import Collection, Mapping
from dataclasses import MISSING, fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints, is_typeddict

WORDS = {int: "a whole number", float: "a number", str: "a text", NoneType: "null", list: "a list", dict: "a table"}

SHOWN = 40
"""As many characters of a wrong value are told."""


def check_type(value: Any, kind: Any, name: str) -> None:
    """Check a value and all that is in it.

    Args:
        kind: int, float (a whole number will do), str, None, object (anything), a list, a dict with keys of text, a
            tuple of a fixed length (in JSON a list), a dataclass (a table of its fields and nothing else), a TypedDict
            (a table that may have more), a Literal of texts (any text will do), or a union of such.
        name: of the value, for the message.

    Raises:
        ValueError: names the value, or the one within it, that is of another type, missing or too many.
    """
    options = get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)
    fitting = next((option for option in options if _is_outwardly(value, option)), None)
    if fitting is None:
        words = " or ".join(dict.fromkeys(WORDS[_outward(option)] for option in options))
        raise ValueError(f"{name} is {json.dumps(value)[:SHOWN]}, not {words}")
    if is_dataclass(fitting) or is_typeddict(fitting):
        _check_keys(value, fitting, name)
    elif get_origin(fitting) is dict:
        for key, item in value.items():
            check_type(item, get_args(fitting)[1], f"{name}.{key}")
    elif _outward(fitting) is list:
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


def _outward(kind: Any) -> Any:
    """The type that JSON has for it."""
    if is_dataclass(kind) or is_typeddict(kind):
        return dict
    return {Literal: str, tuple: list}.get(get_origin(kind), get_origin(kind) or kind)


def _is_outwardly(value: Any, kind: Any) -> bool:
    outward = _outward(kind)
    # A bool is an int to `isinstance`.
    return outward is object or type(value) is outward or (outward is float and type(value) is int)
