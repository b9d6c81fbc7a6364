"""A model of BraTS 2023 on data of the Medical Segmentation Decathlon, whose label values have other meanings."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

from ossnet.cli.__main__ import main

Refused = Callable[..., None]
EVALUATE = ["evaluate", "tumour", "--data", "msd:task", "--device", "cpu"]


def describe(labels: dict[str, str]) -> None:
    """Change what the label values of the Decathlon's task mean."""
    path = Path("task/dataset.json")
    channels = {"0": "T1w", "1": "FLAIR", "2": "T1"}
    path.write_text(json.dumps(json.loads(path.read_text()) | {"modality": channels, "labels": labels}))


@pytest.fixture
def train(
    place: Path,
    make_tree: Callable[..., Any],
    tiny: Callable[[str], dict[str, Any]],
    as_options: Callable[[dict[str, Any]], list[str]],
) -> list[str]:
    """The command of a training of four classes, which has been run on BraTS 2023, and the task to score it on."""
    make_tree("brats2023", place / "brats")
    task = make_tree("msd", place / "task")
    task.random = np.random.default_rng(9)
    for case in range(3):
        label = np.zeros((12, 14, 10), np.uint8)
        for value in (1, 2, 3):
            label[2 * value : 2 * value + 2, 4:10, 3 + case : 6 + case] = value
        task.image(f"imagesTr/case_{case}.nii.gz", label, channels=3)
        task.label(f"labelsTr/case_{case}.nii.gz", label)
    describe({"0": "background", "1": "edema", "2": "non-enhancing tumor", "3": "enhancing tumour"})
    command = ["train", "--model", "unet3d", "--device", "cpu", *as_options(tiny("unet3d")), "--set", "recipe.epochs=1"]
    command += ["--set", "preprocessing.classes=4", "--modalities", "flair", "t1"]
    assert main([*command, "--data", "brats2023:brats", "--out", "tumour"]) == 0
    return command


def test_labels_of_other_meanings_are_refused_until_they_are_joined_or_named_alike(
    train: list[str], refused: Refused, capsys: pytest.CaptureFixture[str]
) -> None:
    names = json.loads(Path("tumour/label_names.json").read_text())
    assert names == {"1": "necrotic core", "2": "oedema", "3": "enhancing tumour"}
    both = ["1 is 'necrotic core' and 'edema'", "2 is 'oedema' and 'non-enhancing tumor'", "tumour/label_names.json"]
    refused(EVALUATE, "msd-task", *both)
    for regions in ("{core = [1, 3]}", "brats2023"):
        refused([*EVALUATE, "--regions", regions], "msd-task", both[0], both[2])
    # The sampled protocol scores the classes even where the dense one joins them.
    joined = ["--regions", "{whole = [1, 2, 3], enhancing = [3]}"]
    refused([*EVALUATE, *joined, "--protocol", "dense", "paper"], *both)
    assert main([*EVALUATE, *joined]) == 0

    second = [*train, "--data", "msd:task", "--start", "tumour", "--out", "second"]
    refused(second, "training of tumour", *both)
    refused([*train, "--data", "msd:task", "--set", "preprocessing.regions=brats2023"], "brats-msd, which fits")

    describe({"0": "background", "1": "Necrotic_Core", "2": "Edema", "3": "ET"})
    capsys.readouterr()
    assert main(EVALUATE) == 0
    assert "not compared" not in capsys.readouterr().out
    refused([*EVALUATE, "--regions", "brats-msd"], "--regions=brats-msd", "training of tumour", "brats2023, which fits")
    assert main(second) == 0
    describe({"0": "background", "1": "label 1", "2": "Edema", "3": "ET"})
    assert main([*EVALUATE, "--protocol", "paper"]) == 0
    (note,) = (line for line in capsys.readouterr().out.splitlines() if "not compared" in line)
    assert " 1 " in note
    assert "msd-task" in note
    # A value of no class is noticed before anything is scored.
    for path in Path("task/labelsTr").iterdir():
        image = nibabel.load(path)
        nibabel.save(nibabel.Nifti1Image(np.asarray(image.dataobj) * 2, image.affine), path)
    refused([*EVALUATE, "--protocol", "paper"], "its label holds", "the model has no class")
    assert json.loads(Path("second/spec.json").read_text())["modalities"] == ["FLAIR", "T1"]
