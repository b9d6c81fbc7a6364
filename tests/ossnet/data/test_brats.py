from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ossnet.data.brats import BRATS2023, MODALITIES, brats_dataset, brats_listing
from ossnet.data.nifti import write_label, write_volume
from ossnet.data.sources import list_files
from ossnet.errors import UserError

VALUES = {"flair": 1, "t1": 2, "t1ce": 3, "t2": 4}


def make_release(folder: Path, numbers: Iterable[int], suffix: str = ".nii.gz") -> Path:
    """Cases of 2x3x4 voxels whose modalities hold a number each, and whose label holds 4."""
    for number in numbers:
        name = f"BraTS20_Training_{number:03d}"
        for modality, value in VALUES.items():
            write_volume(folder / name / f"{name}_{modality}{suffix}", np.full((2, 3, 4), value), np.eye(4))
        stem = "W39_1998.09.19_Segm" if number == 355 else f"{name}_seg"
        write_label(folder / name / f"{stem}{suffix}", np.full((2, 3, 4), 4), np.eye(4))
    (folder / "name_mapping.csv").write_text("Grade\n")
    return folder


def make_empty_release(folder: Path, numbers: Iterable[int]) -> Path:
    for number in numbers:
        case = folder / f"BraTS20_Training_{number:03d}"
        case.mkdir(parents=True)
        for part in (*MODALITIES, "seg"):
            (case / f"{case.name}_{part}.nii").touch()
    return folder


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of all 369 cases, without contents."""
    return make_empty_release(tmp_path_factory.mktemp("release"), range(1, 370))


@pytest.mark.parametrize("suffix", [".nii.gz", ".nii"])
def test_modalities_by_name_in_the_released_order(tmp_path: Path, suffix: str) -> None:
    # The label of case 355 has a name of its own.
    dataset = brats_dataset(make_release(tmp_path, [2, 355], suffix))
    assert dataset.modalities == ("flair", "t1", "t1ce", "t2")
    for name in ("BraTS20_Training_002", "BraTS20_Training_355"):
        case = dataset.load(name)
        assert case.shape == (2, 3, 4)
        assert case.image[:, 0, 0, 0].tolist() == [1, 2, 3, 4]
        assert np.unique(case.label).tolist() == [4]


def test_the_released_split_of_the_whole_release(release: Path) -> None:
    splits = brats_dataset(release).splits
    assert {split: len(names) for split, names in splits.items()} == {"train": 324, "validation": 45, "test": 0}
    assert {"BraTS20_Training_180", "BraTS20_Training_355"} < set(splits["validation"])
    assert {"BraTS20_Training_031", "BraTS20_Training_002"} < set(splits["train"])


def test_the_papers_random_split_of_the_whole_release(release: Path) -> None:
    splits, others = (brats_dataset(release, "random", seed=seed).splits for seed in (3, 4))
    assert {split: len(names) for split, names in splits.items()} == {"train": 320, "validation": 45, "test": 0}
    assert not set(splits["train"]) & set(splits["validation"])
    assert others != splits


def test_an_incomplete_folder_has_the_cases_that_are_there(tmp_path: Path) -> None:
    folder = make_empty_release(tmp_path, [1, 2, 3])
    assert brats_dataset(folder).splits == {
        "train": ("BraTS20_Training_002", "BraTS20_Training_003"),
        "validation": ("BraTS20_Training_001",),
        "test": (),
    }


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    folder = make_empty_release(tmp_path, [7])
    (folder / "BraTS20_Training_007" / "BraTS20_Training_007_t1ce.nii").unlink()
    with pytest.raises(UserError, match=r"BraTS20_Training_007_t1ce\.nii\.gz .*complete"):
        brats_dataset(folder)


def test_a_folder_without_cases_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"{tmp_path} .*BraTS20_Training_001"):
        brats_dataset(tmp_path)
    with pytest.raises(UserError, match="nowhere"):
        brats_dataset(tmp_path / "nowhere")


def test_a_seed_belongs_to_the_random_split_alone(tmp_path: Path) -> None:
    folder = make_empty_release(tmp_path, [1])
    with pytest.raises(UserError, match="seed"):
        brats_dataset(folder, "random")
    with pytest.raises(UserError, match="seed"):
        brats_dataset(folder, "released", seed=1)


def test_a_copy_elsewhere_has_the_same_fingerprint(tmp_path: Path) -> None:
    here, there = (brats_dataset(make_release(tmp_path / place, [1, 2])) for place in ("here", "there"))
    assert here.fingerprint == there.fingerprint
    other_cases = brats_dataset(make_release(tmp_path / "other", [1, 3]))
    assert other_cases.fingerprint != here.fingerprint


@pytest.mark.parametrize("layout", ["brats2021", "brats2023"])
def test_other_years_have_the_same_channels(layout: str, make_tree: Callable[..., Any], tmp_path: Path) -> None:
    listing = list_files(make_tree(layout, tmp_path).source)
    assert listing.name == layout
    assert listing.modalities == MODALITIES
    stems = [path.name.removesuffix(".nii.gz") for path in listing.cases[0].images]
    ends = {"brats2021": ["_flair", "_t1", "_t1ce", "_t2"], "brats2023": ["-t2f", "-t1n", "-t1c", "-t2w"]}[layout]
    assert stems == [listing.cases[0].name + end for end in ends]
    assert {name: value for value, name in listing.label_names.items()}["enhancing tumour"] == (
        4 if layout == "brats2021" else 3
    )


def test_scans_of_a_patient_stay_together(tmp_path: Path) -> None:
    names = [f"BraTS-GLI-{patient:05d}-{scan:03d}" for patient in range(20) for scan in range(2)]
    for name in names:
        (tmp_path / name).mkdir()
    splits = brats_listing(BRATS2023, tmp_path).splits
    patients = {split: {name[:-4] for name in splits[split]} for split in splits}
    assert {split: len(splits[split]) for split in splits} == {"train": 32, "validation": 4, "test": 4}
    assert sum(map(len, patients.values())) == 20


def test_another_year_is_named(make_tree: Callable[..., Any], tmp_path: Path) -> None:
    make_tree("brats2021", tmp_path)
    with pytest.raises(UserError, match=f"give brats2021:{tmp_path}"):
        brats_listing(BRATS2023, tmp_path)
