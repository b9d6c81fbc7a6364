"""Values as JSON has them against types: by hand, and what a message names."""

from dataclasses import dataclass
from typing import Any, Literal, NotRequired, TypedDict

import pytest

from benchmarks.probes.json_types import check_type


@dataclass(frozen=True)
class Point:
    place: tuple[int, int]
    name: str = ""


class Table(TypedDict):
    size: float
    points: NotRequired[list[Point] | None]


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (1, int),
        (1, float),
        (None, int | None),
        ("any", Literal["one", "two"]),
        ({"a": {}, "b": None}, dict[str, object]),
        ([[1, 2]], list[tuple[int, int]]),
        ({"size": 1, "more": "is fine"}, Table),
        ({"size": 0.5, "points": [{"place": [1, 2], "name": "p"}]}, Table),
    ],
)
def test_what_is_of_a_type_passes(value: Any, kind: Any) -> None:
    check_type(value, kind, "it")


@pytest.mark.parametrize(
    ("value", "kind", "message"),
    [
        ("1", int, 'it is "1", not a whole number'),
        (True, float, "it is true, not a number"),
        (None, str, "it is null, not a text"),
        ([], int | str | None, "it is [], not a whole number or a text or null"),
        (1, Literal["one", "two"], "it is 1, not a text"),
        ({"a": {"b": "c"}}, dict[str, dict[str, int]], 'it.a.b is "c", not a whole number'),
        ([1, 2, 3], tuple[int, int], "it has 3 values, not 2"),
        ({}, Point, "it.place is missing"),
        ({"place": [1, 2], "colour": "red"}, Point, "it.colour is unknown"),
        ({"place": [1, None]}, Point, "it.place[1] is null, not a whole number"),
        ({"size": 1, "points": [{}]}, Table, "it.points[0].place is missing"),
        ("x" * 100, int, f'it is "{"x" * 39}, not a whole number'),
    ],
)
def test_what_is_not_is_named(value: Any, kind: Any, message: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole message is compared
        check_type(value, kind, "it")
    assert str(caught.value) == message
