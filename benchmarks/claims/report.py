"""The verdicts on the paper's claims as Markdown, CSV and LaTeX, and on the terminal."""

from collections.abc import Hashable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console
from rich.markup import escape
from rich.table import Table as TerminalTable

from benchmarks.claims.judge import COMPARISON_COLUMNS, VERDICT_COLUMNS
from benchmarks.claims.outcomes import Verdict
from benchmarks.markup import NOTHING, Cell, Table, latex, markdown
from benchmarks.names import STAND_INS
from benchmarks.report.interval_coverage import OF_CLAIMS
from ossnet.files import write_text

SIDES = {"Our records": "", "The paper's own tables": "_published"}
"""The sides that judge, and the ending of their columns."""

ABLATIONS = "Modifications, judged by the ablations"
ABLATIONS_NOTES = (
    "The claims about modifications, judged once more by the study additions, which adds them to O-Net, and those "
    "about patches also by the study ablations, which takes them from OSS-Net C. Both have more seeds than Table 2, "
    "and train O-Net by the recipe of the OSS-Nets."
)

HEAD = ["Claim", "Source", "Paper", "Ours", "95 % interval", "Limit", "Verdict"]
ALIGNMENT = "plpplll"


def write_claims(frame: pd.DataFrame, stem: str | Path, basis: str) -> None:
    """Write verdicts as `stem`.csv, .md and .tex, and all comparisons as `stem`-comparisons.csv.

    Each file is written whole or not at all.

    Args:
        frame: the verdicts that `benchmarks.claims.judge.judge` returns.
        stem: the path of the files without their endings.
        basis: a sentence that names the records that were judged.

    Raises:
        UserError: a file cannot be written.
    """
    comparisons = [one for of_claim in frame["comparisons"] for one in of_claim]
    every = pd.DataFrame(comparisons, columns=COMPARISON_COLUMNS)
    write_text(f"{stem}.csv", frame[VERDICT_COLUMNS].to_csv(index=False, lineterminator="\n"))
    write_text(f"{stem}-comparisons.csv", every.to_csv(index=False, lineterminator="\n"))
    counts, tables = _counts(frame, basis), _tables(frame)
    headed = [replace(table, caption=f"## {table.caption}") for table in tables]
    write_text(f"{stem}.md", "\n\n".join(["# The paper's claims", *map(markdown, [counts, *headed])]) + "\n")
    captioned = [replace(table, caption=f"Claims of the paper: {table.caption}.") for table in tables]
    write_text(f"{stem}.tex", "\n\n".join(map(latex, [counts, *captioned])) + "\n")


def print_claims(frame: pd.DataFrame) -> None:
    """Print every claim with both verdicts and their numbers, and the number of claims with each verdict."""
    table = TerminalTable(show_lines=True)
    for head in ("Claim", *SIDES):
        table.add_column(head, overflow="fold")
    for row in frame.to_dict("records"):
        interval = f" {row['interval']}" if row["interval"] else ""
        judged = (
            (row["verdict"], f"{row['numbers']}{interval}", row["limit"]),
            (row["verdict_published"], row["numbers_published"], row["limit_published"]),
        )
        table.add_row(
            escape(row["claim"]),
            *(
                f"[bold]{verdict}[/bold]\n{escape(numbers)}" + (f"\nlimit {limit}" if limit else "")
                for verdict, numbers, limit in judged
            ),
        )
    console = Console()
    console.print(table)
    for whose, side in (SIDES | {"By the ablations": "_ablations"}).items():
        counts = frame[f"verdict{side}"].value_counts()
        console.print(f"{whose}: " + ", ".join(f"{verdict} {counts.get(verdict, 0)}" for verdict in Verdict))


def _counts(frame: pd.DataFrame, basis: str) -> Table:
    """Return the number of claims with each verdict, with notes on how claims are judged."""
    stand_ins = " and ".join(f"{name} stands in for {paper}" for name, paper in STAND_INS.items())
    notes = (
        "The claims are those of Reich et al. (BMVC 2021). They are judged by our records and by the paper's own "
        f"tables. The embedded data are synthetic: {stand_ins}. A verdict on them is about the method on those data. "
        "Our numbers are means over seeds; the paper's are the best of three runs. A claim holds if the 95 % interval "
        "of each of its comparisons lies within the limit. It does not hold if an interval lies beyond the limit after "
        "it is widened so that all intervals of the claim hold jointly in 95 % of studies. Otherwise it is undecided. "
        f"{OF_CLAIMS}. The tables below give the comparison of each claim with the smallest margin, and the interval "
        "that decided; an exact number has none. All comparisons are in claims-comparisons.csv. The limits, and the "
        f"reading of vague words, are in results/published/claims.toml. {basis}"
    )
    rows = [
        [Cell(verdict.value), *(Cell(f"{(frame[f'verdict{side}'] == verdict).sum()}") for side in SIDES.values())]
        for verdict in Verdict
    ]
    return Table(f"Verdicts on {len(frame)} claims of the paper.", ["Verdict", *SIDES], rows, notes)


def _tables(frame: pd.DataFrame) -> list[Table]:
    """Return a table of the claims on each subject, and one of those that ablations judge."""
    tables = []
    for subject, claims in frame.groupby("subject", sort=False):
        explanations = "; ".join(dict.fromkeys(filter(None, claims["explanation"])))
        notes = f"Numbers that explain the verdicts: {explanations}." if explanations else ""
        rows = [_cells(row) for row in claims.to_dict("records")]
        tables.append(Table(str(subject), HEAD, rows, notes, ALIGNMENT))
    by_ablations = frame[frame["verdict_ablations"] != ""]
    if len(by_ablations):
        rows = [_cells(row, "_ablations") for row in by_ablations.to_dict("records")]
        tables.append(Table(ABLATIONS, HEAD, rows, ABLATIONS_NOTES, ALIGNMENT))
    return tables


def _cells(row: Mapping[Hashable, Any], side: str = "") -> list[Cell]:
    """Return the cells of a claim with the verdict by our records or, with `_ablations`, by these."""
    interval, limit = (Cell(text) if (text := row[f"{name}{side}"]) else NOTHING for name in ("interval", "limit"))
    other_limit = f"; limit {row['limit_published']}" if row["limit_published"] not in ("", row["limit"]) else ""
    paper = Cell(row["verdict_published"], bold=True, detail=f"{row['numbers_published']}{other_limit}")
    return [
        *(Cell(row["text"]), Cell(row["where"]), paper),
        *(Cell(row[f"numbers{side}"]), interval, limit, Cell(row[f"verdict{side}"], bold=True)),
    ]
