"""The table of differences from a baseline, of a study that has one."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from benchmarks.markup import NOTHING, Cell, Table, interval, signed, span, with_minus
from benchmarks.names import source_text
from benchmarks.report.interval_coverage import OF_COMPARISONS
from benchmarks.report.score_table import heading
from benchmarks.report.table_notes import join_notes
from benchmarks.study import Layout, Row
from ossnet.evaluation.quantities import QUANTITIES


def baseline_table(
    pairs: pd.DataFrame, source: tuple[str, str, str], layout: Layout, caveats: Sequence[str] = ()
) -> Table:
    """Return the differences of all rows from the baseline, with a column for each quantity.

    A difference is bold if its joint interval, which follows it, does not contain 0.

    Args:
        pairs: rows of `benchmarks.report.comparisons.compare_rows` of one data set, profile and protocol.
        source: this data set, profile and protocol.
        layout: the table's layout, which has a baseline.
        caveats: further notes.
    """
    baseline = layout.baseline or ()
    quantities = list(dict.fromkeys(pairs["quantity"]))
    cells: dict[Row, dict[str, Cell]] = {tuple(baseline): {}}
    for pair in pairs.to_dict("records"):
        row = tuple(pair[column] for column in layout.columns)
        cells.setdefault(row, {})[pair["quantity"]] = _cell(pair, QUANTITIES[pair["quantity"]].digits)
    rows = [
        [*map(Cell, layout.label(row)), *(cells.get(row, {}).get(quantity, NOTHING) for quantity in quantities)]
        for row in layout.arrange(cells)
    ]
    name = ", ".join(layout.label(tuple(baseline)))
    notes = (
        f"Each value is the row's score minus that of {name}, a mean over the cases with a valid score in both, with "
        "its joint interval in brackets",
        f"All {pairs.groupby('quantity')['low_joint'].count().max()} intervals of a column contain the true "
        "differences jointly in 95 % of studies that train again and score other cases",
        OF_COMPARISONS,
        "A bold difference has an interval without 0: the methods differ, not only these runs or these cases",
    )
    return Table(
        f"{layout.title}, differences from {name}. {source_text(*source)}; cases: {span(pairs['n'])}.",
        [*layout.shown, *(heading(QUANTITIES[quantity]) for quantity in quantities)],
        rows,
        join_notes([*notes, *caveats]),
    )


def _cell(pair: Mapping[Any, Any], digits: int) -> Cell:
    if not pair["n"]:
        return NOTHING
    low, high = pair["low_joint"], pair["high_joint"]
    known = low == low
    detail = with_minus(interval(low, high, f"+.{digits}f")) if known else ""
    return Cell(signed(pair["difference"], digits), bold=bool(known and (low > 0 or high < 0)), detail=detail)
