"""Tests of the record of the cases that a training has seen."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest

from ossnet.data.case import Dataset
from ossnet.data.table import table_dataset
from ossnet.data.voxels import kept_voxel_digest
from ossnet.errors import UserError
from ossnet.training.seen_cases import SeenCases, read_seen_cases, refuse_learned_cases, roles_in_training


@pytest.fixture
def seen(dataset: Dataset, tmp_path: Path) -> SeenCases:
    """The record that a training on the tiny data set leaves."""
    digests = {
        split: {name: kept_voxel_digest(dataset, name, tmp_path) for name in dataset.splits[split]}
        for split in ("train", "validation")
    }
    return SeenCases(**digests)


@pytest.fixture
def copied(make_data: Callable[[Path], Path], tmp_path: Path) -> Dataset:
    """A data set of one training, one validation and one new case, renamed, recompressed and in the split `test`."""
    folder = tmp_path / "copy"
    folder.mkdir()
    table = make_data(folder)
    rows = ["name,flair,t1,label,split"]
    for name, copy in (("a", "first"), ("d", "second"), ("e", "third")):
        for part in ("flair", "t1", "label"):
            image = nibabel.load(folder / f"{name}-{part}.nii.gz")
            nibabel.save(nibabel.Nifti1Image(np.asarray(image.dataobj), image.affine), folder / f"{copy}-{part}.nii")
        rows.append(f"{copy},{copy}-flair.nii,{copy}-t1.nii,{copy}-label.nii,test")
    table.write_text("\n".join(rows) + "\n")
    return table_dataset(table.rename(folder / "another.csv"))


def test_copies_are_recognised_whatever_their_names_and_files(
    dataset: Dataset, copied: Dataset, seen: SeenCases, tmp_path: Path
) -> None:
    assert "a" in dataset.splits["train"]
    assert "d" in dataset.splits["validation"]
    assert "e" in dataset.splits["test"]
    roles = roles_in_training(copied, "test", tmp_path, seen)
    assert roles == {"first": "train", "second": "validation", "third": "unseen"}
    with pytest.raises(UserError, match=r"the run .*1 of the 3 cases .*: first;"):
        refuse_learned_cases(copied, "test", roles, dataset.name, dataset.fingerprint, "the run")


def test_cases_of_the_validation_and_new_ones_may_be_scored(dataset: Dataset, copied: Dataset) -> None:
    roles = {"second": "validation", "third": "unseen"}
    refuse_learned_cases(copied, "test", roles, dataset.name, dataset.fingerprint, "the run")


def test_without_a_record_the_data_set_must_be_that_of_the_training(dataset: Dataset, tmp_path: Path) -> None:
    assert read_seen_cases(tmp_path) is None
    roles = roles_in_training(dataset, "test", tmp_path, None)
    assert set(roles.values()) == {"unknown"}
    refuse_learned_cases(dataset, "test", roles, dataset.name, dataset.fingerprint, "the run")
    with pytest.raises(UserError, match=r"cases\.json.* --allow-learned-cases"):
        refuse_learned_cases(dataset, "test", roles, "another", "f", "the run")
    # The option that is proposed is one that the command takes with these data.
    for name, option in ((dataset.name, "--data"), ("liver", "--profile")):
        changed = replace(dataset, name=name, fingerprint="changed")
        with pytest.raises(UserError, match=rf"data set {name} .* the {option} of"):
            refuse_learned_cases(changed, "test", roles, name, dataset.fingerprint, "the run")
    with pytest.raises(UserError, match="split train"):
        refuse_learned_cases(dataset, "train", roles, dataset.name, dataset.fingerprint, "the run")


def test_a_record_is_read_as_it_was_written(seen: SeenCases, tmp_path: Path) -> None:
    seen.write(tmp_path)
    assert read_seen_cases(tmp_path) == seen
    for damaged in ('{"version": 2, "train": 1}', '{"version"', "[]"):
        (tmp_path / "cases.json").write_text(damaged)
        with pytest.raises(UserError, match=r"cases\.json .*damaged"):
            read_seen_cases(tmp_path)
    # A record of another version is not read.
    (tmp_path / "cases.json").write_text('{"train": {"a": "0123"}, "validation": {}}')
    assert read_seen_cases(tmp_path) is None


def test_a_record_without_permission_is_not_called_damaged(
    seen: SeenCases, forbid: Callable[[Path], None], tmp_path: Path
) -> None:
    seen.write(tmp_path)
    forbid(tmp_path / "cases.json")
    with pytest.raises(UserError, match=r"cases\.json: Permission denied"):
        read_seen_cases(tmp_path)
