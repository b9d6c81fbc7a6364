"""Options that have no effect are refused if they are given, whatever their type."""

import argparse

import pytest

from ossnet.cli.unused import refuse_unused
from ossnet.errors import UserError

OPTIONS = ("--max-slices", "--fast", "--names")


def parsed(*given: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--max-slices", type=int, default=3)
    parser.add_argument("--fast", action="store_true")
    parser.add_argument("--names", nargs="+", default=["a"])
    parser.set_defaults(parser=parser)
    return parser.parse_args(given)


@pytest.mark.parametrize("given", [("--max-slices", "0"), ("--fast",), ("--names", "a", "b")])
def test_an_option_without_effect_is_refused_by_its_name(given: tuple[str, ...]) -> None:
    refuse_unused(parsed(*given), True, "--mesh", *OPTIONS)
    refuse_unused(parsed(*given), False, "--mesh", *(option for option in OPTIONS if option != given[0]))
    with pytest.raises(UserError, match=rf"{given[0]} .*--mesh"):
        refuse_unused(parsed(*given), False, "--mesh", *OPTIONS)


def test_a_default_is_not_given() -> None:
    refuse_unused(parsed(), False, "--mesh", *OPTIONS)
    refuse_unused(parsed("--max-slices", "3"), False, "--mesh", *OPTIONS)
