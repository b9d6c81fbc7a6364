import dataclasses
import sys
from collections.abc import Callable
from importlib.util import module_from_spec, spec_from_file_location
from types import ModuleType

import pytest
from pydantic import ValidationError

from ossnet import checks
from ossnet.checks import STRICT, Field, PositiveInt, checked


@checked(frozen=True, config=STRICT)
class Config:
    channels: tuple[PositiveInt, ...] = Field(default=(4, 8), min_length=1)
    rate: float = Field(default=0.1, gt=0, lt=1)


@pytest.mark.parametrize("values", [{"channel": 4}, {"channels": ()}, {"channels": (4, 0)}, {"rate": 1}, {"rate": "x"}])
def test_fields_are_checked(values: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Config(**values)


def import_without_pydantic() -> ModuleType:
    """Another copy of the module, as it is where pydantic is not installed."""
    spec = spec_from_file_location("checks_without_pydantic", checks.__file__)
    module = module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "pydantic", None)
        spec.loader.exec_module(module)
    return module


WITHOUT_PYDANTIC = import_without_pydantic()
BOTH = pytest.mark.parametrize("module", [checks, WITHOUT_PYDANTIC], ids=["with pydantic", "without"])


def config_of(module: ModuleType, **options: bool) -> type:
    """A dataclass with a required field, a default and a factory."""

    @module.checked(frozen=True, config=module.STRICT, **options)
    class Config:
        width: module.PositiveInt
        rate: float = module.Field(default=0.1, gt=0)
        names: list[str] = module.Field(default_factory=list, min_length=0)

        def __post_init__(self) -> None:
            if self.width == 3:
                raise ValueError("width 3 is not to be had")

    return Config


@BOTH
def test_fields_and_defaults_are_those_of_the_class(module: ModuleType) -> None:
    kind = config_of(module)
    assert [field.name for field in dataclasses.fields(kind)] == ["width", "rate", "names"]
    assert dataclasses.asdict(kind(5)) == {"width": 5, "rate": 0.1, "names": []}
    assert kind(5, 0.2) == kind(width=5, rate=0.2, names=[])
    assert dataclasses.replace(kind(5), rate=0.2) == kind(5, 0.2)
    assert kind(5).names is not kind(5).names


@BOTH
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
def test_a_mistake_in_the_code_is_an_error_in_both(mistake: Callable[[type], object], module: ModuleType) -> None:
    with pytest.raises((TypeError, ValueError, AttributeError)):
        mistake(config_of(module))


@BOTH
def test_fields_by_keyword_only(module: ModuleType) -> None:
    kind = config_of(module, kw_only=True)
    assert kind(width=5).width == 5
    with pytest.raises((TypeError, ValueError)):
        kind(5)


def test_only_pydantic_checks_values() -> None:
    assert config_of(WITHOUT_PYDANTIC)(-5).width == -5
    with pytest.raises(ValueError, match="width"):
        config_of(checks)(width=-5)


def test_without_pydantic_the_same_names_are_there() -> None:
    assert all(hasattr(WITHOUT_PYDANTIC, name) for name in checks.__all__)
