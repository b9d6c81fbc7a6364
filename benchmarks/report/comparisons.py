"""Comparisons of the rows of a table: paired differences and their intervals."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.layout import Layout
from benchmarks.markup import NOTHING, Cell, Table, latex, markdown, signed, span
from benchmarks.names import GROUP, OF_THE_PAPER, source_text
from benchmarks.report.baseline_table import baseline_table
from benchmarks.report.caveats import Caveats
from benchmarks.report.interval_coverage import OF_COMPARISONS
from benchmarks.report.published_differences import published_difference
from benchmarks.report.score_table import failed_rows, failure_sentences
from benchmarks.report.statistics import compare
from benchmarks.report.summary import groups
from benchmarks.report.table_notes import join_notes
from ossnet.evaluation.quantities import QUANTITIES
from ossnet.files import write_text

NO_PAIRS = "No two rows have scores to compare."


def comparison_columns(layout: Layout) -> list[str]:
    """Return the columns of `compare_rows`; those that identify a row occur once for each of the two rows."""
    return [
        *("table", *GROUP, "quantity", *layout.columns, *(f"other_{column}" for column in layout.columns)),
        *("difference", "low", "high", "low_joint", "high_joint", "n"),
        *(() if layout.baseline is None else ("detectable", "published")),
    ]


def compare_rows(scores: pd.DataFrame, layout: Layout) -> pd.DataFrame:
    """Compare rows of a table that have scores, on each data set, profile and protocol.

    They are compared by the layout's quantities that are scores, or by Dice and IoU if it names none: every row with
    the layout's baseline (see `benchmarks.layout.Layout.for_rows` for other models), or every two rows if it has none,
    of those that its `compared_within` lets compare.

    Args:
        scores: the scores, as for `benchmarks.report.summary.summarise`.
        layout: the table's layout.

    Returns:
        Exactly `comparison_columns(layout)`, in the order of the table. `difference` is the score of a row minus that
        of the `other` row, which is the baseline or stands below it. `benchmarks.report.statistics.compare` explains
        its interval, and its joint interval for all pairs of one table, quantity and stratum. With a baseline there are
        also the smallest difference that can be detected, and the paper's difference of the two rows or NaN.

    Raises:
        UserError: a case has two scores of one quantity for one row and seed.
    """
    if len(scores):
        scores = scores[scores["quantity"].isin(layout.quantities or OF_THE_PAPER)]
    parts = []
    for group in groups(scores, layout):
        for (quantity, _), matrices in group.matrices.items():
            compared = layout.for_rows(matrices)
            strata = {row: compared.stratum(row) for row in matrices}
            pairs = compare(matrices, group.trainings, compared.baseline, strata)
            if pairs.empty:
                continue
            sides = {
                f"{prefix}{column}": [row[place] for row in pairs[side]]
                for side, prefix in (("model", ""), ("other", "other_"))
                for place, column in enumerate(layout.columns)
            }
            where: dict[str, Any] = dict(zip(GROUP, group.key, strict=True))
            if layout.baseline is not None:
                where["published"] = [
                    published_difference(compared, row, group.key[0], quantity) for row in pairs["model"]
                ]
            parts.append(pairs.assign(**sides, **where, table=layout.table, quantity=quantity))
    if not parts:
        return pd.DataFrame(columns=comparison_columns(layout))
    return pd.concat(parts, ignore_index=True)[comparison_columns(layout)]


def layout_of_pairs(pairs: pd.DataFrame, layout: Layout) -> Layout:
    """Return the layout for some rows of `compare_rows`: with their models, and the baseline that they have."""
    columns = list(layout.columns)
    others = list(pairs[[f"other_{column}" for column in columns]].itertuples(index=False, name=None))
    layout = layout.for_rows([*others, *pairs[columns].itertuples(index=False, name=None)])
    return replace(layout, baseline=others[0]) if layout.baseline is not None and others else layout


def comparisons_markdown(
    frame: pd.DataFrame, layout: Layout, failures: pd.DataFrame | None = None, caveats: Caveats | None = None
) -> str:
    """Return the comparisons as GitHub Markdown, a matrix for each data set, profile, protocol and quantity.

    There is one for each combination of values of the columns within which the layout compares. A layout with a
    baseline has the table of `benchmarks.report.baseline_table` instead of a matrix.

    Above the diagonal is the difference, the row's score minus the column's. It is bold if its joint interval does not
    contain 0. Below the diagonal, mirrored, is this interval.

    Args:
        frame: the comparisons of `compare_rows`.
        layout: the table's layout.
        failures: runs without scores, which the notes name: as for `benchmarks.report.score_table.to_markdown`.
        caveats: further notes.
    """
    return ("\n\n".join(markdown(table) for table in _tables(frame, layout, failures, caveats)) or NO_PAIRS) + "\n"


def comparisons_latex(
    frame: pd.DataFrame, layout: Layout, failures: pd.DataFrame | None = None, caveats: Caveats | None = None
) -> str:
    """Return the comparisons as LaTeX; the arguments are those of `comparisons_markdown`."""
    return ("\n\n".join(latex(table) for table in _tables(frame, layout, failures, caveats)) or NO_PAIRS) + "\n"


def write_comparisons(
    frame: pd.DataFrame,
    stem: str | Path,
    layout: Layout,
    failures: pd.DataFrame | None = None,
    caveats: Caveats | None = None,
) -> None:
    """Write the comparisons as `stem`-comparisons.csv, .md and .tex, each whole or not at all.

    Args:
        frame: the comparisons of `compare_rows`.
        stem: the path of the files without their endings.
        layout: the table's layout.
        failures: as for `comparisons_markdown`.
        caveats: further notes.

    Raises:
        UserError: a file cannot be written.
    """
    write_text(f"{stem}-comparisons.csv", frame.to_csv(index=False, lineterminator="\n"))
    write_text(f"{stem}-comparisons.md", comparisons_markdown(frame, layout, failures, caveats))
    write_text(f"{stem}-comparisons.tex", comparisons_latex(frame, layout, failures, caveats))


def _tables(frame: pd.DataFrame, layout: Layout, failures: pd.DataFrame | None, caveats: Caveats | None) -> list[Table]:
    tables = []
    failed = failed_rows(failures, layout)
    levels = [*GROUP, "quantity", *layout.compared_within] if layout.baseline is None else GROUP
    for (dataset, profile, protocol, *_), pairs in frame.groupby(levels, sort=False):
        source = (str(dataset), str(profile), str(protocol))
        of_pairs = layout_of_pairs(pairs, layout)
        notes = [*failure_sentences(failed.get(source[:2], {}), of_pairs), *(caveats or {}).get(source, ())]
        table = _table if layout.baseline is None else baseline_table
        tables.append(table(pairs, source, of_pairs, notes))
    return tables


def _table(pairs: pd.DataFrame, source: tuple[str, str, str], layout: Layout, further_notes: Sequence[str]) -> Table:
    quantity = pairs["quantity"].iloc[0]
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
                signed(pair["difference"]), bold=pair["low_joint"] > 0 or pair["high_joint"] < 0
            )
        if not math.isnan(pair["low_joint"]):
            cells[below][above + 1] = Cell(f"[{signed(pair['low_joint'])}, {signed(pair['high_joint'])}]")
    name = QUANTITIES[quantity].name
    texts = dict(zip(layout.shown, layout.label(rows[0]), strict=True))
    within = [layout.heads[column] for column in layout.columns if column in layout.compared_within]
    of_stratum = "".join(f", {head.lower()} {texts[head]}" for head in within if head is not None)
    caption = (
        f"{layout.title}, differences in {name} between rows{of_stratum}. {source_text(*source)}; "
        f"cases: {span(pairs['n'])}."
    )
    notes = (
        "Above the diagonal is the row's score minus the column's, a mean over the cases with a valid score in both",
        "The mirrored place below the diagonal has the interval of this difference, with the same sign",
        f"All {pairs['low_joint'].count()} intervals of this matrix contain the true differences jointly in 95 % of "
        "studies that train again and score other cases",
        OF_COMPARISONS,
        "A bold difference has an interval without 0: the methods differ, not only these runs or these cases",
    )
    head = [name, *(str(place) for place in range(1, len(rows) + 1))]
    return Table(caption, head, cells, join_notes([*notes, *further_notes]))
