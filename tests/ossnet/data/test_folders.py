import errno
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ossnet.data.folders import folders_listing
from ossnet.data.nifti import read_volume, write_volume
from ossnet.data.sources import list_files
from ossnet.errors import UserError


@pytest.fixture
def folder(make_tree: Callable[..., Any], tmp_path: Path) -> Path:
    return make_tree("folders", tmp_path / "kidneys").folder


def test_images_and_labels_are_matched_by_name_whatever_their_suffix(folder: Path) -> None:
    path = folder / "images" / "case_1.nii.gz"
    write_volume(folder / "images" / "case_1.nii", *read_volume(path))
    path.unlink()
    listing = folders_listing(folder)
    assert listing.name == "folders-kidneys"
    assert listing.modalities == ("image",)
    assert listing.dataset().load("case_1").image.shape == (1, 12, 14, 10)


def test_images_of_four_axes_have_several_channels(folder: Path) -> None:
    for path in (folder / "images").iterdir():
        image, affine = read_volume(path)
        write_volume(path, np.stack([image, image]), affine)
    listing = folders_listing(folder)
    assert listing.modalities == ("image0", "image1")
    assert listing.dataset().load("case_1").image.shape == (2, 12, 14, 10)


def test_what_is_missing_is_a_problem_of_its_case(folder: Path) -> None:
    (folder / "images" / "case_0.nii.gz").write_bytes(b"damaged")
    (folder / "images" / "case_1.nii.gz").unlink()
    (folder / "labels" / "case_2.nii.gz").unlink()
    problems = folders_listing(folder).problems()
    files = {"case_1": "images/case_1.nii.gz", "case_2": "labels/case_2.nii.gz"}
    assert problems.keys() == files.keys()
    assert [case for case, file in files.items() if file not in problems[case]] == []


def test_folders_that_are_missing_empty_or_ambiguous_are_refused(folder: Path, tmp_path: Path) -> None:
    shutil.copy(folder / "labels" / "case_0.nii.gz", folder / "labels" / "case_0.nii")
    with pytest.raises(UserError, match=r"case_0\.nii.*remove"):
        folders_listing(folder)
    with pytest.raises(UserError, match=f"{tmp_path}/images is not a folder"):
        folders_listing(tmp_path)
    for part in ("images", "labels"):
        (tmp_path / part).mkdir()
    with pytest.raises(UserError, match=r"holds no"):
        folders_listing(tmp_path)


@pytest.mark.parametrize("source", ["folders", "nnunet", "brats"])
def test_a_folder_that_may_not_be_read_is_named(
    source: str, make_tree: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = make_tree(source, tmp_path / "toy")

    def refuse(folder: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(folder))

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(UserError, match=f"cannot read {tree.folder}.* make it readable"):
        list_files(tree.source)
