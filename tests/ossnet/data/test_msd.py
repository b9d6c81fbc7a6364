import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ossnet.data.msd import msd_listing
from ossnet.errors import UserError


@pytest.fixture
def folder(make_tree: Callable[..., Any], tmp_path: Path) -> Path:
    return make_tree("msd", tmp_path / "Task03_Toy").folder


def test_a_task_is_what_its_description_says(folder: Path) -> None:
    values = json.loads((folder / "dataset.json").read_text())
    values["training"].append({"image": "./imagesTr/._case_0.nii.gz", "label": "./labelsTr/._case_0.nii.gz"})
    (folder / "dataset.json").write_text(json.dumps(values))
    listing = msd_listing(folder)
    assert listing.name == "msd-Task03_Toy"
    assert listing.modalities == ("T2", "ADC")
    assert listing.label_names == {1: "box"}
    assert [case.name for case in listing.cases] == ["case_0", "case_1", "case_2"]
    case = listing.dataset().load("case_1")
    assert case.image.shape == (2, 12, 14, 10)
    assert not (case.image[0] == case.image[1]).all()


def test_a_missing_file_is_a_problem_of_its_case(folder: Path) -> None:
    (folder / "imagesTr" / "case_2.nii.gz").unlink()
    problems = msd_listing(folder).problems()
    assert problems.keys() == {"case_2"}
    assert "imagesTr/case_2.nii.gz" in problems["case_2"]


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"training": []}, "training"),
        ({"training": ["imagesTr/case_0.nii.gz"]}, "case_0"),
        ({"training": [{"image": "a.nii.gz", "label": "b.nii.gz"}] * 2}, "two cases a"),
        ({"modality": {}}, "modality"),
        ({"modality": {"1": "CT"}}, "modality"),
        ({"modality": {"0": "CT", "1": "CT"}}, "same name"),
        ({"labels": None}, "labels"),
        ({"labels": {"300": "liver"}}, "300"),
        ({"labels": {"liver": "²"}}, "²"),
        (None, "JSON"),
    ],
)
def test_an_incomplete_description_is_refused(change: dict[str, Any] | None, word: str, folder: Path) -> None:
    path = folder / "dataset.json"
    path.write_text("{" if change is None else json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(UserError, match=rf"dataset\.json.*{word}"):
        msd_listing(folder)


def test_a_folder_without_description_is_refused(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(UserError, match=f"{folder} .*; give the folder"):
            msd_listing(folder)
