"""The record of a fold or a table of splits in the folder of a run."""

from pathlib import Path

import pytest

from ossnet.data.case import Dataset
from ossnet.data.folds import Fold
from ossnet.data.splits import resplit
from ossnet.errors import UserError
from ossnet.training.recorded_split import FILE, read_split, record_split


def test_a_chosen_split_is_read_as_it_was_recorded(dataset: Dataset, tmp_path: Path) -> None:
    assert read_split(tmp_path) is None
    fold = resplit(dataset, Fold(1, 3))
    record_split(tmp_path, fold)
    assert read_split(tmp_path) == fold.splits
    # The record is a table of splits that gives the same cases.
    assert resplit(dataset, tmp_path / FILE).fingerprint == fold.fingerprint
    # The data set's own split is not recorded, and what another run has left behind is not mistaken for it.
    record_split(tmp_path, dataset)
    assert read_split(tmp_path) is None


def test_a_damaged_record_is_named(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("name,split\na,tain\n")
    with pytest.raises(UserError, match=FILE):
        read_split(tmp_path)
