"""Data sets of files: a table that says which files make up each case, as a CSV of own cases or built by a reader."""

import codecs
import csv
import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from ossnet.config import digest
from ossnet.data.case import Case, Dataset
from ossnet.data.file_identity import FileIdentity, file_identity
from ossnet.data.nifti import has_spacing, read_image, read_label, same_place
from ossnet.errors import UserError

SPLITS = ("train", "validation", "test")
Splits = Mapping[str, tuple[str, ...]]

RESERVED_NAMES = ("glioma", "liver", "brats2020", "lits")
"""Of the embedded and the released data sets, to whose names profiles and published results are tied."""

SEPARATORS = ",;\t"
"""Between the values of a table: the most frequent in its first line. (Spreadsheets write semicolons where the comma is
the decimal mark.)"""


@dataclass(frozen=True)
class FileCase:
    """The files of a case: one a modality, and its label or None."""

    name: str
    images: tuple[Path, ...]
    label: Path | None


def file_dataset(
    name: str,
    modalities: tuple[str, ...],
    cases: Sequence[FileCase],
    splits: Splits,
    *,
    label_by_grid: bool,
    cache: Path | None = None,
) -> Dataset:
    """The data set of a table of files.

    Its fingerprint is a SHA-256 over modalities, splits, case names and the `file_identity` of each file. (Times of
    modification differ between copies.)

    Args:
        label_by_grid: the label's voxels are the image's whatever its header says. Otherwise their affines must agree.
        cache: see `file_identity`.
    """
    by_name = {case.name: case for case in cases}
    contents = {
        case.name: [file_identity(path, cache) for path in (*case.images, case.label) if path] for case in cases
    }
    identity = json.dumps([modalities, dict(splits), contents], sort_keys=True)
    return Dataset(
        name=name,
        modalities=modalities,
        splits=splits,
        load=partial(_load, by_name, modalities, label_by_grid),
        fingerprint=hashlib.sha256(identity.encode()).hexdigest(),
        contents={case.name: _content(case, contents[case.name], label_by_grid) for case in cases},
    )


def random_splits(names: Sequence[str], train: int, validation: int, seed: int) -> Splits:
    """Draw `train` + `validation` of the names; of fewer names, all in the same proportion, one at least to validate.

    The draw depends on the seed and on the order of the names alone. Names beyond the two numbers are in no split.
    """
    if len(names) < train + validation:
        validation = max(1, round(len(names) * validation / (train + validation)))
        train = len(names) - validation
    drawn = [names[index] for index in np.random.default_rng(seed).permutation(len(names))]
    return {"train": tuple(drawn[:train]), "validation": tuple(drawn[train : train + validation]), "test": ()}


def table_dataset(table: str | Path, cache: Path | None = None) -> Dataset:
    """Return the data set of a CSV file of own cases, named as the file is.

    The text is UTF-8 (or UTF-16 with its mark); values are between commas, semicolons or tabs.
    One row a case, with the columns `name` (unique, usable as a file name); one a modality, whatever it is called, with
    a NIfTI file each; `label`, a NIfTI file, left empty for a case of the split `test` that has none; and, if wanted,
    `split`: train (also if empty), validation or test. Paths are relative to the folder of the CSV, or absolute.

    Args:
        cache: see `file_identity`.

    Raises:
        UserError: the CSV has one of `RESERVED_NAMES`, cannot be read, lacks a column, names one twice, or a row has a
            missing or repeated name, an unknown split, a missing file, or no label to train or validate with. Names the
            CSV, line and column.
    """
    table = Path(table)
    if table.stem.lower() in RESERVED_NAMES:
        raise UserError(f"{table}: '{table.stem}' is the name of another data set; rename the file")
    if not table.stem.isprintable():
        raise UserError(f"{table}: this name is no readable text, and names the data set in results; rename the file")
    header, rows = _read_csv(table)
    modalities = tuple(column for column in header if column not in ("name", "label", "split"))
    cases: dict[str, FileCase] = {}
    splits: dict[str, list[str]] = {split: [] for split in SPLITS}
    for line, row in rows:
        place = f"{table}, line {line}"
        name, split = row["name"], row.get("split") or "train"
        if name in ("", ".", "..") or Path(name).name != name or not name.isprintable():
            raise UserError(f"{place}, column name: {name!r} cannot name a case; give a name of one line, no slashes")
        if name in cases:
            raise UserError(f"{place}, column name: '{name}' is there already; give each case a name of its own")
        if split not in SPLITS:
            raise UserError(f"{place}, column split: '{split}' is unknown; write {', '.join(SPLITS)} or nothing")
        if not row["label"] and split != "test":
            raise UserError(f"{place}, column label: a case to {split} with needs one; add it or use the split test")
        files = {column: table.parent / row[column] for column in (*modalities, "label") if row[column]}
        for column in (*modalities, *files):
            if column not in files:
                raise UserError(f"{place}, column {column}: no file is given; fill it in or remove the row")
            if not _is_file(files[column]):
                raise UserError(f"{place}, column {column}: there is no file {files[column]}; correct the path")
        cases[name] = FileCase(name, tuple(files[modality] for modality in modalities), files.get("label"))
        splits[split].append(name)
    frozen_splits = {split: tuple(names) for split, names in splits.items()}
    return file_dataset(table.stem, modalities, list(cases.values()), frozen_splits, label_by_grid=False, cache=cache)


