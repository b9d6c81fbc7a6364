"""The verdicts on the paper's claims as Markdown, CSV and LaTeX."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from benchmarks.claims.judge import Verdict
from benchmarks.markup import LATEX
from benchmarks.names import STAND_INS
from benchmarks.report.coverage import OF_CLAIMS
from ossnet.files import write_text


def write_claims(frame: pd.DataFrame, stem: str | Path, basis: str) -> None:
    """Write what `judge` gives as `stem`.csv, `stem`.md and `stem`.tex (lists, which break across pages), each whole
    or not at all.

    Args:
        basis: a sentence that tells which records were judged.

    Raises:
        UserError: a file cannot be written.
    """
    write_text(f"{stem}.csv", frame.to_csv(index=False, lineterminator="\n"))
    write_text(f"{stem}.md", _markdown(frame, basis))
    write_text(f"{stem}.tex", _latex(frame, basis))


def print_claims(frame: pd.DataFrame) -> None:
    """Print every claim with both verdicts and their numbers, and how many there are of each."""
    table = Table(show_lines=True)
    for head in ("Claim", *SIDES):
        table.add_column(head, overflow="fold")
    for row in frame.to_dict("records"):
        table.add_row(
            escape(row["claim"]),
            *(f"[bold]{row[f'verdict{side}']}[/bold]\n{escape(row[f'numbers{side}'])}" for side in SIDES.values()),
        )
    console = Console()
    console.print(table)
    for whose, side in SIDES.items():
        counts = frame[f"verdict{side}"].value_counts()
        console.print(f"{whose}: " + ", ".join(f"{verdict} {counts.get(verdict, 0)}" for verdict in Verdict))


SIDES = {"Our records": "", "The paper's own tables": "_published"}
"""Who judges, and the ending of their columns."""


def _caption(frame: pd.DataFrame) -> str:
    stand_ins = " and ".join(f"{name} stands in for {paper}" for name, paper in STAND_INS.items())
    return (
        f"{len(frame)} claims of the paper (Reich et al., BMVC 2021), judged by our records and by the paper's own "
        f"tables. The embedded data are synthetic, {stand_ins}: a verdict by them is about the method on those data. "
        "Our numbers are means over seeds, with intervals in brackets; the paper's are the best of three runs. A claim "
        "holds if the 95 % interval of each of its comparisons lies within the limits, and does not hold if one lies "
        "beyond them that was made wide enough for all of the claim's intervals to hold the truth at once in 95 % of "
        f"studies. Undecided: neither. {OF_CLAIMS} The limits, and how vague words are read, are in "
        "results/published/claims.toml."
    )


def _markdown(frame: pd.DataFrame, basis: str) -> str:
    def cell(text: str) -> str:
        return re.sub(r"([|*])", r"\\\1", " ".join(text.split()))

    def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
        return ["", *("| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows))]

    counts = [
        (verdict, *(f"{(frame[f'verdict{side}'] == verdict).sum()}" for side in SIDES.values())) for verdict in Verdict
    ]
    lines = ["# The paper's claims", "", f"{_caption(frame)} {cell(basis)}", *table(["Verdict", *SIDES], counts)]
    for subject, claims in frame.groupby("subject", sort=False):
        rows = []
        for row in claims.to_dict("records"):
            judged = [f"**{row[f'verdict{side}']}**<br>{cell(row[f'numbers{side}'])}" for side in SIDES.values()]
            rows.append([f"{cell(row['text'])}<br>*{cell(row['where'])}*", *judged])
        lines += ["", f"## {subject}", *table(["Claim", *SIDES], rows)]
    return "\n".join(lines) + "\n"


def _latex(frame: pd.DataFrame, basis: str) -> str:
    escapes = str.maketrans(LATEX)
    lines = [f"{_caption(frame)} {basis}".translate(escapes)]
    for subject, claims in frame.groupby("subject", sort=False):
        lines += ["", rf"\subsection*{{{str(subject).translate(escapes)}}}", r"\begin{itemize}"]
        for row in claims.to_dict("records"):
            lines.append(rf"\item {row['text'].translate(escapes)} \emph{{{row['where'].translate(escapes)}}}")
            for whose, side in SIDES.items():
                numbers = row[f"numbers{side}"].translate(escapes)
                lines.append(rf"  \par {whose}: \textbf{{{row[f'verdict{side}']}}}; {numbers}")
        lines.append(r"\end{itemize}")
    return "\n".join(lines) + "\n"
