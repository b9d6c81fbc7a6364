"""Settings that were given: whether the specification that was made with them has them as they were meant."""

import json
from collections.abc import Mapping
from functools import reduce
from typing import Any

from ossnet.config import flatten, plain
from ossnet.errors import UserError
from ossnet.training.run import RunSpec

SINGLE = (bool, int, float, str)
"""Types of single values of settings."""


def replaced(settings: Mapping[str, Any], spec: RunSpec) -> dict[str, tuple[Any, Any]]:
    """Return the single settings that have another value in the specification that was made with them.

    Such settings belong to others, which replace their value where they do not use it: the width of the border is the
    default one if no location is drawn from the border.

    Args:
        settings: tables of settings that were given.
        spec: specification that was made with them.

    Returns:
        By dotted name, the value that was given and that of the specification.
    """
    made = {"network": spec.network, "recipe": plain(spec.recipe), "preprocessing": plain(spec.preprocessing)}
    return _replaced(settings, made, "")


def _replaced(given: Mapping[str, Any], made: Mapping[str, Any], prefix: str) -> dict[str, tuple[Any, Any]]:
    found: dict[str, tuple[Any, Any]] = {}
    for key, value in given.items():
        # What is left out has its default, and a setting of several values may be given in several ways.
        now = made.get(key, value)
        if isinstance(value, Mapping) and isinstance(now, Mapping):
            found |= _replaced(value, now, f"{prefix}{key}.")
        elif isinstance(value, SINGLE) and isinstance(now, SINGLE) and now != value:
            found[f"{prefix}{key}"] = value, now
    return found


def refuse_converted(settings: Mapping[str, Any], spec: RunSpec) -> None:
    """Raise if true or false was given for a number, which the specification has, or a number for one of them.

    Args:
        settings: tables of settings that were given.
        spec: specification that was made with them.

    Raises:
        UserError: it was.
    """
    # Not plain values, which lack newer fields at their defaults.
    made: dict[str, Any] = {"network": spec.config, "recipe": spec.recipe, "preprocessing": spec.preprocessing}
    for name, value in flatten(settings).items():
        part, *names = name.split(".")
        now = reduce(lambda config, field: getattr(config, field, None), names, made[part])
        now = list(now) if isinstance(now, tuple) else now
        # In Python, true is equal to 1, in lists as well.
        if value == now and _truth_values(value) != _truth_values(now):
            raise UserError(
                f"setting {name} = {json.dumps(value)} would be taken for {json.dumps(now)}; write that if it is meant"
            )


def _truth_values(value: Any) -> list[bool]:
    return [isinstance(item, bool) for item in (value if isinstance(value, list) else [value])]


def refuse_replaced(settings: Mapping[str, Any], spec: RunSpec) -> None:
    """Raise if a setting was replaced, see `replaced`, or converted, see `refuse_converted`.

    Raises:
        UserError: it was.
    """
    refuse_converted(settings, spec)
    for name, (value, now) in replaced(settings, spec).items():
        raise without_effect(name, value, now)


def without_effect(name: str, value: Any, now: Any) -> UserError:
    """Return the error of a setting that was replaced, see `replaced`."""
    return UserError(f"setting {name} = {value} has no effect: with the others it is {now}; change those, or omit it")
