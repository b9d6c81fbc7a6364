"""Nested regions and scores by region on the command line."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pandas as pd
import pytest

from ossnet.cli.__main__ import main
from ossnet.data.nifti import read_label, write_label

REGIONS = ["whole tumour", "tumour core", "enhancing tumour"]


@pytest.fixture
def tumours(place: Path) -> list[str]:
    """Options for data whose labels are 2 around 1 around 4."""
    for path in place.glob("data/*-label.nii.gz"):
        inside, affine = read_label(path)
        image = nibabel.load(path.with_name(path.name.replace("label", "t1"))).get_fdata()
        label = inside * np.where(image > 1.05, 4, np.where(image > 0.95, 1, 2)).astype(np.uint8)
        write_label(path, label, affine)
    return ["--data", "data/own.csv", "--cache", "cache", "--device", "cpu"]


def train(run: str, options: list[str], *settings: str) -> None:
    changed = [part for setting in ("recipe.epochs=1", *settings) for part in ("--set", setting)]
    assert main(["train", "--model", "unet3d", "--out", run, *options, *changed]) == 0


def test_from_training_to_labels_and_scores(
    tumours: list[str],
    tiny: Callable[[str], dict[str, Any]],
    as_options: Callable[[dict[str, Any]], list[str]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    options = [*tumours, *as_options(tiny("unet3d"))]
    train("nested", options, "preprocessing.regions=brats")
    train("softmax", options, "preprocessing.classes=4", "preprocessing.label_values=[0,1,2,4]")
    command = ["segment", "data/e-flair.nii.gz", "data/e-t1.nii.gz", "--model", "nested", "--device", "cpu"]
    assert main([*command, "-o", "mask.nii.gz", "--mesh", "surface-{class}.ply"]) == 0
    found = set(np.unique(read_label("mask.nii.gz")[0]))
    assert found <= {0, 1, 2, 4}
    for name, values in zip(REGIONS, ({1, 2, 4}, {1, 4}, {4}), strict=True):
        assert Path(f"surface-{name.replace(' ', '-')}.ply").exists() == bool(found & values)
    capsys.readouterr()
    for run, extra, classes in (
        ("nested", [], REGIONS),
        ("softmax", [], ["1", "2", "4"]),
        ("softmax", ["--regions", "brats"], REGIONS),
        ("softmax", ["--regions", '{oedema = [2], "tumour core" = [1, 4]}'], ["oedema", "tumour core"]),
    ):
        assert main(["evaluate", run, *tumours, *extra, "--out", "scores.csv"]) == 0
        scores = pd.read_csv("scores.csv", dtype={"class": str})
        assert scores["class"].unique().tolist() == ["mean", *classes]
        dice = scores[scores["quantity"] == "dice"].set_index("class")["value"]
        printed = capsys.readouterr().out
        assert f"mean dice: {dice['mean']:.4f} over 1 of 1 cases" in printed
        assert all(f"mean dice of {name}: " in printed for name in classes)
    assert main(["evaluate", "nested", *tumours, "--protocol", "paper", "dense", "--out", "scores.csv"]) == 0
    scores = pd.read_csv("scores.csv")
    of_protocols = scores[scores["quantity"] == "iou"].groupby("protocol")["class"].apply(list)
    assert of_protocols["paper"] == of_protocols["dense"] == ["mean", *REGIONS]


def test_regions_of_other_labels_are_refused(refused: Callable[..., None]) -> None:
    # The run has two classes that join all label values.
    command = ["evaluate", "run", "--data", "data/own.csv", "--device", "cpu", "--regions", "brats"]
    refused(command, "--regions", "all label values")
    refused([*command, "--protocol", "paper"], "--regions", "dense", "--protocol")
