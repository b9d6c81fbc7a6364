"""From run folders to records to tables: what `collect` does, and every sweep at its end."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from benchmarks.markup import Grid
from benchmarks.names import PUBLISHED, REFERENCE, read_published
from benchmarks.report.caveats import caveats_of
from benchmarks.report.comparisons import compare_rows, write_comparisons
from benchmarks.report.cost_table import write_costs
from benchmarks.report.figure_case import write_figure_case
from benchmarks.report.protocol_table import write_protocols
from benchmarks.report.score_records import Records, collect, failures_of, read_records, scores_of
from benchmarks.report.score_table import write_table
from benchmarks.report.summary import summarise
from benchmarks.runs.plan import Plan, read_plans
from benchmarks.study import Study
from ossnet.errors import UserError
from ossnet.locks import hold

PATIENCE_S = 60.0
"""Another process that collects is waited for so long."""


def collect_studies(studies: Sequence[Study], results: Path, with_reference: bool = True) -> list[Path]:
    """Write the records and the table of each study that was begun in a results folder; the tables' Markdown files.

    A table holds every data set and profile that its study was begun with there, each with its committed reference
    beside it unless that is left out. A study without any result or failure has no table yet.

    Raises:
        UserError: none of the studies has one, what is there cannot be read, or another process keeps collecting there.
    """
    tables = []
    for study in studies:
        plans = read_plans(results, [study.name])
        if not plans:
            continue
        # One process after the other, or the older of two tables might be written last.
        with hold(results / "plans" / "lock", PATIENCE_S) as mine:
            if not mine:
                raise UserError(
                    f"another process has been collecting in {results} for {PATIENCE_S:.0f} s; "
                    "let it finish, then use `python -m benchmarks collect`"
                )
            records = [_collect(plan, results) for plan in plans]
            if any(part.rows for part in records):
                stem = results / "tables" / study.name
                reference = read_records(REFERENCE / "records", [study.name]) if with_reference else []
                write_study(
                    study,
                    records,
                    reference,
                    stem,
                    study.appendix(records, results, REFERENCE if with_reference else None),
                )
                tables.append(stem.with_suffix(".md"))
    if not tables:
        names = ", ".join(study.name for study in studies)
        raise UserError(f"no run of {names} has ended in {results}; start one with `python -m benchmarks run`")
    return tables


def write_study(
    study: Study, records: Sequence[Records], reference: Sequence[Records], stem: Path, appendix: Sequence[Grid] = ()
) -> None:
    """Write the table of a study as `stem`.md, .csv and .tex, and beside it those of its comparisons, of its protocols,
    and of what its scores cost, which alone differs when the study is made again.

    Args:
        appendix: further tables, below the first in `stem`.md and .tex.
    """
    scores = scores_of(records)
    numbers = summary_of(study, scores, reference)
    caveats = caveats_of(records)
    write_table(numbers, stem, study.layout, failures_of(records), appendix, caveats)
    write_comparisons(compare_rows(scores, study.layout), stem, study.layout, caveats)
    write_protocols(records, stem, study.layout, caveats)
    write_costs(records, numbers, stem, study.layout, caveats)


def summary_of(study: Study, scores: pd.DataFrame, reference: Sequence[Records] = ()) -> pd.DataFrame:
    """The numbers of a study's table, see `benchmarks.report.summary.summarise`."""
    return summarise(scores, read_published(PUBLISHED, study.name), study.layout, scores_of(reference))


def _collect(plan: Plan, results: Path) -> Records:
    records = collect(plan)
    records.write(results / "records")
    write_figure_case(plan, results / "records")
    return records
