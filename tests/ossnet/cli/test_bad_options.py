"""A wrong option ends every command with status 2 and one line that names it, and leaves nothing behind.

Of a message, tests look for the file or option, and for the word of the remedy, not for the sentence. How settings are
refused is in ossnet/training/test_profile.py, how options are read in test_options.py.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

TRAIN = "train --model c --data data/own.csv --out new"
EVALUATE = "evaluate run --data data/own.csv"
SEGMENT = "segment data/e-flair.nii.gz data/e-t1.nii.gz --model run -o mask.nii.gz"
FITS = "fits c --shape 32 32 32 --memory 16"


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("", ["--help"]),
        ("trian", ["--help"]),
        ("models c extra", ["--help"]),
        (f"{TRAIN} --model e", ["'e'", "a, b, c, d"]),
        (f"{TRAIN} --data cases.csv", ["cases.csv"]),
        (f"{TRAIN} --data brain", ["'brain'", "glioma or liver"]),
        (f"{TRAIN} --data brats:none", ["none"]),
        (f"{TRAIN} --profile desktop", ["'desktop'", "laptop"]),
        (f"{TRAIN} --set recipe.epoch=3", ["recipe.epoch:", "epochs"]),
        (f"{TRAIN} --set recipes.epochs=3", ["'recipes'", "recipe."]),
        (f"{TRAIN} --set [=3", ["--set [=3", "TOML"]),
        (
            f"{TRAIN} --set preprocessing.shape=[8,8,8] --set network.encoder_channels=[4]",
            ["(8, 8, 8)", "shape", "fit"],
        ),
        (f"{TRAIN} --set network.encoder_channels=[4,4,4,4]", ["encoder_channels", "fewer"]),
        (
            f"{TRAIN} --set recipe.sampling.strategy=uniform --set recipe.sampling.border_width=9",
            ["recipe.sampling.border_width", "25"],
        ),
        (f"{TRAIN} --seed -1", ["seed", "greater"]),
        (f"{TRAIN} --device banana", ["--device banana", "cuda"]),
        (f"{TRAIN} --device cuda:99", ["--device cuda:99", "cpu"]),
        (f"{TRAIN} --device meta", ["--device meta", "cuda"]),
        (f"{TRAIN} --epochs 3", ["--epochs 3"]),
        (f"{TRAIN} --out run", ["run", "another folder"]),
        (f"{TRAIN} --out data/own.csv", ["data/own.csv", "Not a directory", "another folder"]),
        (f"{TRAIN} --cache data/own.csv", ["data/own.csv/prepared", "writable folder"]),
        ("evaluate run", ["required", "--data"]),
        ("evaluate none --data data/own.csv", ["none", "folder"]),
        ("evaluate data --data data/own.csv", ["data", "folder"]),
        (f"{EVALUATE} --data none.csv", ["none.csv"]),
        (f"{EVALUATE} --split tets", ["--split", "'tets'"]),
        (f"{EVALUATE} --extraction fast", ["'fast'", "dense"]),
        (f"{EVALUATE} --extraction paper-prior", ["mise or dense"]),
        (f"{EVALUATE} --tolerance-mm wide", ["--tolerance-mm", "'wide'"]),
        (f"{EVALUATE} --protocol paper --extraction dense", ["--extraction", "--protocol dense"]),
        (f"{EVALUATE} --protocol paper released --tolerance-mm 3", ["--tolerance-mm", "--protocol dense"]),
        (f"{EVALUATE} --profile paper", ["--profile", "--data glioma or liver"]),
        (f"{EVALUATE} --max-locations 0", ["--max-locations", "above 0"]),
        (f"{EVALUATE} --cache data/own.csv/cache", ["data/own.csv/cache", "--cache"]),
        (f"{EVALUATE} --out data/own.csv/scores.csv", ["data/own.csv/scores.csv", "Not a directory"]),
        (f"{EVALUATE} --out data", ["data", "it is a folder"]),
        ("segment data/e-t1.nii.gz --model run", ["required", "--output"]),
        ("segment data/e-t1.nii.gz --model run -o mask.nii", ["2 modalities (flair, t1)", "data/e-t1.nii.gz"]),
        (SEGMENT.replace("--model", "data/e-t1.nii.gz --model"), ["2 modalities (flair, t1)", "3"]),
        (f"{SEGMENT} --model none", ["none", "folder"]),
        (f"{SEGMENT} -o mask.png", ["-o mask.png", "NIfTI", ".nii.gz"]),
        (f"{SEGMENT} --audit 2", ["--audit", "between 0 and 1"]),
        (f"{SEGMENT} --spacing 0", ["--spacing", "above 0"]),
        (f"{SEGMENT} --spacing 1 1", ["--spacing has 2", "three"]),
        (f"{SEGMENT} --spacing 0.0001", ["32767", "larger --spacing"]),
        (f"{SEGMENT} --shape 30000 30000 30000", ["memory", "smaller --shape"]),
        (f"{SEGMENT} --spacing 1 --shape 8 8 8", ["--shape", "--spacing"]),
        (f"{SEGMENT} --smooth 5", ["--smooth", "--mesh"]),
        (f"{SEGMENT} --audit-seed 5", ["--audit-seed", "--audit"]),
        (f"{SEGMENT} --mesh mesh-{{class}}.stl", ["--mesh mesh-1.stl", ".ply"]),
        (f"{SEGMENT} --mesh mesh.stl", ["--mesh mesh.stl", "PLY or OBJ", ".ply"]),
        (f"{SEGMENT} -o data/../data/e-t1.nii.gz", ["-o data/../data/e-t1.nii.gz", "images", "overwrite"]),
        (f"{SEGMENT} --mesh data/e-t1.nii.gz", ["--mesh data/e-t1.nii.gz", "images", "overwrite"]),
        (f"{SEGMENT} -o m.nii --mesh m.nii", ["--mesh m.nii", "mask", "overwrite"]),
        (f"{SEGMENT} --mesh data/own.csv/m.ply", ["data/own.csv/m.ply", "Not a directory"]),
        (f"{SEGMENT} -o data/own.csv/mask.nii.gz", ["data/own.csv/mask.nii.gz", "Not a directory"]),
        (f"{SEGMENT} -o .nii.gz", ["-o .nii.gz", "such as mask.nii.gz"]),
        (f"{SEGMENT} -o data/.nii", ["-o data/.nii", "such as mask.nii"]),
        (f"{SEGMENT} --mesh .ply", ["--mesh .ply", "such as mask.ply"]),
        (f"{SEGMENT} --mesh folder.ply", ["folder.ply", "it is a folder"]),
        (f"{SEGMENT} --extraction fast", ["'fast'", "dense"]),
        (f"{SEGMENT} --extraction paper-prior", ["mise or dense"]),
        (f"{SEGMENT} --device banana", ["--device banana", "cuda"]),
        (f"{SEGMENT} --max-slices 4", ["--max-slices", "omit"]),
        ("fits c --shape 32 32 32", ["required", "--memory"]),
        ("fits e --shape 32 32 32 --memory 16", ["'e'", "a, b, c, d"]),
        (f"{FITS} --shape 8 8 8", ["encoder_channels", "fewer"]),
        (f"{FITS} --shape 32 32", ["--shape", "3"]),
        (f"{FITS} --shape 32 32 0", ["--shape", "above 0"]),
        (f"{FITS} --memory 16TB", ["--memory", "16TB", "16GB"]),
        (f"{FITS} --precision half", ["--precision", "'half'"]),
        (f"{FITS} --set recipe.epochs=3", ["--set recipe", "network."]),
        (f"{FITS} --set network.width=3", ["model c", "width"]),
        ("fits unet3d --shape 32 32 32 --memory 16 --locations 9", ["unet3d", "locations"]),
    ],
)
def test_it_is_named(
    command: str,
    words: list[str],
    refused: Callable[..., None],
    place: Path,
    tiny: Callable[[str], dict[str, Any]],
    as_options: Callable[..., list[str]],
) -> None:
    (place / "folder.ply").mkdir()
    arguments = command.split()
    if command.startswith(TRAIN):
        arguments[1:1] = as_options(tiny("c"))
    refused(arguments, *words)


def test_a_training_that_could_not_be_written_is_refused_before_its_data_are_made(
    refused: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ossnet.cli.train.open_with_progress", lambda *_: pytest.fail("the data were opened"))
    refused([*TRAIN.split(), "--data", "glioma", "--out", "data/own.csv/run"], "data/own.csv/run", "Not a directory")
