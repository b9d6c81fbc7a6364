"""From the folders of runs and the records of probes to tables: what `collect` does, and every run at its end."""

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

from benchmarks.markup import Grid
from benchmarks.names import REFERENCE
from benchmarks.probes.answers import Answers
from benchmarks.report.caveats import caveats_of
from benchmarks.report.comparisons import compare_rows, write_comparisons
from benchmarks.report.cost_table import write_costs
from benchmarks.report.figure_case import write_figure_case
from benchmarks.report.probe_tables import write_grids, write_probe_records
from benchmarks.report.protocol_table import write_protocols
from benchmarks.report.score_records import Records, collect, failures_of, read_records, scores_of
from benchmarks.report.score_table import write_table
from benchmarks.report.summary import summary_of
from benchmarks.runs.plan import Plan, read_plans
from benchmarks.study import Findings, Study
from ossnet.errors import UserError
from ossnet.locks import hold

PATIENCE_S = 60.0
"""Another process that collects is waited for so long."""


def collect_studies(studies: Sequence[Study], results: Path, reference: Path | None = REFERENCE) -> list[Path]:
    """Write the records and the tables of each study that was begun in a results folder; return the Markdown files.

    A table holds every data set and profile that its study was begun with there, and every machine that answered its
    probes, each with the committed reference beside it unless that is left out. A study without any result or failure
    has no table yet.

    Args:
        reference: folder of the committed reference; None to leave it out.

    Raises:
        UserError: what is there cannot be read, a table cannot be written, or another process keeps collecting there.
    """
    tables = []
    for study in studies:
        plans = read_plans(results, [study.name]) if study.has_points else []
        # One process after the other, or the older of two tables might be written last.
        with hold(results / "plans" / "lock", PATIENCE_S) if plans else nullcontext(True) as mine:
            if not mine:
                raise UserError(
                    f"another process has been collecting in {results} for {PATIENCE_S:.0f} s; "
                    "let it finish, then use `python -m benchmarks collect`"
                )
            found = Findings(
                [_collect(plan, results) for plan in plans],
                Answers.read(study.name, results, reference) if study.has_probes else Answers({}),
                results,
                reference,
            )
            if any(part.rows for part in found.records) or found.answers.own:
                stem = results / "tables" / study.name
                write_study(study, found, stem)
                tables.append(stem.with_suffix(".md"))
    return tables


def write_study(study: Study, found: Findings, stem: Path) -> None:
    """Write the tables of a study as `stem`.md and .tex, and their numbers as .csv, each whole or not at all.

    Of a study with points these are the table of scores with the study's further tables below it; beside it the tables
    of comparisons, of protocols, and of what scores cost, which alone differs when the study is made again. Of a study
    with probes the CSV file has a row for each record; where there are points, too, its name ends in `-probes`.

    Raises:
        UserError: a file cannot be written.
    """
    grids = study.tables(found)
    if any(part.rows for part in found.records):
        _write_scores(study, found, stem, grids)
    else:
        write_grids(grids, stem)
    if found.answers.by_machine:
        write_probe_records(found.answers, Path(f"{stem}-probes") if study.has_points else stem)


def _write_scores(study: Study, found: Findings, stem: Path, grids: Sequence[Grid]) -> None:
    reference = found.reference
    committed = read_records(reference / "records", [study.name]) if reference is not None else []
    scores = scores_of(found.records)
    numbers = summary_of(study, scores, committed)
    caveats = caveats_of(found.records)
    write_table(numbers, stem, study.layout, failures_of(found.records), grids, caveats)
    write_comparisons(compare_rows(scores, study.layout), stem, study.layout, caveats)
    write_protocols(found.records, stem, study.layout, caveats)
    write_costs(found.records, numbers, stem, study.layout, caveats)


def _collect(plan: Plan, results: Path) -> Records:
    records = collect(plan)
    records.write(results / "records")
    write_figure_case(plan, results / "records")
    return records
