"""The table of protocols: each model's score by every protocol, on the same cases."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from benchmarks.layout import Layout, Row
from benchmarks.markup import NOTHING, Cell, Table, interval, latex, markdown, span
from benchmarks.names import GROUP, source_text
from benchmarks.report.caveats import Caveats
from benchmarks.report.score_records import SEVERAL, Records, by_several, scores_by_protocol
from benchmarks.report.summary import columns_of, group_keys, summarise
from benchmarks.report.table_notes import join_notes
from ossnet.evaluation.quantities import QUANTITIES
from ossnet.files import write_text

NOTES = (
    "Dense: every voxel of the case as it is stored, as in the other tables",
    "Paper: uniform locations of each prepared volume, as many as the heading gives",
    "Released: locations as the paper's code draws them; for LiTS a share of them is from the border, which lowers "
    "scores",
    "Brackets hold the 95 % interval over seeds and cases; the best value of a column is bold",
    "Compare scores only within a column",
)

PER_PROTOCOL = ["scored", "sampled"]
"""The columns that identify a row, in addition to those of the study's table."""


def protocol_layout(layout: Layout) -> Layout:
    """Return the layout of a study's table of protocols, by that of its own table; a row also has a protocol."""
    return replace(
        layout,
        table=f"{layout.table}-protocols",
        title=f"{layout.title}, by protocol",
        heads={**layout.heads, "scored": "Protocol", "sampled": "Locations"},
        scoring_columns=(*layout.scoring_columns, *PER_PROTOCOL),
    )


def summarise_protocols(records: Sequence[Records], layout: Layout) -> pd.DataFrame:
    """Return the numbers of a table of protocols, those of `summarise` for `protocol_layout(layout)`."""
    none_published = pd.DataFrame(columns=["table", "dataset", "model", "quantity", "value"])
    return summarise(scores_by_protocol(records), none_published, protocol_layout(layout))


def write_protocols(
    records: Sequence[Records], stem: str | Path, layout: Layout, caveats: Caveats | None = None
) -> None:
    """Write `stem`-protocols.csv, .md and .tex, unless no run has sampled scores, as in records of earlier versions.

    Args:
        records: the records of the study.
        stem: the path of the study's table without its ending.
        layout: the layout of the study's table.
        caveats: further notes, by the data sets, profiles and protocols of the study's table.

    Raises:
        UserError: a file cannot be written.
    """
    numbers = summarise_protocols(records, layout)
    if numbers.empty:
        return
    csv = numbers[columns_of(protocol_layout(layout))].to_csv(index=False, lineterminator="\n")
    write_text(f"{stem}-protocols.csv", csv)
    of_tables = {
        (dataset, profile, by_several(protocol)): sentences
        for (dataset, profile, protocol), sentences in (caveats or {}).items()
    }
    tables = [
        _table(numbers[(numbers[GROUP] == list(key)).all(axis=1)], key, layout, quantity, of_tables.get(key, ()))
        for key in group_keys(numbers)
        for quantity in QUANTITIES
        if quantity in set(numbers["quantity"])
    ]
    write_text(f"{stem}-protocols.md", "\n\n".join(map(markdown, tables)) + "\n")
    write_text(f"{stem}-protocols.tex", "\n\n".join(map(latex, tables)) + "\n")


def _table(
    numbers: pd.DataFrame, key: tuple[str, str, str], layout: Layout, quantity: str, caveats: Sequence[str]
) -> Table:
    """Return a row for each row of the study's table and a column for each protocol."""
    numbers = numbers[numbers["quantity"] == quantity]
    of_cell: dict[tuple[Row, Row], dict[str, float]] = {}
    for record in numbers.to_dict("records"):
        row, protocol = (tuple(record[name] for name in names) for names in (layout.columns, PER_PROTOCOL))
        of_cell[row, protocol] = {name: record[name] for name in ("value", "low", "high")}
    layout = layout.for_rows(row for row, _ in of_cell)
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
    return Table(caption, list(columns), cells, join_notes([*NOTES, *caveats]))


def _column(numbers: Sequence[dict[str, float] | None]) -> list[Cell]:
    texts = ["nan" if of is None else f"{of['value']:.3f}" for of in numbers]
    best = max((text for text in texts if text != "nan"), default="")
    cells = []
    for of, text in zip(numbers, texts, strict=True):
        if of is None or text == "nan":
            cells.append(NOTHING)
        else:
            detail = "" if math.isnan(of["low"]) else interval(of["low"], of["high"], ".3f")
            cells.append(Cell(text, text == best, detail))
    return cells
