"""Verdicts as files and on the terminal; the golden tests hold the files of the committed reference."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from benchmarks.claims.judge import COMPARISON_COLUMNS, judge
from benchmarks.claims.report import print_claims, write_claims
from benchmarks.claims.schema import Claim, read_claims
from benchmarks.markup import read_markdown
from benchmarks.names import PUBLISHED, read_published

CLAIMS = {claim.id: claim for claim in read_claims(PUBLISHED / "claims.toml")}
GAIN: list[Claim] = [CLAIMS["a-gain-brats"]]
TABLE2 = {"table2": read_published(PUBLISHED, "table2")}

Frame = Callable[..., pd.DataFrame]


@pytest.fixture
def iou(records: Frame) -> Frame:
    """Make a record of the IoU of each model, by its value."""
    return lambda **values: records({model: (value, value - 0.01, value + 0.01) for model, value in values.items()})


def test_every_comparison_is_written_with_its_numbers(tmp_path: Path, iou: Frame) -> None:
    every = judge([CLAIMS["variants-over-onet-brats"]], iou(a=0.7, b=0.6, c=0.6, d=0.6, onet=0.5), TABLE2)
    write_claims(every, tmp_path / "claims", "Our records: all.")
    comparisons = pd.read_csv(tmp_path / "claims-comparisons.csv")
    assert list(comparisons) == COMPARISON_COLUMNS
    rows = comparisons.set_index("judged_by")
    # Four variants by IoU, and what is missing of Dice; in the paper by both.
    assert rows.loc["ours", "value"].dropna().tolist() == pytest.approx([0.2, 0.1, 0.1, 0.1])
    assert rows.loc["ours", "low"].dropna().tolist() == pytest.approx([0.18, 0.08, 0.08, 0.08])
    assert len(rows.loc["paper"]) == 8
    assert set(rows["at_least"]) == {0.0001}
    assert rows["at_most"].isna().all()
    assert (rows.loc["ours", "reason"].isna() == rows.loc["ours", "value"].notna()).all()


def test_a_claim_is_a_row_with_both_verdicts(tmp_path: Path, iou: Frame) -> None:
    write_claims(judge(GAIN, iou(a=0.7, onet=0.5), TABLE2), tmp_path / "claims", "Our records: all.")
    counts, table, ablations = read_markdown((tmp_path / "claims.md").read_text(encoding="utf-8"))
    assert ["undecided", "1", "0"] in counts.rows
    assert table.rows[0][1:] == [
        *("Section 4.3, Table 2", "**holds** 0.2029: OSS-Net A 0.7644 − O-Net 0.5615; limit 0.2025 to 0.2035"),
        *("0.2: OSS-Net A 0.7 − O-Net 0.5", "[0.18, 0.22]", "0.183 to 0.223", "**undecided**"),
    ]
    missing = "not run: IoU, patches (OSS-Net A) on BraTS 2020; and 1 more"
    assert ablations.rows[0][3:] == [missing, "–", "0.183 to 0.223", "**not measured**"]


def test_a_reason_with_marks_keeps_the_tables_whole(tmp_path: Path, iou: Frame) -> None:
    failures = pd.DataFrame({"dataset": ["glioma"], "model": ["a"], "reason": ["bad | file\n*x_y* 100 %"]})
    write_claims(judge(GAIN, iou(onet=0.5), {}, failures), tmp_path / "claims", "Our records: all.")
    markdown, latex = ((tmp_path / f"claims.{kind}").read_text(encoding="utf-8") for kind in ("md", "tex"))
    assert r"run failed (bad \| file \*x_y\* 100 %)" in markdown
    assert r"*x\_y* 100 \%)" in latex
    assert latex.isascii()


def test_both_sides_are_printed_with_their_counts(iou: Frame, capsys: pytest.CaptureFixture[str]) -> None:
    print_claims(judge(GAIN, iou(a=0.7, onet=0.5), TABLE2))
    printed = capsys.readouterr().out
    assert "a-gain-brats" in printed
    assert "Our records: does not hold 0, not measured 0, undecided 1" in printed
