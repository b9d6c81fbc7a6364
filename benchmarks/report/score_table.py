"""Tables of scores as Markdown, CSV and LaTeX, with the paper's numbers next to ours."""

import math
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.layout import Layout, Row
from benchmarks.markup import NOTHING, Cell, Table, interval, latex, markdown, span
from benchmarks.names import GROUP, OF_THE_PAPER, STAND_INS, source_text
from benchmarks.report.caveats import Caveats
from benchmarks.report.summary import columns_of, group_keys
from benchmarks.report.table_notes import join_notes, notes_of_numbers
from ossnet.evaluation.quantities import QUANTITIES, Quantity
from ossnet.files import write_text


def to_markdown(
    frame: pd.DataFrame, layout: Layout, failures: pd.DataFrame | None = None, caveats: Caveats | None = None
) -> str:
    """Return the numbers of `summarise` as GitHub Markdown.

    Each data set, profile and protocol has a caption, a table and notes. The best value of a column is bold.

    Args:
        frame: the numbers.
        layout: the table's layout.
        failures: one row per run without scores, with columns dataset, profile, seed, reason (`OOM` or a sentence) and
            `layout.columns`. None and empty are the same.
        caveats: further notes.
    """
    return "\n\n".join(markdown(table) for table in _tables(frame, layout, failures, caveats)) + "\n"


def to_latex(
    frame: pd.DataFrame, layout: Layout, failures: pd.DataFrame | None = None, caveats: Caveats | None = None
) -> str:
    """Return the numbers of `summarise` as LaTeX; the arguments are those of `to_markdown`."""
    return "\n\n".join(latex(table) for table in _tables(frame, layout, failures, caveats)) + "\n"


def write_table(
    frame: pd.DataFrame,
    stem: str | Path,
    layout: Layout,
    failures: pd.DataFrame | None = None,
    appendix: Sequence[Table] = (),
    caveats: Caveats | None = None,
) -> None:
    """Write `stem`.csv (`columns_of(layout)` of `frame`), `stem`.md and `stem`.tex, each whole or not at all.

    Args:
        frame: the numbers of `summarise`.
        stem: the path of the files without their endings.
        layout: the table's layout.
        failures: as for `to_markdown`.
        appendix: tables that follow in the latter two files.
        caveats: further notes.

    Raises:
        UserError: a file cannot be written.
    """
    write_text(f"{stem}.csv", frame[columns_of(layout)].to_csv(index=False, lineterminator="\n"))
    for ending, markup, table in (("md", markdown, to_markdown), ("tex", latex, to_latex)):
        parts = [table(frame, layout, failures, caveats), *(f"{markup(other)}\n" for other in appendix)]
        write_text(f"{stem}.{ending}", "\n".join(parts))


NOT_RUN = "not run"

Failed = Mapping[Row, Mapping[int, str]]
"""The reasons why runs have no scores, by row and seed."""


def failed_rows(failures: pd.DataFrame | None, layout: Layout) -> dict[tuple[str, str], dict[Row, dict[int, str]]]:
    """Return the reasons why runs have no scores, by data set and profile, row of the table and seed."""
    failed: dict[tuple[str, str], dict[Row, dict[int, str]]] = {}
    for run in [] if failures is None else failures.to_dict("records"):
        row = tuple(run[column] for column in layout.columns)
        failed.setdefault((run["dataset"], run["profile"]), {}).setdefault(row, {})[run["seed"]] = run["reason"]
    return failed


def failure_sentences(failed: Failed, layout: Layout) -> list[str]:
    """Return a sentence, without its full stop, for each row of a table and each reason why seeds of it failed."""
    return [
        f"Failed: {', '.join(layout.label(row))}, "
        f"seed {', '.join(str(seed) for seed in sorted(reasons) if reasons[seed] == reason)}: {reason}"
        for row, reasons in failed.items()
        for reason in dict.fromkeys(reasons.values())
    ]


def _tables(frame: pd.DataFrame, layout: Layout, failures: pd.DataFrame | None, caveats: Caveats | None) -> list[Table]:
    failed = failed_rows(failures, layout)
    keys = group_keys(frame)
    # A data set on which every run failed has no rows, but has a table.
    scored = {key[:2] for key in keys}
    keys += [(*where, "") for where in failed if where not in scored]
    return [
        _table(
            frame[(frame[GROUP] == list(key)).all(axis=1)],
            key,
            layout,
            failed.get(key[:2], {}),
            (caveats or {}).get(key, ()),
        )
        for key in keys
    ]


