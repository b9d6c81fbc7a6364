"""The file of the paper's claims, and what is told of a mistake in it."""

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from benchmarks.claims.schema import Kind, fits, measure, read_claims, select
from benchmarks.report.intervals import widening
from benchmarks.report.statistics import describe
from ossnet.errors import UserError

FOLDER = Path(__file__).parents[3] / "results" / "published"
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
    assert {table for item in CLAIMS for table in item.on.get("table", ())} == {
        "table1",
        "table2",
        "table3",
        "inference",
        "figure5",
    }


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


def rows_of(*models: np.ndarray) -> list[dict[str, Any]]:
    """Records of models from their scores [seeds, cases]."""
    frame = describe({str(place): pd.DataFrame(scores) for place, scores in enumerate(models)})
    rows = frame.rename(columns={"mean": "value"}).to_dict("records")
    return [{**row, "source": "x", "quantity": "iou"} for row in rows]


def test_intervals_of_measures() -> None:
    # Cases differ by 2 and 4, seeds by nothing.
    first, second = rows_of(np.array([[8.0, 12.0]] * 3), np.array([[4.0, 6.0]] * 3))
    t = stats.t(1).ppf(0.975)
    assert measure("value", [first]) == pytest.approx((10, 10 - 2 * t, 10 + 2 * t))
    assert measure("difference", [first, second]) == pytest.approx((5, 5 - t, 5 + t))
    assert measure("spread", [second, first]) == pytest.approx((5, 0, 5 + t))
    # One is twice the other in each case.
    assert measure("ratio", [first, {**second, "low": 1}]) == (2, -math.inf, math.inf)
    large = rows_of(np.array([[80.0, 82.0]] * 3), np.array([[40.0, 41.0]] * 3))
    assert measure("ratio", large) == pytest.approx((2, 2, 2), rel=1e-3)


def test_one_of_several_intervals_is_wider() -> None:
    generator = np.random.default_rng(0)
    rows = rows_of(*generator.random((2, 3, 8)) + 5)
    ends = {"value": 3.0, "low": 2.9, "high": 3.2}
    for kind in PAIRED:
        for group in (rows, [{**ends, "source": "x"}] * 2):
            one, two = (measure(kind, group[: 1 if kind == "value" else 2], number) for number in (1, 5))
            assert two.low < one.low < one.value == two.value < one.high < two.high
    assert measure("value", [ends], 5).high - 3 == pytest.approx(0.2 * widening(5))


@given(st.integers(0, 2**32 - 1))
def test_the_order_of_a_difference_is_its_sign(state: int) -> None:
    rows = rows_of(*np.random.default_rng(state).random((2, 3, 5)))
    first, second = measure("difference", rows), measure("difference", rows[::-1])
    assert (first.low, first.high) == pytest.approx((-second.high, -second.low))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot read"):
        read_claims(tmp_path / "claims.toml")
