"""Splits of a data set: which cases are trained on, which choose the best epoch, and which are scored."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from ossnet.config import digest
from ossnet.data.case import Dataset
from ossnet.data.csv_table import read_csv
from ossnet.data.folds import Fold, fold_splits, patients_at_random
from ossnet.errors import UserError

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)
Splits = Mapping[str, tuple[str, ...]]

SHARE = 0.1
"""Share of the patients in each of the splits `validation` and `test` of data sets for which the paper has no split."""


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


def shared_splits(names: Sequence[str], patients: Mapping[str, str], seed: int = 0) -> Splits:
    """Draw a tenth of the patients for validation, a tenth for test and the rest for training.

    Of three patients or more, each split has at least one; of two, one is for validation. All cases of a patient are in
    the same split.
    """
    drawn = patients_at_random(names, patients, seed)
    share = max(1, round(SHARE * len(drawn)))
    test = share if len(drawn) > 2 else 0
    validation = share if len(drawn) > 1 else 0
    parts = {"test": drawn[:test], "validation": drawn[test : test + validation], "train": drawn[test + validation :]}
    return {split: tuple(name for group in parts[split] for name in group) for split in SPLITS}


def resplit(dataset: Dataset, split: Fold | Path) -> Dataset:
    """Return a data set with other splits.

    The fingerprint of the result depends on the cases and the splits, but not on the splits before. Cases keep their
    content, so that they are found where they have been prepared.

    Args:
        dataset: the data set.
        split: a fold of all cases but those that the data set holds out, or a table (see `read_splits`).

    Raises:
        UserError: the data set has too few cases for the folds, or the table is not one of its cases or divides the
            cases of a patient.
    """
    names = dataset.names
    if isinstance(split, Fold):
        in_folds = [name for name in names if name not in dataset.held_out]
        splits: Splits = fold_splits(in_folds, dataset.patients, split)
    else:
        splits = read_splits(split, names)
        refuse_divided_patients(splits, dataset.patients, split)
    contents = {name: dataset.content(name) for name in names}
    return replace(
        dataset,
        splits=splits,
        contents=contents,
        fingerprint=digest([dataset.name, dataset.modalities, dict(splits), contents]),
        fold=split if isinstance(split, Fold) else None,
        chosen_split=True,
    )


def read_splits(table: Path, names: Sequence[str] | None = None) -> Splits:
    """Read the splits of a data set from a CSV file with the columns `name` and `split`.

    Cases that the table does not list are in no split.

    Args:
        table: the CSV file; its format is described at `ossnet.data.csv_table.read_csv`.
        names: names of the cases of the data set; None if they are not known.

    Raises:
        UserError: the file cannot be read, lacks a column, repeats a name, or holds an unknown name or split.
    """
    header, rows = read_csv(table, ("name", "split"))
    if set(header) != {"name", "split"}:
        raise UserError(f"{table} has the columns {', '.join(header)}; give the columns name and split")
    known, found = set(names or ()), dict[str, str]()
    for line, row in rows:
        name, split = row["name"], row["split"]
        place = f"{table}, line {line}"
        if names is not None and name not in known:
            shown = ", ".join(names[:3])
            raise UserError(
                f"{place}, column name: '{name}' is not a case of this data set, such as {shown}; correct it"
            )
        if name in found:
            raise UserError(f"{place}, column name: '{name}' is listed twice; keep one of the rows")
        if split not in SPLITS:
            raise UserError(f"{place}, column split: '{split}' is not a split; write {', '.join(SPLITS)}")
        found[name] = split
    return {split: tuple(name for name, own in found.items() if own == split) for split in SPLITS}


def refuse_divided_patients(splits: Splits, patients: Mapping[str, str], table: Path) -> None:
    """Raise a UserError if the splits of a table put cases of one patient in two splits.

    Args:
        splits: the splits.
        patients: patient of a case by its name; a case that is missing here is a patient of its own.
        table: the table, for the message.
    """
    split_of: dict[str, str] = {}
    for split, names in splits.items():
        for name in names:
            other = split_of.setdefault(patients[name], split) if name in patients else split
            if other != split:
                raise UserError(
                    f"{table}, column split: patient {patients[name]!r} is in the splits {other} and {split} (with "
                    f"case {name}), and a model must not be scored on a patient whom it has learned from; give all "
                    "cases of a patient the same split"
                )


def scored_split(dataset: Dataset, chosen: Split | None = None) -> Split:
    """Return the split whose cases are scored.

    Departure: the paper has no test cases and scores its validation cases.

    Args:
        dataset: the data set.
        chosen: the split; None for `test`, or `validation` in a data set without test cases, as in the paper.

    Raises:
        UserError: the split has no cases.
    """
    if chosen is not None:
        if not dataset.splits[chosen]:
            raise UserError(
                f"data set {dataset.name} has no {chosen} cases, so there is nothing to score; choose another --split"
            )
        return chosen
    order: tuple[Split, ...] = ("test", "validation")
    for split in order:
        if dataset.splits[split]:
            return split
    raise UserError(
        f"data set {dataset.name} has no test and no validation cases, so there is nothing to score; give some of its "
        "cases one of these splits, or choose another --split"
    )


def without_unlabelled(dataset: Dataset, split: Split) -> tuple[Dataset, tuple[str, ...]]:
    """Return a data set without those cases of a split that are known to have no label, and the names of these.

    Args:
        dataset: the data set.
        split: a split that has cases.

    Raises:
        UserError: none of the cases has a label.
    """
    names = dataset.splits[split]
    unlabelled = tuple(name for name in names if name in dataset.unlabelled)
    if len(unlabelled) == len(names):
        raise UserError(
            f"data set {dataset.name} has no labelled case in split {split}, so there is nothing to score; add labels, "
            f"as to case {names[0]}, or choose another --split"
        )
    labelled = tuple(name for name in names if name not in unlabelled)
    return replace(dataset, splits={**dataset.splits, split: labelled}), unlabelled
