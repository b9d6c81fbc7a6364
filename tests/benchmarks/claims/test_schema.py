"""The file of the paper's claims, and the message about a mistake in it."""

import re
from pathlib import Path

import pytest

from benchmarks.claims.schema import read_claims
from ossnet.errors import UserError

FOLDER = Path(__file__).parents[3] / "results" / "published"
CLAIMS = read_claims(FOLDER / "claims.toml")

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


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot read"):
        read_claims(tmp_path / "claims.toml")
