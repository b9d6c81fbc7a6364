import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ossnet.data.label_names import canonical_names
from ossnet.data.nnunet import nnunet_listing
from ossnet.data.regions import LABEL_NAMES
from ossnet.errors import UserError


@pytest.fixture
def folder(make_tree: Callable[..., Any], tmp_path: Path) -> Path:
    return make_tree("nnunet", tmp_path / "Dataset003_Toy").folder


def describe(folder: Path, **changes: Any) -> None:
    path = folder / "dataset.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_a_raw_data_set_is_what_its_description_says(folder: Path) -> None:
    describe(folder, labels={"background": 0, "whole": [1, 2], "core": [2, 3], "rim": 3})
    listing = nnunet_listing(folder)
    assert listing.name == "nnunet-Dataset003_Toy"
    assert listing.modalities == ("T2", "ADC")
    assert listing.label_names == {1: "whole", 2: "whole or core", 3: "rim"}
    assert listing.dataset().load("case_1").image.shape == (2, 12, 14, 10)


def test_values_of_nested_classes_have_the_names_of_what_only_they_are(folder: Path) -> None:
    describe(folder, labels={"background": 0, "whole tumor": [1, 2, 3], "tumor core": [2, 3], "enhancing tumor": [3]})
    names = nnunet_listing(folder).dataset().label_names
    assert names == {1: "whole tumor without tumor core", 2: "tumor core without enhancing tumor", 3: "enhancing tumor"}
    assert canonical_names(names) == canonical_names(LABEL_NAMES["brats-msd"])
    describe(folder, labels={"background": 0, "kidney": [1, 2, 3], "tumour": 2, "cyst": 3})
    assert nnunet_listing(folder).label_names[1] == "kidney without tumour and cyst"


def test_names_of_version_1_are_read_too(folder: Path) -> None:
    path = folder / "dataset.json"
    values = {"modality": {"0": "T2", "1": "ADC"}, "labels": {"0": "background", "1": "box"}}
    path.write_text(json.dumps(values))
    listing = nnunet_listing(folder)
    assert (listing.modalities, listing.label_names) == (("T2", "ADC"), {1: "box"})
    assert len(listing.cases) == 3


def test_what_is_missing_is_a_problem_of_its_case(folder: Path) -> None:
    (folder / "imagesTr" / "case_0_0001.nii.gz").unlink()
    (folder / "labelsTr" / "case_1.nii.gz").unlink()
    shutil.copy(folder / "labelsTr" / "case_2.nii.gz", folder / "labelsTr" / "case_9.nii.gz")
    problems = nnunet_listing(folder).problems()
    files = {"case_0": "case_0_0001.nii.gz", "case_1": "labelsTr/case_1.nii.gz", "case_9": "case_9_0000.nii.gz"}
    assert problems.keys() == files.keys()
    assert [case for case, file in files.items() if file not in problems[case]] == []
    with pytest.raises(UserError, match=r"case_0_0001.* 2 more"):
        nnunet_listing(folder).dataset()


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"file_ending": ".png"}, r"\.png"),
        ({"channel_names": {}}, "channel_names"),
        ({"labels": {"background": 0, "box": 1, "ignore": 2}}, "ignore"),
        ({"labels": {"box": "one"}}, "one"),
    ],
)
def test_what_cannot_be_read_is_refused(changes: dict[str, Any], word: str, folder: Path) -> None:
    describe(folder, **changes)
    with pytest.raises(UserError, match=rf"dataset\.json.*{word}"):
        nnunet_listing(folder)


def test_a_data_set_without_cases_is_refused(folder: Path) -> None:
    for part in ("imagesTr", "labelsTr"):
        shutil.rmtree(folder / part)
        with pytest.raises(UserError, match=f"{part} is not a folder"):
            nnunet_listing(folder)
        (folder / part).mkdir()
    with pytest.raises(UserError, match="imagesTr holds no"):
        nnunet_listing(folder)
