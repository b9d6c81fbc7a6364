"""The file of the paper's claims, and the message about a mistake in it."""

import re
from pathlib import Path

import pytest

from benchmarks.claims.schema import read_claims
from benchmarks.names import PUBLISHED
from ossnet.errors import UserError

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


def test_every_claim_of_the_paper_has_its_reason_and_its_place() -> None:
    claims = read_claims(PUBLISHED / "claims.toml")
    assert all(claim.text and claim.why and re.search("Section|Table|Abstract", claim.where) for claim in claims)


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
