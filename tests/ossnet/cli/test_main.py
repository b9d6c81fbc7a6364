"""What the commands do; how they refuse mistakes is in test_mistakes.py."""

import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pandas as pd
import pytest
import torch

from ossnet.cli.__main__ import main
from ossnet.data.nifti import read_label, write_volume
from ossnet.evaluation.quantities import SCORES
from ossnet.registry import model_names
from ossnet.training.checkpoint import load_checkpoint

Capture = pytest.CaptureFixture[str]
LEARN = {
    "recipe": {
        **{"epochs": 8, "steps_per_epoch": 6, "optimization": {"learning_rate": 0.03}},
        "sampling": {"count": 512, "strategy": "border", "border_width": 5},
    }
}


@pytest.fixture
def train_command(
    as_options: Callable[[dict[str, Any]], list[str]],
    tiny: Callable[[str], dict[str, Any]],
    data_csv: Path,
    tmp_path: Path,
) -> Callable[..., list[str]]:
    def command(model: str, out: Path, changes: dict[str, Any]) -> list[str]:
        settings = [*as_options(tiny(model)), *as_options(changes)]
        return [
            "train",
            "--data",
            str(data_csv),
            "--model",
            model,
            "--out",
            str(out),
            "--device",
            "cpu",
            "--cache",
            str(tmp_path / "cache"),
            *settings,
        ]

    return command


@pytest.mark.parametrize("command", [[], ["train"], ["evaluate"], ["segment"], ["models"], ["fits"]])
def test_every_command_has_help(command: list[str], capsys: Capture) -> None:
    with pytest.raises(SystemExit) as caught:
        main([*command, "--help"])
    assert caught.value.code == 0
    captured = capsys.readouterr()
    assert captured.out.startswith(" ".join(["usage: ossnet", *command]))
    assert "%%" not in captured.out
    assert "%(" not in captured.out
    assert captured.err == ""


