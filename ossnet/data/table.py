"""Data sets of own cases from a CSV file."""

from pathlib import Path

from ossnet.data.case import Dataset
from ossnet.data.csv_table import read_csv
from ossnet.data.listing import FileCase, Listing, is_file
from ossnet.data.splits import SPLITS, refuse_divided_patients
from ossnet.errors import UserError

OTHER_COLUMNS = ("name", "label", "split", "patient")
"""Columns that are no modality, in upper or lower case."""


def table_dataset(table: str | Path, cache: Path | None = None) -> Dataset:
    """Return the data set of a CSV file of own cases, see `table_listing`.

    Args:
        table: the CSV file.
        cache: folder for digests, see `file_identity`.

    Raises:
        UserError: `table_listing` raises it, or a file of a row is missing. The message names the CSV, the line and the
            column.
    """
    return table_listing(Path(table)).dataset(cache)


def table_listing(table: Path) -> Listing:
    """List the cases of a CSV file, whose name is that of the data set.

    The format of the file is described at `csv_table.read_csv`. There is one row per case, with these columns,
    which may be written in upper case, too:

    * `name`: unique, and usable as a file name
    * one column per modality, with any name: a NIfTI file
    * `label`: a NIfTI file; may be empty for cases of the split `test`
    * `split`, optional: `train` (also if empty), `validation` or `test`
    * `patient`, optional: any name of the patient, whose cases stay together; empty for a patient with no other case

    Paths are absolute or relative to the folder of the CSV.

    Raises:
        UserError: the CSV cannot be read, or its name cannot name a data set; a column is missing or repeated; or a row
            has a missing or repeated name, an unknown split, or no label to train or validate with. The message names
            the CSV, the line and the column. Or a patient is in two splits, which the message names.
    """
    if not table.stem.isprintable():
        raise UserError(
            f"{table}: the file name, which names the data set in results, is not readable; rename the file"
        )
    header, rows = read_csv(table, OTHER_COLUMNS)
    _require_columns(table, header)
    if not rows:
        raise UserError(f"{table} has no cases; add a row for each case below the first line")
    modalities = tuple(column for column in header if column not in OTHER_COLUMNS)
    cases: dict[str, FileCase] = {}
    splits: dict[str, list[str]] = {split: [] for split in SPLITS}
    problems: dict[str, str] = {}
    patients: dict[str, str] = {}
    for line, row in rows:
        place = f"{table}, line {line}"
        name, split = row["name"], row.get("split") or "train"
        if name in ("", ".", "..") or Path(name).name != name or not name.isprintable():
            raise UserError(
                f"{place}, column name: {name!r} cannot name a case; give a name of one line without slashes"
            )
        if name in cases:
            raise UserError(f"{place}, column name: '{name}' is the name of another case; give each case its own name")
        if split not in SPLITS:
            raise UserError(f"{place}, column split: '{split}' is not a split; write {', '.join(SPLITS)} or nothing")
        if not row["label"] and split != "test":
            raise UserError(f"{place}, column label: cases of split {split} need a label; add it or use the split test")
        files = {column: table.parent / row[column] for column in (*modalities, "label") if row[column]}
        for column in (*modalities, *files):
            if column not in files:
                problems.setdefault(name, f"{place}, column {column}: the file is missing; add it or remove the row")
            elif not is_file(files[column]):
                problems.setdefault(name, f"{place}, column {column}: {files[column]} is not a file; correct the path")
        images = tuple(files[modality] for modality in modalities if modality in files)
        cases[name] = FileCase(name, images, files.get("label"))
        splits[split].append(name)
        if row.get("patient"):
            patients[name] = row["patient"]
    refuse_divided_patients({split: tuple(names) for split, names in splits.items()}, patients, table)
    return Listing(
        name=table.stem,
        modalities=modalities,
        cases=tuple(cases.values()),
        splits={split: tuple(names) for split, names in splits.items()},
        label_by_grid=False,
        patients=patients,
        held_out=tuple(splits["test"]),
        known_problems=problems,
    )


def _require_columns(table: Path, header: list[str]) -> None:
    """Raise if a table of cases lacks a column."""
    for column in ("name", "label"):
        if column not in header:
            raise UserError(
                f"{table} has no column '{column}'; give columns name, label and one per modality in its first line, "
                "separated by commas, semicolons or tabs"
            )
    if not set(header) - set(OTHER_COLUMNS):
        raise UserError(f"{table} has no modalities; add a column for each, with its image files")
