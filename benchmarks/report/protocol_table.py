"""The table of protocols: what a model's score is by each of them, on the same cases."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from benchmarks.markup import NOTHING, Cell, Grid, latex, markdown, span
from benchmarks.names import GROUP, source_text
from benchmarks.report.caveats import Caveats, with_caveats
from benchmarks.report.score_records import SEVERAL, Records, by_several, scores_by_protocol
from benchmarks.report.score_table import columns_of, group_keys
from benchmarks.report.summary import summarise
from benchmarks.study import Layout, Row
from ossnet.evaluation.quantities import QUANTITIES
from ossnet.files import write_text

NOTES = (
    "Dense: every voxel of the case as it is stored, as in the other tables. Paper: uniform locations of each prepared "
    "volume, as many as are given. Released: as the paper's code draws them, which for LiTS takes a share from the "
    "border and so makes scores lower. In brackets the 95 % interval over seeds and cases; bold: best of its column. "
    "Compare within a column alone."
)

PER_PROTOCOL = ["scored", "sampled"]
"""What tells rows apart besides the columns of the study's own table."""


def protocol_layout(layout: Layout) -> Layout:
    """The layout of the table of protocols of a study, by that of its own table; its rows also tell the protocol."""
    return replace(
        layout,
        table=f"{layout.table}-protocols",
        title=f"{layout.title}, by protocol",
        heads={**layout.heads, "scored": "Protocol", "sampled": "Locations"},
        scoring_columns=(*layout.scoring_columns, *PER_PROTOCOL),
    )


def summarise_protocols(records: Sequence[Records], layout: Layout) -> pd.DataFrame:
    """The numbers of a table of protocols: what `summarise` gives for `protocol_layout(layout)`."""
    none_published = pd.DataFrame(columns=["table", "dataset", "model", "quantity", "value"])
    return summarise(scores_by_protocol(records), none_published, protocol_layout(layout))


def write_protocols(
    records: Sequence[Records], stem: str | Path, layout: Layout, caveats: Caveats | None = None
) -> None:
    """Write `stem`-protocols.csv, .md and .tex, unless no run has sampled scores, as in records of earlier versions.

    Args:
        caveats: for the notes, by what the study's own table is told apart by.

    Raises:
        UserError: a file cannot be written.
    """
    numbers = summarise_protocols(records, layout)
    if numbers.empty:
        return
    csv = numbers[columns_of(protocol_layout(layout))].to_csv(index=False, lineterminator="\n")
    write_text(f"{stem}-protocols.csv", csv)
    told = {(dataset, profile, by_several(of)): told for (dataset, profile, of), told in (caveats or {}).items()}
    grids = [
        _grid(numbers[(numbers[GROUP] == list(key)).all(axis=1)], key, layout, quantity, told.get(key, ()))
        for key in group_keys(numbers)
        for quantity in QUANTITIES
        if quantity in set(numbers["quantity"])
    ]
    write_text(f"{stem}-protocols.md", "\n\n".join(map(markdown, grids)) + "\n")
    write_text(f"{stem}-protocols.tex", "\n\n".join(map(latex, grids)) + "\n")


def _grid(
    numbers: pd.DataFrame, key: tuple[str, str, str], layout: Layout, quantity: str, caveats: Sequence[str]
) -> Grid:
    """A row for each row of the study's table, a column for each protocol."""
    numbers = numbers[numbers["quantity"] == quantity]
    of_cell: dict[tuple[Row, Row], dict[str, float]] = {}
    for record in numbers.to_dict("records"):
        row, protocol = (tuple(record[name] for name in names) for names in (layout.columns, PER_PROTOCOL))
        of_cell[row, protocol] = {name: record[name] for name in ("value", "low", "high")}
    rows = layout.arrange({row for row, _ in of_cell})
    labels = list(zip(*map(layout.label, rows), strict=True))
    columns = {head: [Cell(text) for text in texts] for head, texts in zip(layout.shown, labels, strict=True)}
    for scored, sampled in sorted({protocol for _, protocol in of_cell}):
        head = f"{QUANTITIES[quantity].name}, {scored} ({sampled})"
        columns[head] = _column([of_cell.get((row, (scored, sampled))) for row in rows])
    size = f"cases: {span(numbers['n'])}; seeds: {span(numbers['seeds'])}"
    dataset, profile, by_protocol = key
    source = source_text(dataset, profile, "") + by_protocol.removeprefix(SEVERAL)
    caption = f"{layout.title}: {QUANTITIES[quantity].name} by protocol. {source}; {size}."
    cells = [list(row) for row in zip(*columns.values(), strict=True)]
    return Grid(caption, list(columns), cells, with_caveats(NOTES, caveats))


def _column(numbers: Sequence[dict[str, float] | None]) -> list[Cell]:
    texts = ["nan" if of is None else f"{of['value']:.3f}" for of in numbers]
    best = max((text for text in texts if text != "nan"), default="")
    cells = []
    for of, text in zip(numbers, texts, strict=True):
        if of is None or text == "nan":
            cells.append(NOTHING)
        else:
            detail = "" if math.isnan(of["low"]) else f"[{of['low']:.3f}, {of['high']:.3f}]"
            cells.append(Cell(text, text == best, detail))
    return cells
