"""`python -m benchmarks collect`: tables from the folders of runs and the records of probes."""

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

from benchmarks.markup import Table
from benchmarks.names import REFERENCE
from benchmarks.probes.answers import Answers
from benchmarks.report.caveats import caveats_of
from benchmarks.report.comparisons import compare_rows, write_comparisons
from benchmarks.report.cost_quantities import with_costs
from benchmarks.report.cost_table import write_costs
from benchmarks.report.figure_case import write_figure_case
from benchmarks.report.probe_tables import write_probe_records, write_tables
from benchmarks.report.protocol_table import write_protocols
from benchmarks.report.score_records import Records, collect, failures_of, outdated, records_of, scores_of
from benchmarks.report.score_table import write_table
from benchmarks.report.summary import summary_of
from benchmarks.runs.plan import Plan, read_plans
from benchmarks.study import Findings, Study
from ossnet.errors import UserError
from ossnet.locks import hold

PATIENCE_S = 60.0
"""Seconds to wait for another process that collects in the same folder."""


def collect_studies(studies: Sequence[Study], results: Path, reference: Path | None = REFERENCE) -> list[Path]:
    """Write the records and tables of studies; return the paths of the Markdown tables.

    A table shows every data set and profile with which its study was begun, and every machine that answered its probes,
    next to the committed reference. Where a folder holds records whose runs are elsewhere, as the committed reference
    does, these are shown as they are. A study without any result or failure has no table yet. A study whose tables
    cannot be made does not keep those of the others from being written.

    Args:
        studies: studies to collect; those that were not begun are left out.
        results: the results folder.
        reference: folder of the committed reference; None to leave it out.

    Raises:
        UserError: tables of a study cannot be made, or another process keeps collecting in the folder.
    """
    tables, refused = list[Path](), list[str]()
    for study in studies:
        plans = read_plans(results, [study.name]) if study.has_points else []
        # Processes take turns, so that the older of two tables is not written last.
        with hold(results / "plans" / "lock", PATIENCE_S) if plans else nullcontext(True) as has_lock:
            if not has_lock:
                raise UserError(
                    f"another process has been collecting in {results} for {PATIENCE_S:.0f} s; "
                    "wait until it has finished, then use `python -m benchmarks collect`"
                )
            try:
                found = Findings(
                    _collect(study, plans, results),
                    Answers.read(study.name, results, reference) if study.has_probes else Answers({}),
                    results,
                    reference,
                )
                if any(part.rows for part in found.records) or found.answers.own:
                    stem = results / "tables" / study.name
                    write_study(study, found, stem)
                    tables.append(stem.with_suffix(".md"))
            except UserError as error:
                refused.append(f"{study.name}: {error}")
    if refused:
        raise UserError("; ".join(refused))
    return tables


def omissions(studies: Sequence[Study], results: Path) -> list[str]:
    """Return a line for each data set and profile whose runs tables and figures omit, see `outdated`.

    Raises:
        UserError: a plan or records cannot be read.
    """
    return [
        f"{study.name} on {dataset}, profile {profile}, has other columns than {study.file or 'this version'}: tables "
        "and figures omit it until it is run there again, which keeps what is trained"
        for study in studies
        if study.has_points
        for dataset, profile in outdated(study.layout, results)
    ]


def write_study(study: Study, found: Findings, stem: Path) -> None:
    """Write the tables of a study as `stem`.md and `stem`.tex, and their numbers as `stem`.csv.

    Each file is written whole or not at all. A study with points has its table of scores first, followed by its own
    tables, and in files of their own the tables of comparisons, of protocols and of costs; only the costs differ when
    the study is run again. The CSV file of a study with probes has a row per record; its name ends in `-probes` if the
    study also has points.

    Raises:
        UserError: a file cannot be written.
    """
    tables = study.tables(found)
    if any(part.rows for part in found.records):
        _write_scores(study, found, stem, tables)
    else:
        write_tables(tables, stem)
    if found.answers.by_machine:
        write_probe_records(found.answers, Path(f"{stem}-probes") if study.has_points else stem)


def _write_scores(study: Study, found: Findings, stem: Path, tables: Sequence[Table]) -> None:
    reference = found.reference
    committed = records_of(study.layout, reference / "records") if reference is not None else []
    scores = scores_of(found.records)
    numbers = with_costs(summary_of(study, scores, committed), found.records, study.layout)
    caveats = caveats_of(found.records)
    failures = failures_of(found.records)
    write_table(numbers, stem, study.layout, failures, tables, caveats)
    write_comparisons(compare_rows(scores, study.layout), stem, study.layout, failures, caveats)
    write_protocols(found.records, stem, study.layout, caveats)
    write_costs(found.records, numbers, stem, study.layout, caveats)


def _collect(study: Study, plans: Sequence[Plan], results: Path) -> list[Records]:
    """Write the records of plans, and return them with those that the folder has without a plan, sorted.

    Those of an earlier version of the study, which had other columns, are left out.
    """
    for plan in plans:
        collect(plan).write(results / "records")
        write_figure_case(plan, results / "records")
    return records_of(study.layout, results / "records") if study.has_points else []
