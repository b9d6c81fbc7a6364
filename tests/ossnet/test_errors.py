import pickle

import pytest
from pydantic.dataclasses import dataclass

from ossnet.checks import STRICT
from ossnet.config import build
from ossnet.errors import UserError


@dataclass(frozen=True, config=STRICT)
class Refusing:
    def __post_init__(self) -> None:
        raise UserError("data own.csv: no such case; correct the path")


def test_it_passes_through_the_checks_of_a_configuration_as_it_is() -> None:
    """Were it a ValueError, the line would be wrapped in another one."""
    with pytest.raises(UserError) as caught:
        build(Refusing, {}, "my.toml")
    assert str(caught.value) == "data own.csv: no such case; correct the path"


def test_it_comes_back_whole_from_another_process() -> None:
    error = pickle.loads(pickle.dumps(UserError("--workers 0: give a whole number above 0")))
    assert isinstance(error, UserError)
    assert str(error) == "--workers 0: give a whole number above 0"
