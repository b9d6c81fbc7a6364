"""Record of the split that a run was trained on in place of the data set's own: a fold, or a table of splits."""

import csv
import io
from pathlib import Path

from ossnet.data.case import Dataset
from ossnet.data.splits import Splits, read_splits
from ossnet.files import write_text

FILE = "splits.csv"
"""File of the record in the folder of a run, which `--split-file` takes like a table of one's own."""


def record_split(folder: Path, dataset: Dataset) -> None:
    """Write the names of the cases of each split into the folder of a run, if they were chosen for it."""
    if not dataset.chosen_split:
        # The folder may be that of another run that failed before its first epoch ended.
        (folder / FILE).unlink(missing_ok=True)
        return
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["name", "split"])
    rows.writerows((name, split) for split, names in dataset.splits.items() for name in names)
    write_text(folder / FILE, text.getvalue())


def read_split(folder: Path) -> Splits | None:
    """Read the record of the run in a folder; return None if there is none.

    Raises:
        UserError: the record cannot be read or is damaged.
    """
    return read_splits(folder / FILE) if (folder / FILE).exists() else None
