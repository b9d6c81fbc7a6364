import doctest
import json
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field
from pydantic.dataclasses import dataclass

from ossnet import config
from ossnet.checks import STRICT
from ossnet.config import build, digest, merge, newer, plain, read_toml, takes_list
from ossnet.errors import UserError


@dataclass(frozen=True, config=STRICT)
class Inner:
    rate: float = Field(default=0.1, gt=0)


@dataclass(frozen=True, config=STRICT)
class Outer:
    size: tuple[int, int]
    kind: Literal["a", "b"] = "a"
    inner: Inner = Field(default_factory=Inner)
    more: tuple[Inner, ...] = ()
    perhaps: Inner | None = None


@dataclass(frozen=True, config=STRICT)
class Refusing:
    def __post_init__(self) -> None:
        raise ValueError("nothing will do")


@dataclass(frozen=True, config=STRICT)
class Described:
    name: str = Field(description="small letters", pattern="^[a-z]+$")
    either: str | dict[str, str] = Field(default="", description="a name or names")
    several: tuple[str, ...] | None = Field(default=None, description="a list of names")
    inner: tuple[Inner, ...] = Field(default=())


@settings(max_examples=20)
@given(st.tuples(st.integers(), st.integers()), st.sampled_from(["a", "b"]), st.floats(min_value=1e-6, max_value=1e6))
def test_plain_values_make_the_same_configuration_again(size: tuple[int, int], kind: str, rate: float) -> None:
    config = build(Outer, {"size": size, "kind": kind, "inner": {"rate": rate}}, "test")
    assert build(Outer, json.loads(json.dumps(plain(config))), "test") == config


@pytest.mark.parametrize(
    ("values", "field", "known"),
    [
        ({}, "size", ""),
        ({"size": [1, 2], "kind": "c"}, "kind", ""),
        ({"size": [1]}, "size.1", ""),
        ({"size": [1, 2], "inner": {"rate": 0}}, "inner.rate", ""),
        ({"size": [1, 2], "sise": 3}, "sise", "size, kind, inner, more, perhaps"),
        ({"size": [1, 2], "inner": {"lr": 1}}, "inner.lr", "rate"),
        ({"size": [1, 2], "more": [{}, {"lr": 1}]}, "more.1.lr", "rate"),
        ({"size": [1, 2], "perhaps": {"lr": 1}}, "perhaps.lr", "rate"),
    ],
)
def test_a_mistake_is_one_line_of_source_field_and_what_is_known(
    values: dict[str, object], field: str, known: str
) -> None:
    with pytest.raises(UserError) as caught:
        build(Outer, values, "my.toml")
    message = str(caught.value)
    assert message.startswith(f"my.toml: {field}: ")
    assert message.endswith(f" {known}" if known else "")
    assert "\n" not in message


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"name": 3}, "my.toml: name: give small letters"),
        # One line for both types, and for every item.
        ({"name": "a", "either": [1]}, "my.toml: either: give a name or names"),
        ({"name": "a", "several": ["b", 2, 3]}, "my.toml: several: give a list of names"),
        # The field within a list that is to blame.
        ({"name": "a", "inner": [{"rate": -1}]}, "my.toml: inner.0.rate: Input should be greater than 0"),
        ({"name": "a", "inner": 3}, "my.toml: inner: give a list"),
    ],
)
def test_the_description_of_a_field_says_what_to_give(values: dict[str, object], message: str) -> None:
    with pytest.raises(UserError) as caught:
        build(Described, values, "my.toml")
    assert str(caught.value) == message


def test_fields_that_take_nothing_but_lists_are_known() -> None:
    lists = ["size", "more", "perhaps", "kind", "inner", "inner.rate", "sise", "inner.rate.more"]
    assert [name for name in lists if takes_list(Outer, name)] == ["size", "more"]
    assert takes_list(Described, "several")
    assert not takes_list(Described, "either")


def test_a_refusal_of_the_whole_is_told_as_it_is() -> None:
    with pytest.raises(UserError) as caught:
        build(Refusing, {}, "my.toml")
    assert str(caught.value) == "my.toml: nothing will do"


def test_tables_are_flattened() -> None:
    assert not doctest.testmod(config).failed


def test_merge_lays_tables_over_each_other() -> None:
    below = {"a": 1, "t": MappingProxyType({"x": 1, "y": 2})}
    assert merge(below, {"t": {"y": 3}}, {"a": {"z": 4}}) == {"a": {"z": 4}, "t": {"x": 1, "y": 3}}
    assert below == {"a": 1, "t": {"x": 1, "y": 2}}


tables = st.recursive(
    st.dictionaries(st.sampled_from("abc"), st.integers()),
    lambda inner: st.dictionaries(st.sampled_from("abc"), st.integers() | inner),
    max_leaves=8,
)


@settings(max_examples=50)
@given(tables, tables, tables)
def test_the_last_layer_survives_a_merge(first: dict, second: dict, third: dict) -> None:
    merged = merge(first, second, third)
    assert merge(merged, third) == merged
    assert merge({}, third) == merge(third) == third


@pytest.mark.parametrize(
    ("contents", "table"),
    [
        ('[t]\nx = [1, 2]\ns = "é"\n'.encode(), {"t": {"x": [1, 2], "s": "é"}}),
        # The mark and the lines of Windows.
        (b"\xef\xbb\xbfseeds = [0, 1]\r\n[every]\r\n", {"seeds": [0, 1], "every": {}}),
    ],
)
def test_read_toml(tmp_path: Path, contents: bytes, table: dict[str, object]) -> None:
    (tmp_path / "a.toml").write_bytes(contents)
    assert read_toml(tmp_path / "a.toml") == table


@pytest.mark.parametrize(
    ("contents", "remedy"),
    [
        (None, "readable"),
        (b"x = ", "correct it"),
        (b"s = '\xff\xfe'", "save it as UTF-8"),
        ("seeds = [0]\n".encode("utf-16"), "save it as UTF-8"),
    ],
)
def test_unreadable_toml_is_named(tmp_path: Path, contents: bytes | None, remedy: str) -> None:
    path = tmp_path / "a.toml"
    if contents is not None:
        path.write_bytes(contents)
    with pytest.raises(UserError, match=rf"a\.toml.*{remedy}"):
        read_toml(path)


@dataclass(frozen=True, config=STRICT)
class Grown(Inner):
    """`Inner` as a later version has it."""

    shape: str = newer("round")


@dataclass(frozen=True, config=STRICT)
class Whole:
    parts: tuple[Grown, ...]


def test_a_newer_field_at_its_default_leaves_plain_values_and_digest() -> None:
    assert plain(Grown(0.5)) == plain(Inner(0.5)) == {"rate": 0.5}
    assert digest(plain(Grown())) == digest(plain(Inner()))
    assert plain(Whole((Grown(), Grown(shape="square")))) == {
        "parts": [{"rate": 0.1}, {"rate": 0.1, "shape": "square"}]
    }


def test_a_newer_field_is_built_and_checked_as_any_other() -> None:
    assert build(Grown, {"rate": 0.5}, "test") == build(Grown, {"rate": 0.5, "shape": "round"}, "test") == Grown(0.5)
    assert build(Grown, plain(Grown(shape="square")), "test") == Grown(shape="square")
    with pytest.raises(UserError, match="shape: "):
        build(Grown, {"shape": 3}, "test")
