"""The origin of a printed number: the records behind a cell of a study's table, and the number worked out again."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.layout import Layout, Row
from benchmarks.markup import interval, read_markdown
from benchmarks.names import REFERENCE, source_text
from benchmarks.report.score_records import Record, Records, failures_of, records_of, scores_of
from benchmarks.report.score_table import heading, to_markdown
from benchmarks.report.summary import summary_of
from benchmarks.study import Study
from ossnet.errors import UserError
from ossnet.evaluation.quantities import QUANTITIES

COMPARED = ("value", "low", "high", "std_seeds", "std_cases", "best", "seeds", "n")
"""Columns of a table's CSV file that depend on the study's own records only."""

RELATIVE_TOLERANCE = 1e-9
"""Sums in another order, as in another version of a library, differ by less."""


@dataclass(frozen=True, eq=False)
class Origin:
    """A cell of a study's table, and the records that it is made from.

    Attributes:
        study: the study.
        row: the values of the table's columns.
        quantity: a name of `QUANTITIES`.
        folder: the results folder of the records and the table.
        records: all records of the study on the cell's data set with the cell's profile.
        runs: the records that the cell is made from, by seed.
        numbers: the numbers worked out from them, a row of `summarise`.
        markdown: the table's Markdown, made from the records.
    """

    study: Study
    row: Row
    quantity: str
    folder: Path
    records: Records
    runs: Mapping[int, Record]
    numbers: Mapping[str, Any]
    markdown: str

    @property
    def stem(self) -> Path:
        """The table's files without their endings."""
        return self.folder / "tables" / self.study.name

    @property
    def source(self) -> str:
        """The scores' origin as captions give it."""
        numbers = self.numbers
        return source_text(numbers["dataset"], numbers["profile"], numbers["protocol"])

    @property
    def scores(self) -> pd.DataFrame:
        """The scores of the quantity: one row per case, one column per seed; NaN where a score is not valid."""
        return pd.DataFrame({seed: scores_by_case(run, self.quantity) for seed, run in self.runs.items()})


def scores_by_case(record: Record, quantity: str) -> pd.Series:
    """Return the scores of a record by case; NaN where a score is not valid."""
    return pd.Series(record["scores"][quantity], dtype=float)


def find_origin(
    study: Study,
    asked: Sequence[str],
    quantity: str,
    dataset: str,
    profile: str,
    results: Path,
    reference: Path = REFERENCE,
) -> Origin:
    """Find a cell of a study's table in a results folder or, if its row has no scores there, in the reference.

    Args:
        study: the study.
        asked: values of the table's columns, as in records or tables. Values at the end may be left out if those given
            identify a row.
        quantity: the quantity's name, as in records or tables.
        dataset: the data set's name.
        profile: the profile's name.
        results: the results folder.
        reference: folder of the committed reference.

    Raises:
        UserError: there is no such row or quantity, several rows fit, or neither folder has scores of the row.
    """
    layout = study.layout
    for folder in (results, reference):
        for records in records_of(layout, folder / "records"):
            if (records.dataset, records.profile) == (dataset, profile):
                numbers = summary_of(study, scores_of([records]))
                found = set(numbers[list(layout.columns)].itertuples(index=False, name=None))
                rows = [row for row in layout.arrange(found) if row in found and _fits(row, asked, layout)]
                if rows:
                    return _origin(study, _single(rows, asked), quantity, folder, records, numbers)
    known = [row for row in layout.rows if _fits(row, asked, layout) or _fits(asked, row, layout)]
    if known:
        raise UserError(
            f"no scores of {' '.join(asked)} in the records of {study.name} on {dataset}, profile {profile}, in "
            f"{results} or the reference; make them with `python -m benchmarks run {study.name}`"
        )
    rows_text = ", ".join(" ".join(map(str, row)) for row in layout.rows)
    raise UserError(f"{study.name} has no row {' '.join(asked)!r}; its rows are: {rows_text}")


def describe(origin: Origin) -> list[str]:
    """Return lines on what the cell is, which records it is made from, and the number worked out from them."""
    numbers, layout = origin.numbers, origin.study.layout
    quantity = QUANTITIES[origin.quantity]
    path = origin.folder / "records" / f"{origin.study.name}-{numbers['dataset']}-{numbers['profile']}.jsonl"
    lines = [
        f"{layout.title}: {', '.join(layout.label(origin.row))}, {quantity.name}. {origin.source}.",
        f"Records in {path}:",
    ]
    made: dict[str, list[str]] = {}
    for seed, run in sorted(origin.runs.items()):
        lines.append(f"  seed {seed}: {run['identity']}")
        made.setdefault(", ".join(f"{name} {value}" for name, value in made_with(run).items()), []).append(str(seed))
    lines += [f"Made with (seed {', '.join(seeds)}): {facts}" for facts, seeds in made.items()]
    scores = origin.scores.sort_index()
    by_case = pd.concat([scores, scores.mean().rename("mean of valid").to_frame().T]).add_prefix("seed ")
    lines += [f"{quantity.name} by case:", by_case.to_string(na_rep="not valid", float_format="{:.6f}".format)]
    ends = "" if math.isnan(numbers["low"]) else f" {interval(numbers['low'], numbers['high'], '.6f')}"
    lines.append(
        f"By the records: {numbers['value']:.6f}{ends}, the mean over seeds of each seed's mean over valid cases"
    )
    return lines


