"""The table of differences from a baseline, of a study that has one."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from benchmarks.layout import Layout, Row
from benchmarks.markup import NOTHING, Cell, Table, interval, signed, span, with_minus
from benchmarks.names import source_text
from benchmarks.report.interval_coverage import OF_COMPARISONS
from benchmarks.report.intervals import POWER
from benchmarks.report.score_table import heading
from benchmarks.report.table_notes import join_notes
from ossnet.evaluation.quantities import QUANTITIES


def baseline_table(
    pairs: pd.DataFrame, source: tuple[str, str, str], layout: Layout, further_notes: Sequence[str] = ()
) -> Table:
    """Return the differences of all rows from the baseline, with columns for each quantity.

    A difference is bold if its joint interval, which follows it, does not contain 0. The other columns are the smallest
    difference that can be detected and, if there is any, the paper's difference.

    Args:
        pairs: rows of `benchmarks.report.comparisons.compare_rows` of one data set, profile and protocol.
        source: this data set, profile and protocol.
        layout: the table's layout, which has a baseline.
        further_notes: sentences that are added to the notes.
    """
    baseline = layout.baseline or ()
    quantities = list(dict.fromkeys(pairs["quantity"]))
    cells: dict[Row, dict[str, Cell]] = {tuple(baseline): {}}
    in_paper = set(pairs["quantity"][pairs["published"].notna()])
    heads: list[str] = []
    for quantity in quantities:
        name = QUANTITIES[quantity].name
        heads += [heading(QUANTITIES[quantity]), f"{name}, detectable"]
        heads += [f"{name}, paper"] if quantity in in_paper else []
    for pair in pairs.to_dict("records"):
        row = tuple(pair[column] for column in layout.columns)
        cells.setdefault(row, {}).update(_cells(pair))
    rows = [
        [*map(Cell, layout.label(row)), *(cells.get(row, {}).get(head, NOTHING) for head in heads)]
        for row in layout.arrange(cells)
    ]
    name = ", ".join(layout.label(tuple(baseline)))
    notes = [
        f"Each value is the row's score minus that of {name}, a mean over the cases with a valid score in both, with "
        "its joint interval in brackets",
        f"All {pairs.groupby('quantity')['low_joint'].count().max()} intervals of a column contain the true "
        "differences jointly in 95 % of studies that train again and score other cases",
        OF_COMPARISONS,
        "A bold difference has an interval without 0: the methods differ, not only these runs or these cases",
        f"Detectable: the smallest true difference that {100 * POWER:.0f} % of studies like this one would find by an "
        "interval without 0",
    ]
    if in_paper:
        notes.append("Paper: the difference of the same rows in Reich et al. (BMVC 2021), each the best of three runs")
    return Table(
        f"{layout.title}, differences from {name}. {source_text(*source)}; cases: {span(pairs['n'])}.",
        [*layout.shown, *heads],
        rows,
        join_notes([*notes, *further_notes]),
    )


def _cells(pair: Mapping[Any, Any]) -> dict[str, Cell]:
    """Return the cells of a difference by their headings; those that are missing have nothing to show."""
    quantity = QUANTITIES[pair["quantity"]]
    if not pair["n"]:
        return {}
    low, high = pair["low_joint"], pair["high_joint"]
    known = low == low
    detail = with_minus(interval(low, high, f"+.{quantity.digits}f")) if known else ""
    bold = bool(known and (low > 0 or high < 0))
    cells = {heading(quantity): Cell(signed(pair["difference"], quantity.digits), bold, detail)}
    if known:
        cells[f"{quantity.name}, detectable"] = Cell(f"{pair['detectable']:.{quantity.digits}f}")
    if pair["published"] == pair["published"]:
        cells[f"{quantity.name}, paper"] = Cell(signed(pair["published"], quantity.digits))
    return cells
