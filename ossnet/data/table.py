"""Data sets of files: for each case its images and label, from a CSV of own cases or from the reader of a data set."""

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

SEPARATORS = ",;\t"
"""Characters that can separate the values of a table. The most frequent one in its first line is taken.

Spreadsheets write semicolons where the comma is the decimal mark.
"""


@dataclass(frozen=True)
class FileCase:
    """Files of a case.

    Attributes:
        name: name of the case.
        images: one file per modality.
        label: file of the label; None for an unlabelled case.
    """

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
    """Return the data set of a table of files.

    Its fingerprint is a SHA-256 over modalities, splits, case names and the `file_identity` of each file. Times of
    modification are not included, since they differ between copies.

    Args:
        name: name of the data set.
        modalities: names of the channels, in the order of the images of each case.
        cases: files of all cases.
        splits: names of the cases of each split.
        label_by_grid: whether a label's voxels are those of the image whatever its header states. Otherwise the affines
            of both must agree.
        cache: folder for digests, see `file_identity`.
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
    """Draw `train` and `validation` names at random.

    If there are fewer names, all of them are drawn in the same proportion, with at least one for validation. Names
    beyond the two numbers are in no split. The draw depends only on the seed and the order of the names.
    """
    if len(names) < train + validation:
        validation = max(1, round(len(names) * validation / (train + validation)))
        train = len(names) - validation
    drawn = [names[index] for index in np.random.default_rng(seed).permutation(len(names))]
    return {"train": tuple(drawn[:train]), "validation": tuple(drawn[train : train + validation]), "test": ()}


def table_dataset(table: str | Path, cache: Path | None = None) -> Dataset:
    """Return the data set of a CSV file of own cases, which has the name of the file.

    The text is UTF-8, or UTF-16 with a byte-order mark, and separates values by commas, semicolons or tabs. There is
    one row per case, with these columns:

    * `name`: unique, and usable as a file name
    * one column per modality, with any name: a NIfTI file
    * `label`: a NIfTI file; may be empty for cases of the split `test`
    * `split`, optional: `train` (also if empty), `validation` or `test`

    Paths are absolute or relative to the folder of the CSV.

    Args:
        table: the CSV file.
        cache: folder for digests, see `file_identity`.

    Raises:
        UserError: the CSV cannot be read, or its name cannot name a data set; a column is missing or repeated; or a row
            has a missing or repeated name, an unknown split, a missing file, or no label to train or validate with. The
            message names the CSV, the line and the column.
    """
    table = Path(table)
    if not table.stem.isprintable():
        raise UserError(
            f"{table}: the file name, which names the data set in results, is not readable; rename the file"
        )
    header, rows = _read_csv(table)
    modalities = tuple(column for column in header if column not in ("name", "label", "split"))
    cases: dict[str, FileCase] = {}
    splits: dict[str, list[str]] = {split: [] for split in SPLITS}
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
                raise UserError(f"{place}, column {column}: the file is missing; add it or remove the row")
            if not _is_file(files[column]):
                raise UserError(f"{place}, column {column}: {files[column]} is not a file; correct the path")
        cases[name] = FileCase(name, tuple(files[modality] for modality in modalities), files.get("label"))
        splits[split].append(name)
    frozen_splits = {split: tuple(names) for split, names in splits.items()}
    return file_dataset(table.stem, modalities, list(cases.values()), frozen_splits, label_by_grid=False, cache=cache)


def _read_csv(table: Path) -> tuple[list[str], list[tuple[int, dict[str, str]]]]:
    """Return the column names, and each row with its line number, without blanks around values."""
    text = _read_text(table)
    first = next((line for line in text.splitlines() if line.strip()), "")
    separator = max(SEPARATORS, key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True, strict=True)
    try:
        lines = [(reader.line_num, [value.strip() for value in row]) for row in reader if any(row)]
    except csv.Error as error:
        raise UserError(f"{table} is not a CSV file (line {reader.line_num}: {error}); correct that line") from error
    header = lines[0][1] if lines else []
    for column in ("name", "label"):
        if column not in header:
            raise UserError(
                f"{table} has no column '{column}'; give columns name, label and one per modality in its first line, "
                "separated by commas, semicolons or tabs"
            )
    for column in header:
        if not column or header.count(column) > 1:
            raise UserError(f"{table} has a column '{column}' that is empty or repeated; give each column its own name")
    if not set(header) - {"name", "label", "split"}:
        raise UserError(f"{table} has no modalities; add a column for each, with its image files")
    if len(lines) == 1:
        raise UserError(f"{table} has no cases; add a row for each case below the first line")
    for line, row in lines[1:]:
        if len(row) != len(header):
            raise UserError(
                f"{table}, line {line}: {len(row)} values for {len(header)} columns; give one value per column"
            )
    return header, [(line, dict(zip(header, row, strict=True))) for line, row in lines[1:]]


def _read_text(table: Path) -> str:
    """Read a text in UTF-8, or in UTF-16 with a byte-order mark."""
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
            f"{table} is not a CSV file in UTF-8 (line {line}: {error.reason}); save it as 'CSV UTF-8'"
        ) from error
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise UserError(f"{table} is not a CSV file (line {line} contains a NUL); save it as 'CSV UTF-8'")
    return text


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # The folder may not be searched, or the name is too long.
        return False


def _load(cases: Mapping[str, FileCase], modalities: tuple[str, ...], label_by_grid: bool, name: str) -> Case:
    if name not in cases:
        raise UserError(f"there is no case '{name}' in this data set; choose one of {', '.join(list(cases)[:5])}, ...")
    case = cases[name]
    image, affine = read_image(case.images)
    if len(image) != len(modalities):
        # Only a single file can have four axes; `read_image` refuses them in one of several files.
        raise UserError(
            f"{case.images[0]} holds {len(image)} volumes where one is expected; split it into one file per volume"
        )
    label = None
    if case.label is not None:
        label, label_affine = read_label(case.label)
        if not label_by_grid and label.shape == image.shape[1:] and not same_place(label.shape, affine, label_affine):
            raise UserError(f"{case.label} and {case.images[0]} have different affines; resample one to the other")
    return Case(name, image, label, affine, modalities, has_spacing(case.images[0]))


def _content(case: FileCase, identities: Sequence[FileIdentity], label_by_grid: bool) -> str:
    """Return a digest of the contents of a case's files, whatever they are called."""
    return digest([len(case.images), label_by_grid, [identity[1:] for identity in identities]])
