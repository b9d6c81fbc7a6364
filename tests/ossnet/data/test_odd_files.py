"""Files as other programs write them, through `train`, `evaluate` and `segment`: the right numbers, or one clear line.

All are made here of one phantom: a bright ball in a grey head, 14x16x12 voxels of 2x2x3 mm. What needs no model is in
test_nifti_header.py and test_table.py: spoilt headers, names and compression, scaled labels, tables of other programs.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pandas as pd
import pytest

from ossnet.cli.__main__ import main
from ossnet.data.nifti import read_label

SHAPE = (14, 16, 12)
AFFINE = np.diag([-2.0, -2.0, 3.0, 1.0])
VOXEL_ML = 0.012

places = np.moveaxis(np.indices(SHAPE), 0, -1)
HEAD = (((places - (6.5, 7.5, 5.5)) / (6.5, 7.5, 5.5)) ** 2).sum(axis=-1) < 1
BALL = (((places - (6.0, 8.0, 6.0)) / (3.2, 3.2, 2.4)) ** 2).sum(axis=-1) < 1
IMAGE, LEARNED_IMAGE = (
    (400 * HEAD + 500 * BALL + 20 * np.random.default_rng(seed).standard_normal(SHAPE) * HEAD).astype(np.int16)
    for seed in (0, 1)
)


def save(
    path: Path,
    array: np.ndarray,
    unit: str = "mm",
    millimetres: float = 1.0,
    kind: type[nibabel.Nifti1Image] = nibabel.Nifti1Image,
) -> Path:
    """Save an array whose header is in a unit of so many millimetres."""
    image = kind(array, np.diag([*(np.diag(AFFINE)[:3] / millimetres), 1.0]))
    image.header.set_xyzt_units(unit)
    nibabel.save(image, path)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All odd images, labels and tables."""
    at = tmp_path_factory.mktemp("odd")
    plain = save(at / "plain.nii", IMAGE).read_bytes()
    save(at / "learned.nii", LEARNED_IMAGE)
    save(at / "label.nii.gz", BALL.astype(np.uint8))
    for unit, millimetres in (("micron", 0.001), ("meter", 1000.0)):
        save(at / f"{unit}.nii.gz", IMAGE, unit, millimetres)
        save(at / f"{unit}-label.nii.gz", BALL.astype(np.uint8), unit, millimetres)
    save(at / "nifti2.nii", IMAGE, kind=nibabel.Nifti2Image)
    nibabel.Nifti1Image(IMAGE, AFFINE, nibabel.Nifti1Header(endianness=">")).to_filename(at / "big-endian.nii")
    save(at / "one-channel.nii.gz", IMAGE[..., None])
    save(at / "vector-of-one.nii.gz", IMAGE[..., None, None])
    save(at / "double.nii.gz", IMAGE.astype(np.float64))

    padded = IMAGE.copy()
    padded[:2] = -32768
    save(at / "padding.nii.gz", padded)
    largest = IMAGE.astype(np.float32)
    largest[0] = np.finfo(np.float32).max
    save(at / "largest-float.nii.gz", largest)
    largest[0] = np.nan
    save(at / "nan.nii.gz", largest)
    (at / "cut.nii").write_bytes(plain[:-1])

    for name, image, label in (
        ("train", "learned.nii", "label.nii.gz"),
        ("micron", "micron.nii.gz", "micron-label.nii.gz"),
        ("metre", "meter.nii.gz", "meter-label.nii.gz"),
        ("mixed-units", "micron.nii.gz", "label.nii.gz"),
    ):
        split = "train" if name == "train" else "test"
        (at / f"{name}.csv").write_text(f"name,t1,label,split\na,{image},{label},{split}\n", encoding="utf-8")
    return at


@pytest.fixture(scope="module")
def run(
    folder: Path, as_options: Callable[[dict[str, Any]], list[str]], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The folder of a small model that finds the ball."""
    settings = {
        "preprocessing": {"shape": [16, 16, 16], "fit": "pad"},
        "network": {"encoder_channels": [8, 8], "decoder_channels": [8]},
        "recipe": {"epochs": 4, "steps_per_epoch": 8, "batch_size": 1, "optimization": {"learning_rate": 0.03}},
    }
    run = tmp_path_factory.mktemp("run")
    command = ["train", "--data", str(folder / "train.csv"), "--model", "unet3d", "--out", str(run)]
    assert main([*command, "--cache", str(run / "cache"), "--device", "cpu", *as_options(settings)]) == 0
    return run


def dice(segmentation: np.ndarray) -> float:
    return 2 * np.count_nonzero(segmentation.astype(bool) & BALL) / (np.count_nonzero(segmentation) + BALL.sum())


def segment(image: Path, run: Path, output: Path) -> int:
    return main(["segment", str(image), "--model", str(run), "-o", str(output), "--device", "cpu"])


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        *(("plain.nii", 2), ("micron.nii.gz", 3), ("meter.nii.gz", 1), ("nifti2.nii", 2), ("big-endian.nii", 0)),
        *(("one-channel.nii.gz", 2), ("vector-of-one.nii.gz", 2), ("double.nii.gz", 2)),
    ],
)
def test_the_ball_is_found_where_it_is(
    name: str, unit: int, folder: Path, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mask = tmp_path / "mask.nii.gz"
    assert segment(folder / name, run, mask) == 0
    captured = capsys.readouterr()
    segmentation, affine = read_label(mask)
    assert dice(segmentation) > 0.9
    voxels = np.count_nonzero(segmentation)
    assert captured.out.startswith(f"{mask}: {voxels} voxels, {voxels * VOXEL_ML:.1f} ml, ")
    assert captured.err == ""
    np.testing.assert_allclose(affine, AFFINE, rtol=1e-6)
    # The header has the unit and the numbers of the image's.
    header = nibabel.load(mask).header
    assert int(header["xyzt_units"]) % 8 == unit
    np.testing.assert_array_equal(header.get_best_affine(), nibabel.load(folder / name).affine)


@pytest.mark.parametrize("table", ["micron", "metre", "mixed-units"])
def test_the_ball_is_scored(table: str, folder: Path, run: Path, tmp_path: Path) -> None:
    scores = tmp_path / "scores.csv"
    options = ["--device", "cpu", "--cache", str(tmp_path), "--out", str(scores), "--tolerance-mm", "3"]
    assert main(["evaluate", str(run), "--data", str(folder / f"{table}.csv"), *options]) == 0
    value = pd.read_csv(scores).set_index("quantity")["value"]
    assert value["dice"] > 0.9
    assert value["hausdorff95"] in (0, 2, 3)
    assert value["surface_dice"] == 1


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("padding.nii.gz", "t1 has 384 voxels .* preprocessing.clip"),
        ("largest-float.nii.gz", "t1 has 192 voxels .* replace .* padding"),
        ("nan.nii.gz", r"192 NaN or infinite values, the first in channel 0 at voxel \(0, 0, 0\)"),
        ("cut.nii", "intact copy"),
        ("train.csv", "give a NIfTI file"),
    ],
)
def test_what_cannot_be_read_is_told_in_a_line(
    name: str, reason: str, folder: Path, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert segment(folder / name, run, tmp_path / "mask.nii.gz") == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert name in captured.err
    assert re.search(reason, captured.err)
    assert not (tmp_path / "mask.nii.gz").exists()