def test_models_lists_all(capsys: Capture) -> None:
    assert main(["models"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == model_names()
    assert {"a", "b", "c", "d", "onet", "unet3d", "unet2d-height", "unet2d-width", "unet2d-depth"} <= set(model_names())
    assert all(len(line.split()) > 2 for line in lines)


@pytest.mark.parametrize("model", ["c", "unet3d"])
def test_train_evaluate_segment(
    model: str, train_command: Callable[..., list[str]], data_csv: Path, tmp_path: Path, capsys: Capture
) -> None:
    run, mask = tmp_path / "run", tmp_path / "mask.nii.gz"
    assert main(train_command(model, run, LEARN)) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith(f"{run}: best epoch ")
    assert "paper protocol" in captured.out
    assert f"training {model} on own: done in " in captured.err

    assert main(["evaluate", str(run), "--data", str(data_csv), "--device", "cpu"]) == 0
    scores = pd.read_csv(run / "scores-test.csv")
    assert scores["quantity"].tolist() == list(SCORES)
    dice = scores["value"][0]
    assert dice > 0.8
    assert f"mean dice: {dice:.4f} over 1 of 1 cases" in capsys.readouterr().out

    images = [str(data_csv.parent / f"e-{modality}.nii.gz") for modality in ("flair", "t1")]
    mesh = tmp_path / "surface.ply"
    assert main(["segment", *images, "--model", str(run), "-o", str(mask), "--mesh", str(mesh), "--device", "cpu"]) == 0
    captured = capsys.readouterr()
    segmentation, affine = read_label(mask)
    source = nibabel.load(images[0])
    assert segmentation.shape == source.shape
    np.testing.assert_array_equal(affine, source.affine)
    np.testing.assert_array_equal(np.unique(segmentation), [0, 1])
    voxels = np.count_nonzero(segmentation)
    # A voxel is 2 x 1 x 1.5 mm.
    assert captured.out.startswith(f"{mask}: {voxels} voxels, {voxels * 0.003:.1f} ml, ")
    assert captured.err == ""
    assert mesh.read_bytes().startswith(b"ply\n")
    # What was evaluated is what is written.
    label, _ = read_label(data_csv.parent / "e-label.nii.gz")
    assert 2 * (segmentation & label).sum() / (segmentation.sum() + label.sum()) == pytest.approx(dice)

    joined = tmp_path / "joined.nii"
    write_volume(joined, np.stack([nibabel.load(image).get_fdata() for image in images]), affine)
    again = tmp_path / "again.nii"
    assert main(["segment", str(joined), "--model", str(run), "-o", str(again), "--device", "cpu"]) == 0
    np.testing.assert_array_equal(read_label(again)[0], segmentation)
    np.testing.assert_array_equal(read_label(again)[1], affine)


def test_nothing_is_reported_in_mm_or_ml_without_a_known_spacing(
    train_command: Callable[..., list[str]],
    make_data: Callable[[Path], Path],
    tmp_path: Path,
    capsys: Capture,
) -> None:
    table, run = make_data(tmp_path), tmp_path / "run"
    for file in ("flair", "t1", "label"):
        path = tmp_path / f"e-{file}.nii.gz"
        write_volume(path, nibabel.load(path).get_fdata(), np.eye(4))
    command = train_command("unet3d", run, LEARN)
    command[command.index("--data") + 1] = str(table)
    assert main(command) == 0
    capsys.readouterr()
    assert main(["evaluate", str(run), "--data", str(table), "--device", "cpu"]) == 0
    told = capsys.readouterr().out
    assert "mean hausdorff95: nan over 0 of 1 cases" in told
    assert "1 cases have no scores in mm or ml" in told
    images = [str(tmp_path / f"e-{modality}.nii.gz") for modality in ("flair", "t1")]
    mesh = tmp_path / "m.obj"
    command = ["segment", *images, "--model", str(run), "-o", str(tmp_path / "m.nii"), "--mesh", str(mesh)]
    assert main([*command, "--device", "cpu"]) == 0
    told = capsys.readouterr().out
    assert "voxels, of unknown size" in told
    assert f"{mesh}: in voxels" in told
    assert mesh.read_text().startswith("# coordinates in voxels\n")
    assert " ml" not in told


def test_sparse_extraction_and_any_number_of_locations_give_the_mask(
    train_command: Callable[..., list[str]], data_csv: Path, tmp_path: Path
) -> None:
    assert main(train_command("c", tmp_path / "run", LEARN)) == 0
    masks = []
    for number, options in enumerate((["mise"], ["dense"], ["mise", "--max-locations", "100"])):
        output = tmp_path / f"{number}.nii"
        images = [str(data_csv.parent / f"e-{modality}.nii.gz") for modality in ("flair", "t1")]
        command = ["segment", *images, "--model", str(tmp_path / "run"), "-o", str(output), "--extraction", *options]
        assert main([*command, "--device", "cpu"]) == 0
        masks.append(read_label(output)[0])
    assert all(np.array_equal(mask, masks[0]) for mask in masks)


def test_training_shows_that_cases_are_being_prepared(
    train_command: Callable[..., list[str]], tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ossnet.progress.LINE_INTERVAL_S", 0.0)
    assert main(train_command("c", tmp_path / "run", {"recipe": {"epochs": 1}})) == 0
    lines = capsys.readouterr().err.splitlines()
    assert all(line.startswith("training c on own: 0 %, ") for line in lines[:4])
    counts = [re.findall(r"\d of \d", line) for line in lines[:4]]
    assert counts == [["1 of 3"], ["2 of 3"], ["3 of 3"], ["1 of 1"]]


def test_an_interrupted_training_says_how_to_go_on(
    train_command: Callable[..., list[str]], tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("ossnet.training.batches.BatchMaker.begin", interrupt)
    assert main(train_command("c", tmp_path / "run", {})) == 130
    captured = capsys.readouterr()
    assert captured.err.startswith("ossnet: interrupted; ")
    assert "same command" in captured.err
    assert captured.err.count("\n") == 1


@pytest.mark.parametrize("error", [MemoryError(), torch.OutOfMemoryError("CUDA out of memory")])
def test_out_of_memory_says_what_to_lower(
    error: Exception,
    train_command: Callable[..., list[str]],
    tmp_path: Path,
    capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("ossnet.training.batches.BatchMaker.begin", fail)
    assert main(train_command("c", tmp_path / "run", {})) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("ossnet: out of memory; ")
    assert "--max-locations" in captured.err
    assert "recipe.batch_size" in captured.err


KILLED_IN_STEP_11 = """
import os, signal, sys
from itertools import count

from ossnet.training.batches import BatchMaker
from ossnet.cli.__main__ import main

steps, begin = count(1), BatchMaker.begin

def begin_or_die(*arguments):
    if next(steps) == 11:
        os.kill(os.getpid(), signal.SIGKILL)
    return begin(*arguments)

BatchMaker.begin = begin_or_die
main(sys.argv[1:])
"""


def test_a_killed_training_goes_on_exactly(train_command: Callable[..., list[str]], tmp_path: Path) -> None:
    longer = {"recipe": {"epochs": 6, "steps_per_epoch": 3}}
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    threads = ["--threads", str(torch.get_num_threads())]
    command = [*train_command("c", killed, longer), *threads]
    done = subprocess.run([sys.executable, "-c", KILLED_IN_STEP_11, *command], stderr=subprocess.DEVNULL, check=False)
    assert done.returncode == -signal.SIGKILL
    assert len(load_checkpoint(killed / "checkpoint.pt")["history"]) == 3

    assert main(command) == 0
    assert main([*train_command("c", whole, longer), *threads]) == 0
    assert (killed / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()
    first, second = (load_checkpoint(folder / "checkpoint.pt") for folder in (killed, whole))
    assert all(torch.equal(first["model"][name], second["model"][name]) for name in first["model"])
    columns = ["epoch", "loss", "dice", "iou"]
    pd.testing.assert_frame_equal(*(pd.read_csv(folder / "history.csv")[columns] for folder in (killed, whole)))


FITS = [
    *("fits", "a", "--shape", "32", "24", "16", "--modalities", "2", "--set", "network.encoder_channels=[4, 8]"),
    *("--set", "network.decoder_width=32", "--set", "network.patch_size=3"),
]


def test_fits_is_told_by_the_status_too(capsys: Capture) -> None:
    assert main([*FITS, "--memory", "8GiB", "--locations", "512"]) == 0
    title, training, inference, extraction = capsys.readouterr().out.splitlines()
    assert title == "model a, predicted for a GPU of 8.59 GB"
    assert training.startswith("training (batch 1, 512 locations, float32): 0.0")
    assert inference.startswith("inference (512 locations, float32): 0.0")
    assert extraction.startswith("extraction mise (512 locations, float32): 0.0")
    assert all(line.endswith(" with the CUDA context: fits") for line in (training, inference, extraction))

    assert main([*FITS, "--memory", "0.6", "--checkpointing", "--precision", "bfloat16"]) == 1
    _, training, no_better, inference, _, _, _ = capsys.readouterr().out.splitlines()
    assert training.startswith("training (batch 1, 16384 locations, checkpointing, bfloat16): ")
    assert no_better == "  nor does it with all that lowers it: --set recipe.sampling.count=256"
    assert inference.startswith("inference (16384 locations, bfloat16): ")


def test_slices_a_pass_change_no_segmentation(
    train_command: Callable[..., list[str]], data_csv: Path, tmp_path: Path
) -> None:
    run, masks = tmp_path / "run", [tmp_path / f"{slices}.nii" for slices in (1, 5)]
    assert main([*train_command("unet2d-depth", run, {}), "--set", "recipe.epochs=1"]) == 0
    images = [str(data_csv.parent / f"e-{modality}.nii.gz") for modality in ("flair", "t1")]
    for mask in masks:
        assert main(["segment", *images, "--model", str(run), "-o", str(mask), "--max-slices", mask.stem]) == 0
    one, five = (read_label(mask)[0] for mask in masks)
    np.testing.assert_array_equal(one, five)
    assert main(["evaluate", str(run), "--data", str(data_csv), "--max-slices", "3"]) == 0


def test_what_fits_advises_is_taken_by_the_commands(
    train_command: Callable[..., list[str]], data_csv: Path, tmp_path: Path, capsys: Capture
) -> None:
    options = ["--set", "recipe.checkpointing=true", "--set", "recipe.precision=bfloat16", "--set", "recipe.epochs=1"]
    run, masks = tmp_path / "run", [tmp_path / f"{name}.nii" for name in ("default", "bfloat16", "float32")]
    assert main([*train_command("c", run, {}), *options]) == 0
    images = [str(data_csv.parent / f"e-{modality}.nii.gz") for modality in ("flair", "t1")]
    for mask, precision in zip(masks, ([], ["--precision", "bfloat16"], ["--precision", "float32"]), strict=True):
        assert main(["segment", *images, "--model", str(run), "-o", str(mask), *precision]) == 0
        assert main(["evaluate", str(run), "--data", str(data_csv), *precision]) == 0
        used = pd.read_csv(run / "scores-test.csv")["precision"].unique().tolist()
        # A model is used as it was trained, unless it is said otherwise.
        assert used == (precision[1:] or ["bfloat16"])
    default, rounded, _ = (read_label(mask)[0] for mask in masks)
    np.testing.assert_array_equal(default, rounded)
