"""The file of the paper's claims, and what is told of a mistake in it."""

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.claims import Kind, fits, measure, read_claims, select
from ossnet.errors import UserError

FOLDER = Path(__file__).parents[2] / "results" / "published"
CLAIMS = read_claims(FOLDER / "claims.toml")

PAIRED: tuple[Kind, ...] = ("value", "difference", "ratio")

VALID = """
[[claims]]
id = "x"
subject = "Segmentation"
text = "A statement."
where = "Table 2"
why = "By hand."
on = { table = "table2" }
tests = [{ kind = "value", of = { model = "c" }, at_least = 0.5 }]
"""


def test_the_claims_are_many_distinct_and_reasoned() -> None:
    assert len(CLAIMS) >= 18
    assert all(item.text and item.why and re.search("Section|Table|Abstract", item.where) for item in CLAIMS)
    assert list(dict.fromkeys(item.subject for item in CLAIMS)) == [
        *("Segmentation", "Sampling", "Memory"),
        *("Inference, by the paper's text", "Inference, by the released code", "Inference"),
    ]
    assert {table for item in CLAIMS for table in item.on.get("table", ())} == {"table1", "table2", "table3"}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('why = "By hand."', 'why = "By hand."\nnote = "?"', "note"),
        ('why = "By hand."', "", "why"),
        ('subject = "Segmentation"', "", "subject"),
        ('kind = "value"', 'kind = "product"', "kind"),
        ("at_least", "atleast", "atleast"),
        (", at_least = 0.5", "", "equals"),
        ("at_least = 0.5", "at_least = 0.5, equals = 1", "equals"),
        ("at_least = 0.5", "at_least = 0.5, tolerance = -1", "tolerance"),
        ('model = "c"', 'modle = "c"', "modle"),
        ('model = "c"', "model = []", "model"),
        ("at_least", 'to = { model = "a" }, at_least', "needs `to`"),
        ('"value"', '"ratio"', "needs `to`"),
        ("tests = [{", "tests = []\nother = [{", "tests"),
        ("[[claims]]", "title = 1\n[[claims]]", "title"),
        (VALID, VALID + VALID, "two claims have the id x"),
    ],
)
def test_a_mistake_in_the_file_is_named_in_a_line(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = tmp_path / "claims.toml"
    path.write_text(VALID, encoding="utf-8")
    assert [item.id for item in read_claims(path)] == ["x"]
    path.write_text(VALID.replace(old, new), encoding="utf-8")
    with pytest.raises(UserError, match=re.escape(message)) as raised:
        read_claims(path)
    assert "\n" not in str(raised.value)
    assert str(path) in str(raised.value)


def test_each_combination_of_a_selection_is_there_or_absent() -> None:
    rows = [{"model": "unet2d-depth", "locations": 8192.0}, {"model": "c", "locations": 8192}, {"model": "c"}]
    chosen, absent = select(rows, {"model": ("unet2d-*", "c"), "locations": (8192, 16384)})
    assert chosen == rows[:2]
    assert absent == [{"model": "unet2d-*", "locations": 16384}, {"model": "c", "locations": 16384}]
    assert select(rows, {"model": ("c",)}) == (rows[1:], [])
    assert not fits(None, "*")


def test_a_paired_interval_is_of_the_measure_of_each_resample() -> None:
    # Differences 1, 2, ..., 101: the 2.5 and 97.5 percentiles are 1 + 2.5 and 1 + 97.5.
    first = {"value": 60.0, "low": 0.0, "high": 150.0, "resampled": np.arange(101.0) + 11, "source": "x"}
    second = {"value": 10.0, "low": 10.0, "high": 10.0, "resampled": np.full(101, 10.0), "source": "x"}
    assert measure("difference", [first, second]) == (50.0, 3.5, 98.5)
    # Spreads of 51 on average where there is one of 50: one too large.
    assert measure("spread", [second, first]) == (50.0, 2.5, 97.5)
    assert measure("ratio", [first, second]) == pytest.approx((6.0, 1.35, 10.85))
    assert measure("value", [first]) == (60.0, 0.0, 150.0)
    assert measure("difference", [first, {**second, "source": "y"}]) == (50.0, -10.0, 140.0)


@given(st.lists(st.tuples(st.floats(0.1, 1), st.floats(0.1, 1)), min_size=2, max_size=50))
def test_a_paired_interval_lies_within_the_ends_furthest_apart(pairs: list[tuple[float, float]]) -> None:
    rows = [
        {"value": float(of.mean()), "low": of.min(), "high": of.max(), "resampled": of, "source": "x"}
        for of in np.array(pairs).T
    ]
    alone = [{name: value for name, value in row.items() if name != "resampled"} for row in rows]
    for kind in PAIRED:
        paired, furthest = measure(kind, rows), measure(kind, alone)
        assert furthest.low - 1e-9 <= paired.low <= paired.high <= furthest.high + 1e-9
    first, second = measure("difference", rows), measure("difference", rows[::-1])
    assert (first.low, first.high) == pytest.approx((-second.high, -second.low))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot read"):
        read_claims(tmp_path / "claims.toml")
