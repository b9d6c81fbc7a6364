import re
from pathlib import Path

import pandas as pd
import pytest

from benchmarks.claims.judge import COMPARISON_COLUMNS, VERDICT_COLUMNS, judge
from benchmarks.claims.outcomes import Verdict
from benchmarks.claims.report import HEAD, print_claims, write_claims
from benchmarks.claims.schema import read_claims
from benchmarks.markup import read_markdown
from benchmarks.names import read_published

FOLDER = Path(__file__).parents[3] / "results" / "published"
CLAIMS = read_claims(FOLDER / "claims.toml")
PUBLISHED = {table: read_published(FOLDER, table) for table in ("table1", "table2", "table3")}


def records(values: dict[str, float]) -> pd.DataFrame:
    """A record of the IoU for each model, by its value."""
    where = {"table": "table2", "dataset": "glioma", "profile": "laptop", "protocol": "dense"}
    what = {"quantity": "iou", "unit": "", "n": 16}
    return pd.DataFrame(
        [
            {**where, **what, "model": model, "value": value, "low": value - 0.01, "high": value + 0.01}
            for model, value in values.items()
        ]
    )


def written(tmp_path: Path, frame: pd.DataFrame) -> str:
    """Write verdicts, and return their Markdown."""
    write_claims(frame, tmp_path / "claims", "Our records: all.")
    return (tmp_path / "claims.md").read_text(encoding="utf-8")


def test_claims_are_written_as_csv_markdown_and_latex(tmp_path: Path) -> None:
    frame = judge(CLAIMS, records({"a": 0.7, "onet": 0.5}), PUBLISHED)
    assert list(frame) == [*VERDICT_COLUMNS, "comparisons"]
    assert list(frame["claim"]) == [item.id for item in CLAIMS]
    markdown = written(tmp_path, frame)
    names = ["claims-comparisons.csv", "claims.csv", "claims.md", "claims.tex"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    read = pd.read_csv(tmp_path / "claims.csv", keep_default_na=False)
    pd.testing.assert_frame_equal(read, frame[VERDICT_COLUMNS], check_dtype=False)
    assert re.findall("^## (.*)$", markdown, re.MULTILINE) == list(dict.fromkeys(frame["subject"]))
    counts, *tables = read_markdown(markdown)
    assert ["does not hold", "0", "7"] in counts.rows
    assert "glioma stands in for BraTS 2020" in markdown
    assert "Our records: all." in markdown
    assert [row[0] for table in tables for row in table.rows] == list(frame["text"])
    assert all(table.head == HEAD and all(len(row) == len(HEAD) for row in table.rows) for table in tables)
    assert [row[-1].strip("*") for table in tables for row in table.rows] == list(frame["verdict"])


def test_a_claim_is_a_sentence_with_its_numbers_in_their_columns(tmp_path: Path) -> None:
    frame = judge(CLAIMS, records({"a": 0.7, "onet": 0.5}), PUBLISHED)
    rows = [row for table in read_markdown(written(tmp_path, frame))[1:] for row in table.rows]
    assert all(len(row[0]) < 120 and row[0].count(".") - len(re.findall(r"\d\.\d", row[0])) == 1 for row in rows)
    assert rows[0][1:] == [
        *("Section 4.3, Table 2", "**holds** 0.2029: OSS-Net A 0.7644 − O-Net 0.5615; limit 0.2025 to 0.2035"),
        *("0.2: OSS-Net A 0.7 − O-Net 0.5", "[0.18, 0.22]", "0.183 to 0.223", "**undecided**"),
    ]


def test_every_comparison_is_written_with_its_numbers(tmp_path: Path) -> None:
    frame = judge(CLAIMS, records({"a": 0.7, "b": 0.6, "c": 0.6, "d": 0.6, "onet": 0.5}), PUBLISHED)
    written(tmp_path, frame)
    comparisons = pd.read_csv(tmp_path / "claims-comparisons.csv")
    assert list(comparisons) == COMPARISON_COLUMNS
    rows = comparisons[comparisons["claim"] == "variants-over-onet-brats"].set_index("judged_by")
    # Four variants by IoU, and what is missing of Dice; in the paper by both.
    assert rows.loc["ours", "value"].dropna().tolist() == pytest.approx([0.2, 0.1, 0.1, 0.1])
    assert rows.loc["ours", "low"].dropna().tolist() == pytest.approx([0.18, 0.08, 0.08, 0.08])
    assert len(rows.loc["paper"]) == 8
    assert set(rows["at_least"]) == {0.0001}
    assert rows["at_most"].isna().all()
    assert (rows.loc["ours", "reason"].isna() == rows.loc["ours", "value"].notna()).all()


def test_latex_has_a_table_for_each_subject(tmp_path: Path) -> None:
    frame = judge(CLAIMS, records({"a": 0.7, "onet": 0.5}), PUBLISHED)
    written(tmp_path, frame)
    latex = (tmp_path / "claims.tex").read_text(encoding="utf-8")
    assert latex.isascii()
    assert latex.count(r"\begin{table}") == latex.count(r"\end{table}") == 1 + frame["subject"].nunique()
    # The head and a line for each verdict; a head for each subject; a line for each claim.
    assert latex.count(r" \\") == 1 + len(Verdict) + frame["subject"].nunique() + len(CLAIMS)
    assert r"10 \% more memory" in latex
    assert not re.search(r"(?<!\\)[#_]", latex)


def test_a_reason_with_marks_keeps_the_tables_whole(tmp_path: Path) -> None:
    failures = pd.DataFrame({"dataset": ["glioma"], "model": ["a"], "reason": ["bad | file\n*x_y* 100 %"]})
    gain = [claim for claim in CLAIMS if claim.id == "a-gain-brats"]
    frame = judge(gain, records({"onet": 0.5}), {}, failures)
    assert r"run failed (bad \| file \*x_y\* 100 %)" in written(tmp_path, frame)
    assert r"*x\_y* 100 \%)" in (tmp_path / "claims.tex").read_text(encoding="utf-8")


def test_both_sides_are_printed_with_their_counts(capsys: pytest.CaptureFixture[str]) -> None:
    gain = [claim for claim in CLAIMS if claim.id == "a-gain-brats"]
    print_claims(judge(gain, records({"a": 0.7, "onet": 0.5}), PUBLISHED))
    printed = capsys.readouterr().out
    assert "a-gain-brats" in printed
    assert "Our records: does not hold 0, not measured 0, undecided 1" in printed
