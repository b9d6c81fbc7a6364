import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ossnet.data.check import CaseCheck, check_cases, check_table, summary
from ossnet.data.nifti import read_label, read_volume, write_label, write_volume
from ossnet.data.sources import list_files


def moved(affine: np.ndarray) -> np.ndarray:
    place = affine.copy()
    place[:3, 3] += 5
    return place


@pytest.fixture
def checks(make_tree: Callable[..., Any], tmp_path: Path) -> dict[str, CaseCheck]:
    """Checks of a pair of folders with a case for each kind of damage."""
    folder = make_tree("folders", tmp_path / "toy").folder
    images, labels = folder / "images", folder / "labels"

    def copy(name: str, factor: float = 1) -> tuple[Path, Path]:
        for part in (images, labels):
            shutil.copy(part / "case_1.nii.gz", part / f"{name}.nii.gz")
        volume, affine = read_volume(images / "case_1.nii.gz")
        write_volume(images / f"{name}.nii.gz", factor * volume, affine)
        return images / f"{name}.nii.gz", labels / f"{name}.nii.gz"

    image, _ = copy("copied")
    volume, affine = read_volume(image)
    write_volume(images / "copied.nii", volume, affine)
    image.unlink()
    image, _ = copy("cut", 2)
    image.write_bytes(image.read_bytes()[:-50])
    _, label = copy("elsewhere", 3)
    write_label(label, *(read_label(label)[0], moved(affine)))
    _, label = copy("empty", 4)
    write_label(label, np.zeros_like(volume), affine)
    image, _ = copy("nan", 5)
    write_volume(image, np.where(volume > 1, np.nan, volume), affine)
    image, _ = copy("padded", 6)
    padded = volume.copy()
    padded[:2] = -32768
    write_volume(image, padded, affine)
    _, label = copy("unlabelled", 7)
    label.unlink()
    image, label = copy("without-size", 8)
    write_volume(image, 8 * volume, np.eye(4))
    write_label(label, volume > 0.5, np.eye(4))
    (images / "._case_0.nii.gz").write_bytes(b"Mac OS X")
    listing = list_files(f"folders:{folder}")
    done: list[int] = []
    found = check_cases(listing, tmp_path / "cache", lambda count, _: done.append(count))
    assert done == list(range(1, 12))
    assert len(check_table(found)) == 11
    assert len(summary(listing, found)) > 4
    return {check.name: check for check in found}


def test_each_unusable_case_is_found_with_its_reason(checks: dict[str, CaseCheck]) -> None:
    problems = {name: check.problem for name, check in checks.items() if check.problem}
    words = {
        "copied": "case_1",
        "cut": "cut.nii.gz",
        "elsewhere": "affines",
        "nan": "NaN",
        "unlabelled": "labels/unlabelled.nii.gz is missing",
    }
    assert problems.keys() == words.keys()
    assert [name for name, word in words.items() if word not in problems[name]] == []


def test_what_is_unusual_is_noted(checks: dict[str, CaseCheck]) -> None:
    assert {name for name, check in checks.items() if check.notes} == {"empty", "padded", "without-size"}
    assert "clip" in checks["padded"].notes[0]


def test_shapes_places_and_labels_are_those_of_the_files(checks: dict[str, CaseCheck]) -> None:
    case = checks["case_0"]
    assert (case.shape, case.spacing_mm, case.orientation) == ((12, 14, 10), (2, 1, 1.5), "LPS")
    assert case.voxels == {1: 144}
    assert case.voxel_mm3 == pytest.approx(3)
    assert checks["empty"].voxels == {}
    assert checks["without-size"].orientation == "RAS"
    assert np.isnan(checks["without-size"].voxel_mm3)


def test_disagreeing_affines_of_a_release_are_noted(make_tree: Callable[..., Any], tmp_path: Path) -> None:
    tree = make_tree("lits", tmp_path / "toy")
    path = tree.folder / "part" / "segmentation-1.nii"
    label, affine = read_label(path)
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(0.2), -np.sin(0.2)], [np.sin(0.2), np.cos(0.2)]]
    write_label(path, label, turn @ affine)
    image = tree.folder / "part" / "volume-2.nii"
    write_volume(image, read_volume(image)[0], turn @ affine)
    checks = check_cases(list_files(tree.source), tmp_path / "cache", lambda *_: None)
    assert [len(check.notes) for check in checks] == [0, 1, 1]
    assert [check.problem for check in checks] == [None] * 3
    assert [check.orientation for check in checks] == ["LPS", "LPS", "LPS oblique"]


def test_values_without_a_name_are_noted(make_tree: Callable[..., Any], tmp_path: Path) -> None:
    tree = make_tree("msd", tmp_path / "toy")
    path = tree.folder / "labelsTr" / "case_2.nii.gz"
    label, affine = read_label(path)
    write_label(path, 3 * label, affine)
    checks = check_cases(list_files(tree.source), tmp_path / "cache", lambda *_: None)
    assert checks[2].voxels == {3: 144}
    assert [len(check.notes) for check in checks] == [0, 0, 1]
