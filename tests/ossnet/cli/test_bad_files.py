"""A file that is missing, damaged or unlike the others ends a command with status 2 and one line that names it."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

from ossnet.data.nifti import read_image, write_volume

TRAIN = "train --model c --data data/own.csv --out new"
EVALUATE = "evaluate run --data data/own.csv"
SEGMENT = "segment data/e-flair.nii.gz data/e-t1.nii.gz --model run -o mask.nii.gz"


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def with_nan(path: Path) -> None:
    image, affine = read_image([path])
    image[0, 1, 2, 3] = np.nan
    nibabel.save(nibabel.Nifti1Image(image[0], affine), path)


def smaller(path: Path) -> None:
    image, affine = read_image([path])
    write_volume(path, image[0, 1:], affine)


def elsewhere(path: Path) -> None:
    image, affine = read_image([path])
    write_volume(path, image[0], affine + 20 * np.eye(4, k=3))


def no_nifti(path: Path) -> None:
    path.write_text("no image")


@pytest.mark.parametrize(
    ("command", "file", "spoil", "words"),
    [
        (SEGMENT, "data/e-t1.nii.gz", Path.unlink, []),
        (SEGMENT, "data/e-t1.nii.gz", smaller, ["(11, 14, 10)"]),
        (SEGMENT, "data/e-t1.nii.gz", elsewhere, ["affines"]),
        (TRAIN, "data/b-t1.nii.gz", Path.unlink, []),
        (TRAIN, "data/d-flair.nii.gz", cut, ["NIfTI"]),
        (TRAIN, "data/b-t1.nii.gz", no_nifti, ["NIfTI"]),
        (TRAIN, "data/d-flair.nii.gz", with_nan, ["1 NaN", "(1, 2, 3)"]),
        (TRAIN, "data/b-t1.nii.gz", smaller, ["(11, 14, 10)"]),
        (TRAIN, "data/d-flair.nii.gz", elsewhere, ["affines"]),
        (TRAIN, "data/b-label.nii.gz", elsewhere, ["data/b-flair.nii.gz", "affines"]),
        (TRAIN, "data/b-label.nii.gz", cut, ["NIfTI"]),
        (TRAIN, "data/b-label.nii.gz", Path.unlink, []),
        (EVALUATE, "run/cases.json", cut, []),
    ],
)
def test_it_is_named(
    command: str,
    file: str,
    spoil: Callable[[Path], object],
    words: list[str],
    refused: Callable[..., None],
    place: Path,
    tiny: Callable[[str], dict[str, Any]],
    as_options: Callable[..., list[str]],
) -> None:
    spoil(place / file)
    refused([*command.split(), *(as_options(tiny("c")) if command == TRAIN else [])], file, *words)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (",e-label.nii.gz,test", ",,test", ["case e", "label"]),
        (",(validation|test)", ",train", ["own", "test", "--split"]),
        ("flair,t1,label", "t2,t1,label", ["own", "t2, t1", "flair"]),
    ],
)
def test_a_table_without_what_is_evaluated_is_named(
    old: str, new: str, words: list[str], refused: Callable[..., None], place: Path
) -> None:
    table = place / "data" / "own.csv"
    table.write_text(re.sub(old, new, table.read_text()))
    refused(EVALUATE.split(), *words)


@pytest.mark.parametrize("file", ["spec.json", "model.safetensors"])
def test_a_damaged_run_is_named(file: str, refused: Callable[..., None], place: Path) -> None:
    cut(place / "run" / file)
    refused(SEGMENT.split(), "run", file)


def test_a_damaged_checkpoint_is_named(refused: Callable[..., None], place: Path, learned: Callable[..., Any]) -> None:
    cut(place / "run" / "checkpoint.pt")
    refused([*learned("unet3d").command, "--out", "run"], "run/checkpoint.pt", "delete")
