"""The options of the command line."""

import pytest

from ossnet.cli.__main__ import make_parser
from ossnet.cli.options import settings
from ossnet.errors import UserError

PARSER = make_parser()


@pytest.mark.parametrize(
    ("pairs", "tables"),
    [
        (["recipe.epochs=3"], {"recipe": {"epochs": 3}}),
        (["a.b=[1, 2]", "a.c=border"], {"a": {"b": [1, 2], "c": "border"}}),
        (["a.b=1", "a.b=2"], {"a": {"b": 2}}),
        (["a.b=0.5", "a.b='0.5'"], {"a": {"b": "0.5"}}),
        ([], {}),
    ],
)
def test_settings_are_toml_or_words(pairs: list[str], tables: dict[str, object]) -> None:
    assert settings(pairs) == tables


@pytest.mark.parametrize("pair", ["recipe.epochs", "=3", "a b=3", "a.b='"])
def test_what_is_no_setting_is_named(pair: str) -> None:
    with pytest.raises(UserError, match="--set"):
        settings([pair])


@pytest.mark.parametrize(
    "arguments",
    [
        ["train"],
        ["train", "--data", "x", "--modle", "c"],
        ["segment", "x", "--model", "y", "-o", "z", "--threads", "0"],
        *(["fits", "c", "--shape", "8", "8", "8", "--memory", memory] for memory in ("0", "-1", "16MB", "GB", "")),
    ],
)
def test_a_wrong_option_is_a_users_mistake(arguments: list[str]) -> None:
    with pytest.raises(UserError, match="--help"):
        PARSER.parse_args(arguments)


@pytest.mark.parametrize(
    ("text", "size"), [("16", 16e9), ("16GB", 16e9), ("0.5 GB", 5e8), ("16GiB", 2**34), ("1.5 GiB", 3 * 2**29)]
)
def test_memory_is_in_gb_or_gib(text: str, size: float) -> None:
    arguments = PARSER.parse_args(["fits", "c", "--shape", "8", "9", "10", "--memory", text])
    assert arguments.memory == size
    assert arguments.shape == [8, 9, 10]
