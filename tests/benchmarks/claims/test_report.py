import re
from pathlib import Path

import pandas as pd

from benchmarks.claims.judge import VERDICT_COLUMNS, Verdict, judge
from benchmarks.claims.report import write_claims
from benchmarks.claims.schema import read_claims
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


def test_claims_are_written_as_csv_markdown_and_latex(tmp_path: Path) -> None:
    frame = judge(CLAIMS, records({"a": 0.7, "onet": 0.5}), PUBLISHED)
    assert list(frame) == VERDICT_COLUMNS
    assert list(frame["claim"]) == [item.id for item in CLAIMS]
    write_claims(frame, tmp_path / "claims", "Our records: all.")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["claims.csv", "claims.md", "claims.tex"]
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "claims.csv"), frame, check_dtype=False)
    markdown = (tmp_path / "claims.md").read_text(encoding="utf-8")
    latex = (tmp_path / "claims.tex").read_text(encoding="utf-8")
    for text in (markdown, latex):
        assert "glioma stands in for BraTS 2020 and liver stands in for LiTS" in text
    assert re.findall("^## (.*)$", markdown, re.MULTILINE) == list(dict.fromkeys(frame["subject"]))
    assert "| does not hold | 0 | 7 |" in markdown
    # A head, a rule and a line for each verdict; a head and a rule for each subject; a line for each claim.
    lines = [line for line in markdown.splitlines() if line.startswith("|")]
    assert len(lines) == 2 + len(Verdict) + 2 * frame["subject"].nunique() + len(CLAIMS)
    assert all(len(re.findall(r"(?<!\\)\|", line)) == 4 for line in lines)
    assert latex.count(r"\item ") == len(CLAIMS)
    assert latex.count(r"\begin{itemize}") == latex.count(r"\end{itemize}") == frame["subject"].nunique()
    assert r"10 \% more memory" in latex
    assert not re.search(r"(?<!\\)[%#&_]|[−†⁴]", latex.replace("†", "", latex.count("footnote †")))


def test_a_reason_with_marks_keeps_the_tables_whole(tmp_path: Path) -> None:
    failures = pd.DataFrame({"dataset": ["glioma"], "model": ["a"], "reason": ["bad | file\n*x_y* 100 %"]})
    gain = [claim for claim in CLAIMS if claim.id == "a-gain-brats"]
    frame = judge(gain, records({"onet": 0.5}), {}, failures)
    write_claims(frame, tmp_path / "claims", "Our records: all.")
    assert r"run failed (bad \| file \*x_y\* 100 %)" in (tmp_path / "claims.md").read_text(encoding="utf-8")
    assert r"*x\_y* 100 \%)" in (tmp_path / "claims.tex").read_text(encoding="utf-8")