def _read_csv(table: Path) -> tuple[list[str], list[tuple[int, dict[str, str]]]]:
    """Read the column names, and each row with its line number, blanks around values removed."""
    text = _read_text(table)
    first = next((line for line in text.splitlines() if line.strip()), "")
    separator = max(SEPARATORS, key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True, strict=True)
    try:
        lines = [(reader.line_num, [value.strip() for value in row]) for row in reader if any(row)]
    except csv.Error as error:
        raise UserError(f"{table} is no CSV file (line {reader.line_num}: {error}); mend that line") from error
    header = lines[0][1] if lines else []
    for column in ("name", "label"):
        if column not in header:
            raise UserError(
                f"{table} has no column '{column}'; its first line must name name, the modalities and label, "
                "between commas, semicolons or tabs"
            )
    for column in header:
        if not column or header.count(column) > 1:
            raise UserError(f"{table} has a column '{column}' that is empty or repeated; give each a name of its own")
    if not set(header) - {"name", "label", "split"}:
        raise UserError(f"{table} has no column of a modality; add one, named for it, with the image files")
    if len(lines) == 1:
        raise UserError(f"{table} has no cases; add a row for each below the first line")
    for line, row in lines[1:]:
        if len(row) != len(header):
            raise UserError(f"{table}, line {line}: {len(row)} values for {len(header)} columns; give one a column")
    return header, [(line, dict(zip(header, row, strict=True))) for line, row in lines[1:]]


def _read_text(table: Path) -> str:
    """Read text in UTF-8, or in UTF-16 with the mark that programs put before it."""
    try:
        contents = table.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {table}: {error.strerror}; give a CSV file") from error
    encoding = "utf-16" if contents.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    try:
        text = contents.decode(encoding)
    except UnicodeDecodeError as error:
        line = contents[: error.start].count(b"\n") + 1
        raise UserError(
            f"{table} is no CSV file in UTF-8 (line {line}: {error.reason}); save it as 'CSV UTF-8'"
        ) from error
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise UserError(f"{table} is no CSV file (line {line} holds a NUL); save it as 'CSV UTF-8'")
    return text


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # In a folder that may not be searched, or of too long a name.
        return False


def _load(cases: Mapping[str, FileCase], modalities: tuple[str, ...], label_by_grid: bool, name: str) -> Case:
    if name not in cases:
        raise UserError(f"there is no case '{name}' in this data set; choose one of {', '.join(list(cases)[:5])}, ...")
    case = cases[name]
    image, affine = read_image(case.images)
    if len(image) != len(modalities):
        # Only a single file is read with all that it holds; among several, `read_image` refuses one of four axes.
        raise UserError(
            f"{case.images[0]} holds {len(image)} volumes where one is expected; split it into one file a volume"
        )
    label = None
    if case.label is not None:
        label, label_affine = read_label(case.label)
        if not label_by_grid and label.shape == image.shape[1:] and not same_place(label.shape, affine, label_affine):
            raise UserError(f"{case.label} and {case.images[0]} have different affines; resample one to the other")
    return Case(name, image, label, affine, modalities, has_spacing(case.images[0]))


def _content(case: FileCase, identities: Sequence[FileIdentity], label_by_grid: bool) -> str:
    """A digest of what a case's files hold, whatever they are called."""
    return digest([len(case.images), label_by_grid, [identity[1:] for identity in identities]])
