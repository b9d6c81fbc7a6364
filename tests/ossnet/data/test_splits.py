from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ossnet.data.case import Dataset
from ossnet.data.folds import Fold
from ossnet.data.splits import random_splits, read_splits, resplit, scored_split, shared_splits
from ossnet.errors import UserError


@given(count=st.integers(1, 400), seed=st.integers(0, 2**32))
def test_a_random_split_shares_out_the_names(count: int, seed: int) -> None:
    names = [str(number) for number in range(count)]
    splits = random_splits(names, 320, 45, seed)
    drawn = splits["train"] + splits["validation"]
    assert len(drawn) == len(set(drawn)) == min(count, 365)
    assert len(splits["validation"]) == (45 if count >= 365 else max(1, round(count * 45 / 365)))
    assert random_splits(names, 320, 45, seed) == splits


@pytest.mark.parametrize(
    ("count", "sizes"), [(1, (1, 0, 0)), (2, (1, 1, 0)), (3, (1, 1, 1)), (40, (32, 4, 4)), (131, (105, 13, 13))]
)
def test_a_tenth_each_is_for_validation_and_test(count: int, sizes: tuple[int, int, int]) -> None:
    names = [str(number) for number in range(count)]
    splits = shared_splits(names, {})
    assert tuple(len(splits[split]) for split in ("train", "validation", "test")) == sizes
    assert sorted(name for part in splits.values() for name in part) == sorted(names)


def test_other_splits_keep_the_cases_and_change_the_fingerprint(dataset: Dataset, tmp_path: Path) -> None:
    (tmp_path / "splits.csv").write_text("name;split\nd;train\ne;validation\na;test\n")
    chosen = [resplit(dataset, split) for split in (Fold(0, 3), Fold(1, 3), tmp_path / "splits.csv")]
    assert len({dataset.fingerprint, *(one.fingerprint for one in chosen)}) == 4
    assert [one.fold for one in chosen] == [Fold(0, 3), Fold(1, 3), None]
    for one in chosen:
        assert {one.content(name) for name in "abcde"} == {dataset.content(name) for name in "abcde"}
    # The own test case is in no fold.
    assert sorted(name for part in chosen[0].splits.values() for name in part) == list("abcd")
    assert chosen[2].splits == {"train": ("d",), "validation": ("e",), "test": ("a",)}
    # What the splits were before does not matter.
    assert resplit(chosen[2], tmp_path / "splits.csv").fingerprint == chosen[2].fingerprint


@pytest.mark.parametrize(
    ("rows", "place"),
    [
        (["name,part", "a,train"], "columns"),
        (["name,split", "a,train", "x,train"], "line 3, column name"),
        (["name,split", "a,train", "a,test"], "line 3, column name"),
        (["name,split", "a,tain"], "line 2, column split"),
        (["name,split", "a,"], "line 2, column split"),
    ],
)
def test_a_mistake_in_a_table_of_splits_is_named(rows: list[str], place: str, tmp_path: Path) -> None:
    (tmp_path / "splits.csv").write_text("\n".join(rows))
    with pytest.raises(UserError, match=rf"splits\.csv.*{place}"):
        read_splits(tmp_path / "splits.csv", ["a", "b"])


def test_a_patient_in_two_splits_is_refused_with_the_patient_and_both(dataset: Dataset, tmp_path: Path) -> None:
    with_patients = replace(dataset, patients={"a": "P1", "d": "P1", "b": "P2"})
    splits = tmp_path / "splits.csv"
    splits.write_text("name,split\na,train\nb,validation\nd,train\ne,test\n")
    assert resplit(with_patients, splits).splits["train"] == ("a", "d")
    splits.write_text("name,split\na,train\nb,validation\nd,test\n")
    assert resplit(dataset, splits).splits["test"] == ("d",)
    with pytest.raises(UserError, match=r"splits\.csv.* 'P1' .*train and test"):
        resplit(with_patients, splits)


def test_validation_cases_stand_in_for_test_cases(dataset: Dataset) -> None:
    without_test = replace(dataset, splits={**dataset.splits, "test": ()})
    assert scored_split(dataset) == "test"
    assert scored_split(without_test) == scored_split(dataset, "validation") == "validation"
    without_any = replace(dataset, splits={**without_test.splits, "validation": ()})
    with pytest.raises(UserError, match="nothing to score"):
        scored_split(without_any)
    with pytest.raises(UserError, match="no validation cases"):
        scored_split(without_any, "validation")