def _table(
    numbers: pd.DataFrame, key: tuple[str, str, str], layout: Layout, failed: Failed, caveats: Sequence[str]
) -> Table:
    by_row: dict[Row, dict[str, Numbers]] = {}
    for record in numbers.to_dict("records"):
        by_row.setdefault(tuple(record[column] for column in layout.columns), {})[record["quantity"]] = record
    layout = layout.for_rows([*by_row, *failed])
    rows = layout.arrange({*by_row, *failed})

    labels = zip(*map(layout.label, rows), strict=True)
    columns = {head: [Cell(text) for text in texts] for head, texts in zip(layout.shown, labels, strict=True)}
    for name in layout.quantities or QUANTITIES:
        if name in set(numbers["quantity"]):
            columns |= _columns(name, [by_row.get(row, {}).get(name, {}) for row in rows])
    for head, count in (("Cases", "n"), ("Seeds", "seeds")):
        columns[head] = [Cell(span(record[count] for record in by_row.get(row, {}).values())) for row in rows]
    status = [status_text(row in by_row, failed.get(row, {})) for row in rows]
    if any(status):
        columns["Status"] = [Cell(text) for text in status]
    cells = [list(row) for row in zip(*columns.values(), strict=True)]
    numbers = numbers[numbers["quantity"].isin(layout.quantities or QUANTITIES)]
    return Table(_caption(numbers, key, layout), list(columns), cells, _notes(numbers, key[0], layout, failed, caveats))


Numbers = Mapping[Hashable, Any]
"""A row of the numbers of `summarise`; empty if it was not measured."""


def heading(quantity: Quantity) -> str:
    """Return the heading of a quantity's values, with an arrow towards better ones."""
    title = f"{quantity.name} ({quantity.unit})" if quantity.unit else quantity.name
    return f"{title} {'↑' if quantity.higher_is_better else '↓'}"


def _columns(name: str, of_rows: Sequence[Numbers]) -> dict[str, list[Cell]]:
    """Return the columns of a quantity, with our best, the reference and the paper's number if the paper reports it."""
    quantity = QUANTITIES[name]
    digits = quantity.digits

    def column(what: str, digits: int = digits, details: Sequence[str] | None = None) -> list[Cell]:
        values = [numbers.get(what, math.nan) for numbers in of_rows]
        # Values that read the same are best together.
        texts = [f"{value:.{digits}f}" for value in values]
        valid = [float(text) for text in texts if text != "nan"]
        best = (max if quantity.higher_is_better else min)(valid, default=math.nan)
        return [
            NOTHING if text == "nan" else Cell(text, float(text) == best, detail)
            for text, detail in zip(texts, details or [""] * len(texts), strict=True)
        ]

    details = [_detail(numbers, digits, with_deviation=name in OF_THE_PAPER) for numbers in of_rows]
    columns = {heading(quantity): column("value", details=details)}
    if name in OF_THE_PAPER:
        if any(numbers.get("seeds", 0) > 1 for numbers in of_rows):
            columns[f"{quantity.name}, best"] = column("best")
        if any(not math.isnan(numbers.get("reference", math.nan)) for numbers in of_rows):
            columns[f"{quantity.name}, reference"] = column("reference")
    if any(not math.isnan(numbers.get("published", math.nan)) for numbers in of_rows):
        columns[f"{quantity.name}, paper"] = column("published", digits=4)
    return columns


def _detail(numbers: Numbers, digits: int, with_deviation: bool) -> str:
    deviation, low, high = (numbers.get(what, math.nan) for what in ("std_seeds", "low", "high"))
    parts = [] if math.isnan(deviation) or not with_deviation else [f"± {deviation:.{digits}f}"]
    return " ".join(parts if math.isnan(low) else [*parts, interval(low, high, f".{digits}f")])


def status_text(scored: bool, failed: Mapping[int, str]) -> str:
    """Return the status of a row: its failed seeds with the kind of failure, or that it was not run."""
    kinds = {seed: "OOM" if reason == "OOM" else "failed" for seed, reason in sorted(failed.items())}
    if scored:
        return ", ".join(f"seed {seed}: {kind}" for seed, kind in kinds.items())
    return ", ".join(sorted(set(kinds.values()))) or NOT_RUN


def _caption(numbers: pd.DataFrame, key: tuple[str, str, str], layout: Layout) -> str:
    size = "no scores" if numbers.empty else f"cases: {span(numbers['n'])}; seeds: {span(numbers['seeds'])}"
    return f"{layout.title}. {source_text(*key)}; {size}."


def _notes(numbers: pd.DataFrame, dataset: str, layout: Layout, failed: Failed, caveats: Sequence[str]) -> str:
    sentences = [*notes_of_numbers(numbers, OF_THE_PAPER, STAND_INS.get(dataset)), *caveats]
    if layout.note:
        sentences.append(layout.note)
    return join_notes([*sentences, *failure_sentences(failed, layout)])
