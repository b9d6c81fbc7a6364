"""The rows of a table against each other: paired differences and their intervals."""

import math
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from benchmarks.markup import NOTHING, Cell, Grid, latex, markdown, span
from benchmarks.names import GROUP, OF_THE_PAPER, source_text
from benchmarks.report.caveats import Caveats, with_caveats
from benchmarks.report.interval_coverage import OF_COMPARISONS
from benchmarks.report.statistics import compare
from benchmarks.report.summary import groups
from benchmarks.study import Layout
from ossnet.evaluation.quantities import QUANTITIES
from ossnet.files import write_text

NO_PAIRS = "No two rows have scores to compare."


def comparison_columns(layout: Layout) -> list[str]:
    """The columns of `compare_rows`: those that tell rows apart stand once for each of the two rows."""
    return [
        *("table", *GROUP, "quantity", *layout.columns, *(f"other_{column}" for column in layout.columns)),
        *("difference", "low", "high", "low_joint", "high_joint", "n"),
    ]


def compare_rows(scores: pd.DataFrame, layout: Layout) -> pd.DataFrame:
    """Every two rows of a table that have scores, for Dice and IoU of each data set, profile and protocol.

    Args:
        scores: as for `benchmarks.report.summary.summarise`.
        layout: the table's.

    Returns:
        Exactly `comparison_columns(layout)`, in the order of the table. `difference` is of a row and the `other` row
        below it; its interval alone, and its joint one for all pairs of one table and quantity, are those of
        `benchmarks.report.statistics.compare`, which says what they can tell.

    Raises:
        UserError: a case has two scores of one quantity for one row and seed.
    """
    if len(scores):
        scores = scores[scores["quantity"].isin(OF_THE_PAPER)]
    parts = []
    for group in groups(scores, layout):
        for (quantity, _), matrices in group.matrices.items():
            pairs = compare(matrices, {row: layout.training(row) for row in matrices})
            sides = {
                f"{prefix}{column}": [row[place] for row in pairs[side]]
                for side, prefix in (("model", ""), ("other", "other_"))
                for place, column in enumerate(layout.columns)
            }
            where = dict(zip(GROUP, group.key, strict=True))
            parts.append(pairs.assign(**sides, **where, table=layout.table, quantity=quantity))
    if not parts:
        return pd.DataFrame(columns=comparison_columns(layout))
    return pd.concat(parts, ignore_index=True)[comparison_columns(layout)]


def comparisons_markdown(frame: pd.DataFrame, layout: Layout, caveats: Caveats | None = None) -> str:
    """What `compare_rows` gives as GitHub Markdown, for each data set, profile, protocol and quantity a matrix of rows.

    Above the diagonal stands the difference, the row's score less the column's, bold where its joint interval does not
    hold 0; below it, mirrored, this interval.

    Args:
        caveats: for the notes.
    """
    return ("\n\n".join(markdown(grid) for grid in _grids(frame, layout, caveats)) or NO_PAIRS) + "\n"


def comparisons_latex(frame: pd.DataFrame, layout: Layout, caveats: Caveats | None = None) -> str:
    """As `comparisons_markdown`, in LaTeX for a document that loads booktabs and graphicx."""
    return ("\n\n".join(latex(grid) for grid in _grids(frame, layout, caveats)) or NO_PAIRS) + "\n"


def write_comparisons(frame: pd.DataFrame, stem: str | Path, layout: Layout, caveats: Caveats | None = None) -> None:
    """Write what `compare_rows` gives as `stem`-comparisons.csv, .md and .tex, each whole or not at all.

    Args:
        caveats: for the notes.

    Raises:
        UserError: a file cannot be written.
    """
    write_text(f"{stem}-comparisons.csv", frame.to_csv(index=False, lineterminator="\n"))
    write_text(f"{stem}-comparisons.md", comparisons_markdown(frame, layout, caveats))
    write_text(f"{stem}-comparisons.tex", comparisons_latex(frame, layout, caveats))


def _grids(frame: pd.DataFrame, layout: Layout, caveats: Caveats | None) -> list[Grid]:
    grids = []
    for key, of_grid in frame.groupby([*GROUP, "quantity"], sort=False):
        dataset, profile, protocol, quantity = map(str, key)
        told = (caveats or {}).get((dataset, profile, protocol), ())
        grids.append(_grid(of_grid, (dataset, profile, protocol, quantity), layout, told))
    return grids


def _grid(pairs: pd.DataFrame, key: Sequence[str], layout: Layout, caveats: Sequence[str]) -> Grid:
    dataset, profile, protocol, quantity = key
    first = list(pairs[list(layout.columns)].itertuples(index=False, name=None))
    second = list(pairs[[f"other_{column}" for column in layout.columns]].itertuples(index=False, name=None))
    rows = list(dict.fromkeys([*first, *second]))
    cells = [
        [Cell(f"{place}. {', '.join(layout.label(row))}"), *([NOTHING] * len(rows))]
        for place, row in enumerate(rows, start=1)
    ]
    for row, other, pair in zip(first, second, pairs.to_dict("records"), strict=True):
        above, below = rows.index(row), rows.index(other)
        if pair["n"]:
            cells[above][below + 1] = Cell(
                _signed(pair["difference"]), bold=pair["low_joint"] > 0 or pair["high_joint"] < 0
            )
        if not math.isnan(pair["low_joint"]):
            cells[below][above + 1] = Cell(f"[{_signed(pair['low_joint'])}, {_signed(pair['high_joint'])}]")
    told = pairs["low_joint"].count()
    name = QUANTITIES[quantity].name
    caption = (
        f"{layout.title}, differences in {name} between rows. {source_text(dataset, profile, protocol)}; "
        f"cases: {span(pairs['n'])}."
    )
    notes = (
        "Above the diagonal: the row's score less the column's, a mean over the cases that both have valid scores of. "
        f"Below: its interval, in the mirrored place and of the same sign; all {told} intervals of this matrix hold "
        f"the truth at once in 95 % of studies that train again and score other cases ({OF_COMPARISONS}). Bold: the "
        "interval does not hold 0, so that the methods differ, and not merely these runs or these cases."
    )
    return Grid(
        caption, [name, *(str(place) for place in range(1, len(rows) + 1))], cells, with_caveats(notes, caveats)
    )


def _signed(number: float) -> str:
    # Adding 0 turns the -0.0 of a rounded number into 0.0.
    return f"{round(number, 3) + 0.0:+.3f}".replace("-", "−")
