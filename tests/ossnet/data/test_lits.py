from pathlib import Path

import numpy as np
import pytest

from ossnet.data.lits import lits_dataset
from ossnet.data.nifti import write_label, write_volume
from ossnet.errors import UserError


def make_case(folder: Path, number: int, suffix: str = ".nii") -> None:
    affine = np.diag([0.7, 0.7, 5.0, 1.0])
    write_volume(folder / f"volume-{number}{suffix}", np.full((2, 3, 4), -1000 + number), affine)
    write_label(folder / f"segmentation-{number}{suffix}", np.arange(24).reshape(2, 3, 4) % 3, np.eye(4))


def make_empty_release(folder: Path, count: int) -> Path:
    for number in range(count):
        for stem in ("volume", "segmentation"):
            (folder / f"{stem}-{number}.nii").touch()
    return folder


def test_files_are_matched_by_number_wherever_they_lie(tmp_path: Path) -> None:
    make_case(tmp_path / "Training Batch 1", 2)
    make_case(tmp_path / "Training Batch 2", 10, ".nii.gz")
    (tmp_path / "test-volume-3.nii").touch()
    dataset = lits_dataset(tmp_path, seed=0)
    assert sorted(dataset.splits["train"] + dataset.splits["validation"]) == ["volume-10", "volume-2"]
    assert dataset.load("volume-10").image.max() == -990


def test_labels_are_kept_and_the_place_is_the_volumes(tmp_path: Path) -> None:
    make_case(tmp_path, 0)
    case = lits_dataset(tmp_path, seed=0).load("volume-0")
    assert case.modalities == ("ct",)
    assert np.unique(case.label).tolist() == [0, 1, 2]
    np.testing.assert_allclose(case.spacing_mm, (0.7, 0.7, 5.0), rtol=1e-6)


def test_of_a_volume_without_a_real_affine_the_spacing_is_not_known(tmp_path: Path) -> None:
    make_case(tmp_path, 27)
    make_case(tmp_path, 28)
    write_volume(tmp_path / "volume-28.nii", np.zeros((2, 3, 4)), np.eye(4))
    dataset = lits_dataset(tmp_path, seed=0)
    assert dataset.load("volume-27").spacing_known
    assert not dataset.load("volume-28").spacing_known


@pytest.mark.parametrize(("cases", "train", "validation"), [(131, 111, 20), (13, 11, 2)])
def test_the_papers_random_split_or_its_proportion(cases: int, train: int, validation: int, tmp_path: Path) -> None:
    folder = make_empty_release(tmp_path, cases)
    splits, others = (lits_dataset(folder, seed=seed).splits for seed in (1, 2))
    assert [len(splits[split]) for split in ("train", "validation", "test")] == [train, validation, 0]
    assert len(set(splits["train"] + splits["validation"])) == cases
    assert others != splits


def test_incomplete_or_doubled_cases_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nowhere"):
        lits_dataset(tmp_path / "nowhere", seed=0)
    with pytest.raises(UserError, match=rf"{tmp_path} .*volume-0\.nii"):
        lits_dataset(tmp_path, seed=0)
    (tmp_path / "volume-0.nii").touch()
    with pytest.raises(UserError, match=r"volume-0\.nii .*segmentation-0\.nii"):
        lits_dataset(tmp_path, seed=0)
    (tmp_path / "volume-0.nii.gz").touch()
    with pytest.raises(UserError, match=r"volume-0\.nii\.gz .*volume-0\.nii .*remove"):
        lits_dataset(tmp_path, seed=0)
