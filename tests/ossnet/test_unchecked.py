"""The stand-in for pydantic, held against pydantic."""

import dataclasses
import inspect
from collections.abc import Callable
from types import ModuleType

import pydantic
import pytest

from ossnet import checks, unchecked

SIDES = pytest.mark.parametrize("side", [checks, unchecked], ids=["pydantic", "stand-in"])


def config_of(side: ModuleType, **options: bool) -> type:
    """One dataclass with a required field, a default and a factory, made by either side."""

    @side.checked(frozen=True, config=side.STRICT, **options)
    class Config:
        width: side.PositiveInt
        rate: float = side.Field(default=0.1, gt=0)
        names: list[str] = side.Field(default_factory=list, min_length=0)

        def __post_init__(self) -> None:
            if self.width == 3:
                raise ValueError("width 3 is not to be had")

    return Config


@SIDES
def test_fields_and_defaults_are_those_of_the_class(side: ModuleType) -> None:
    kind = config_of(side)
    assert [field.name for field in dataclasses.fields(kind)] == ["width", "rate", "names"]
    assert dataclasses.asdict(kind(5)) == {"width": 5, "rate": 0.1, "names": []}
    assert kind(5, 0.2) == kind(width=5, rate=0.2, names=[])
    assert dataclasses.replace(kind(5), rate=0.2) == kind(5, 0.2)
    assert kind(5).names is not kind(5).names


@SIDES
@pytest.mark.parametrize(
    "mistake",
    [
        lambda kind: kind(),
        lambda kind: kind(5, ratio=0.2),
        lambda kind: kind(3),
        lambda kind: setattr(kind(5), "width", 6),
    ],
    ids=["missing", "unknown", "refused by the class", "changed"],
)
def test_a_mistake_in_the_code_is_an_error_on_both_sides(mistake: Callable[[type], object], side: ModuleType) -> None:
    with pytest.raises((TypeError, ValueError, AttributeError)):
        mistake(config_of(side))


@SIDES
def test_fields_by_name_alone(side: ModuleType) -> None:
    kind = config_of(side, kw_only=True)
    assert kind(width=5).width == 5
    with pytest.raises((TypeError, ValueError)):
        kind(5)


def test_only_pydantic_checks_values() -> None:
    assert config_of(unchecked)(-5).width == -5
    with pytest.raises(ValueError, match="width"):
        config_of(checks)(width=-5)


def test_whatever_it_is_told_of_a_field_pydantic_understands() -> None:
    assert inspect.signature(unchecked.Field).parameters.keys() <= inspect.signature(pydantic.Field).parameters.keys()
