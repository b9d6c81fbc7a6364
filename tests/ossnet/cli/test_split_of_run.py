"""The split that a run is scored on, of the data set that it was trained on, of copies of that and of others."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ossnet.cli.split_of_run import with_split_of_run
from ossnet.data.case import Dataset
from ossnet.data.folds import Fold
from ossnet.data.splits import resplit
from ossnet.errors import UserError
from ossnet.training.profile import load_profile
from ossnet.training.recorded_split import record_split
from ossnet.training.run import RunSpec

FOLD, OTHER = Fold(0, 4), Fold(1, 4)
TABLE = "name,split\na,test\nb,train\nc,validation\n"

Train = Callable[[Dataset], RunSpec]


@pytest.fixture
def train(tmp_path: Path, tiny: Callable[[str], dict[str, Any]]) -> Train:
    """Make the specification of a run on a data set, and its record of the split in `run`."""
    (tmp_path / "run").mkdir()

    def make(dataset: Dataset) -> RunSpec:
        record_split(tmp_path / "run", dataset)
        return load_profile("laptop").spec("c", dataset, 0, tiny("c"))

    return make


@pytest.mark.parametrize("of_table", [False, True], ids=["fold", "table"])
def test_the_split_follows_the_cases_whatever_their_data_set_is_called(
    of_table: bool, dataset: Dataset, train: Train, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, table = tmp_path / "run", tmp_path / "table.csv"
    table.write_text(TABLE)
    trained = resplit(dataset, table if of_table else FOLD)
    assert trained.splits["test"] != dataset.splits["test"]
    spec = train(trained)
    copy = replace(dataset, name="copy")
    for of in (dataset, copy):
        scored = with_split_of_run(of, run, spec, None, False)
        assert (scored.name, scored.splits, scored.fold) == (of.name, trained.splits, trained.fold)
    assert capsys.readouterr().out == ""
    # A copy has the same other folds, which are refused as well; a table is the user's own choice.
    if not of_table:
        for of in (dataset, copy):
            with pytest.raises(UserError, match="--allow-learned-cases"):
                with_split_of_run(of, run, spec, OTHER, False)
            assert with_split_of_run(of, run, spec, OTHER, True).fold == OTHER
    assert with_split_of_run(copy, run, spec, table, False).splits["test"] == ("a",)

    # Under another name, other files or other names of cases make another data set, whose own split is scored.
    changed = {**dataset.contents, "a": "other"}
    renamed = {f"x{name}": content for name, content in dataset.contents.items()}
    for contents, splits in ((changed, dataset.splits), (renamed, {"train": (), "validation": (), "test": ("xa",)})):
        other = replace(copy, contents=contents, splits=splits)
        assert with_split_of_run(other, run, spec, None, False) is other
        (line,) = capsys.readouterr().out.splitlines()
        words = ("a table of splits" if of_table else "fold 0 of 4", f"data set {dataset.name}", "data set copy")
        assert [word for word in words if word not in line] == []


def test_changed_cases_and_a_changed_record_are_refused(dataset: Dataset, train: Train, tmp_path: Path) -> None:
    run, record = tmp_path / "run", tmp_path / "run" / "splits.csv"
    spec = train(resplit(dataset, FOLD))
    changed = replace(dataset, contents={**dataset.contents, "a": "other"})
    with pytest.raises(UserError, match=r"run/splits\.csv.* the --data of"):
        with_split_of_run(changed, run, spec, None, False)
    record.write_text(TABLE)
    with pytest.raises(UserError, match=r"run/splits\.csv"):
        with_split_of_run(dataset, run, spec, None, False)
    assert with_split_of_run(dataset, run, spec, FOLD, False).fold == FOLD
    # Of a fold without a record, the cases are drawn again.
    record.unlink()
    assert with_split_of_run(dataset, run, spec, None, False).fold == FOLD
    with pytest.raises(UserError) as caught:
        with_split_of_run(changed, run, spec, None, False)
    assert "splits.csv" not in str(caught.value)


def test_a_run_of_the_data_sets_own_split_changes_no_split(dataset: Dataset, train: Train, tmp_path: Path) -> None:
    spec = train(dataset)
    for of in (dataset, replace(dataset, name="copy")):
        assert with_split_of_run(of, tmp_path / "run", spec, None, False) is of


@pytest.mark.parametrize(("name", "option"), [("liver", "--profile"), ("own", "--data")])
def test_the_remedy_is_an_option_that_the_data_take(
    name: str, option: str, dataset: Dataset, train: Train, tmp_path: Path
) -> None:
    named = replace(dataset, name=name)
    spec = train(resplit(named, FOLD))
    with pytest.raises(UserError, match=f"the {option} of that training"):
        with_split_of_run(replace(named, contents={}, fingerprint="x"), tmp_path / "run", spec, None, False)