def disagreements(origin: Origin) -> list[str]:
    """Compare the table's files with its records, and return each difference in words.

    Raises:
        UserError: a file is missing.
    """
    return [*_of_csv(origin), *_of_markdown(origin)]


def printed_cell(origin: Origin, text: str) -> str | None:
    """Return the text of the cell in a table's Markdown; None if there is no such cell."""
    layout = origin.study.layout
    label = layout.label(origin.row)
    head = heading(QUANTITIES[origin.quantity])
    for table in read_markdown(text):
        if origin.source in table.caption and head in table.head:
            for cells in table.rows:
                if cells[: len(label)] == label:
                    return cells[table.head.index(head)]
    return None


def provenances(record: Record) -> list[Mapping[str, Any]]:
    """Return the provenance of a record's training, if it is recorded separately, and of its run."""
    parts = [record.get("training", {}).get("provenance"), record.get("provenance")]
    return [part for part in parts if part]


def made_with(record: Record) -> dict[str, str]:
    """Return what a record's training and scoring were made with in all attempts: code, versions and machine."""
    facts: dict[str, list[str]] = {}
    for attempt in (attempt for part in provenances(record) for attempt in part["attempts"]):
        for name, value in facts_of(attempt).items():
            facts.setdefault(name, [])
            if value not in facts[name]:
                facts[name].append(value)
    return {name: " and ".join(values) for name, values in facts.items()}


def facts_of(attempt: Mapping[str, Any]) -> dict[str, str]:
    """Return the parts of an attempt's provenance that may affect its numbers, in addition to its specification."""
    cpu, gpu = attempt["cpu"], attempt["gpu"]
    changes = " with changes" if attempt["dirty"] else ""
    return {
        "commit": f"{attempt['commit'] or 'unknown'}{changes}",
        "CPU": str(cpu["model"]),
        "family": cpu.get("family", "unknown"),
        "instructions": cpu.get("instructions", "unknown"),
        "threads": str(cpu["torch_threads"]),
        "GPU": str(gpu["name"]) if gpu else "none",
        **{name: str(version) for name, version in sorted(attempt["versions"].items())},
    }


def _fits(row: Sequence[Any], asked: Sequence[Any], layout: Layout) -> bool:
    """Return whether a row begins with the values asked for, as in records or in tables."""

    def names(column: str, value: Any) -> set[str]:
        return {str(value).casefold(), layout.names.get(column, {}).get(value, str(value)).casefold()}

    pairs = zip(layout.columns, row, asked, strict=False)
    return len(asked) <= len(row) and all(str(wanted).casefold() in names(column, of) for column, of, wanted in pairs)


def _single(rows: Sequence[Row], asked: Sequence[str]) -> Row:
    if len(rows) > 1:
        several = ", ".join(" ".join(map(str, row)) for row in rows)
        raise UserError(f"{' '.join(asked)} fits several rows: {several}; name one")
    return rows[0]


def _origin(study: Study, row: Row, quantity: str, folder: Path, records: Records, numbers: pd.DataFrame) -> Origin:
    columns = list(study.layout.columns)
    of_row = numbers[(numbers[columns] == list(row)).all(axis=1)]
    measured = list(dict.fromkeys(of_row["quantity"]))
    wanted = quantity.casefold()
    name = next((name for name in measured if wanted in (name, QUANTITIES[name].name.casefold())), None)
    if name is None:
        raise UserError(f"unknown quantity {quantity!r}; {study.name} has {', '.join(measured)}")
    cells = of_row[of_row["quantity"] == name].to_dict("records")
    if len(cells) > 1:
        raise UserError(f"{study.name} has this cell for several protocols; collect studies of a single protocol")
    runs = {
        run["seed"]: run
        for run in records.rows
        if "result" in run and tuple({"model": run["model"], **run["columns"]}[column] for column in columns) == row
    }
    text = to_markdown(numbers, study.layout, failures_of([records]))
    return Origin(study, row, name, folder, records, runs, {str(key): of for key, of in cells[0].items()}, text)


def _of_csv(origin: Origin) -> list[str]:
    path = Path(f"{origin.stem}.csv")
    if not path.exists():
        raise UserError(f"there is no table {path}; make it with `python -m benchmarks collect {origin.study.name}`")
    table = pd.read_csv(path)
    keys = ("dataset", "profile", "protocol", *origin.study.layout.columns, "quantity")
    found = table[(table[list(keys)].astype(str) == [str(origin.numbers[key]) for key in keys]).all(axis=1)]
    if len(found) != 1:
        return [f"{path} has {len(found)} lines for this cell"]
    line = found.iloc[0]
    return [
        f"{path}: {name} is {line[name]:.10g}, and {origin.numbers[name]:.10g} by the records"
        for name in COMPARED
        if name in line and not _equal(float(line[name]), float(origin.numbers[name]))
    ]


def _equal(first: float, second: float) -> bool:
    return math.isclose(first, second, rel_tol=RELATIVE_TOLERANCE) or (math.isnan(first) and math.isnan(second))


def _of_markdown(origin: Origin) -> list[str]:
    path = Path(f"{origin.stem}.md")
    if not path.exists():
        raise UserError(f"there is no table {path}; make it with `python -m benchmarks collect {origin.study.name}`")
    printed = printed_cell(origin, path.read_text(encoding="utf-8"))
    expected = printed_cell(origin, origin.markdown)
    if printed == expected:
        return []
    return [f"{path} has {printed or 'no such cell'}, and the records give {expected}"]
