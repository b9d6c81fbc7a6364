"""What the commands do; how they refuse mistakes is in test_bad_options, test_bad_files and test_learned_cases."""

import re
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

Capture = pytest.CaptureFixture[str]
Learned = Callable[[str], Any]

IMAGES = ["data/e-flair.nii.gz", "data/e-t1.nii.gz"]


def segment(run: Path | str, *options: str) -> np.ndarray:
    command = ["segment", *IMAGES, "--model", str(run), "-o", "mask.nii.gz", "--device", "cpu"]
    assert main([*command, *options]) == 0
    return read_label("mask.nii.gz")[0]


COMMANDS = ("train", "evaluate", "pool", "segment", "models", "fits", "import-released", "export-released")
OF_DATA = (["data", "check"], ["data", "prepare"])


@pytest.mark.parametrize("command", [[], *([name] for name in COMMANDS), *OF_DATA])
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


def test_a_training_tells_how_far_it_is_and_what_came_of_it(learned: Learned) -> None:
    training = learned("c")
    assert training.out.startswith(f"{training.run}: best epoch ")
    assert "paper protocol" in training.out
    lines = training.err.splitlines()
    assert all(line.startswith("training c on own: 0 %, ") for line in lines[:4])
    counts = [re.findall(r"\d of \d", line) for line in lines[:4]]
    assert counts == [["1 of 3"], ["2 of 3"], ["3 of 3"], ["1 of 1"]]
    assert lines[-1].startswith("training c on own: done in ")


@pytest.mark.parametrize("model", ["c", "unet3d"])
def test_a_mask_is_what_was_scored_and_lies_on_its_images(
    model: str, learned: Learned, place: Path, capsys: Capture
) -> None:
    run = str(learned(model).run)
    assert main(["evaluate", run, "--data", "data/own.csv", "--out", "scores.csv", "--device", "cpu"]) == 0
    scores = pd.read_csv("scores.csv")
    assert scores["quantity"].tolist() == list(SCORES)
    dice = scores["value"][0]
    assert dice > 0.8
    assert f"mean dice: {dice:.4f} over 1 of 1 cases" in capsys.readouterr().out

    segmentation = segment(run, "--mesh", "surface.ply")
    captured = capsys.readouterr()
    _, affine = read_label("mask.nii.gz")
    source = nibabel.load(IMAGES[0])
    assert segmentation.shape == source.shape
    np.testing.assert_array_equal(affine, source.affine)
    np.testing.assert_array_equal(np.unique(segmentation), [0, 1])
    voxels = np.count_nonzero(segmentation)
    # A voxel is 2 x 1 x 1.5 mm.
    assert captured.out.startswith(f"mask.nii.gz: {voxels} voxels, {voxels * 0.003:.1f} ml, ")
    assert captured.err == ""
    surface = (place / "surface.ply").read_bytes()
    assert surface.startswith(b"ply\n")
    label, _ = read_label("data/e-label.nii.gz")
    assert 2 * (segmentation & label).sum() / (segmentation.sum() + label.sum()) == pytest.approx(dice)

    write_volume("joined.nii", np.stack([nibabel.load(image).get_fdata() for image in IMAGES]), affine)
    assert main(["segment", "joined.nii", "--model", run, "-o", "again.nii", "--device", "cpu"]) == 0
    np.testing.assert_array_equal(read_label("again.nii")[0], segmentation)
    np.testing.assert_array_equal(read_label("again.nii")[1], affine)
    # The only class is the foreground.
    segment(run, "--mesh", "surface-{class}.ply")
    assert (place / "surface-1.ply").read_bytes() == surface


def test_nothing_is_reported_in_mm_or_ml_without_a_known_spacing(place: Path, capsys: Capture) -> None:
    for file in ("flair", "t1", "label"):
        path = place / "data" / f"e-{file}.nii.gz"
        write_volume(path, nibabel.load(path).get_fdata(), np.eye(4))
    assert main(["evaluate", "run", "--data", "data/own.csv", "--device", "cpu"]) == 0
    told = capsys.readouterr().out
    assert "mean hausdorff95: nan over 0 of 1 cases" in told
    assert "1 cases have no scores in mm or ml" in told
    segment("run", "--mesh", "m.obj")
    told = capsys.readouterr().out
    assert "voxels, of unknown size" in told
    assert "m.obj: in voxels" in told
    assert (place / "m.obj").read_text().startswith("# coordinates in voxels\n")
    assert " ml" not in told


@pytest.mark.parametrize(
    ("model", "some", "others"),
    [
        ("c", "--extraction mise", "--extraction dense"),
        ("c", "--extraction mise", "--extraction mise --max-locations 100"),
        ("unet2d-depth", "--max-slices 1", "--max-slices 5"),
    ],
)
@pytest.mark.usefixtures("place")
def test_a_mask_does_not_depend_on_its_passes(model: str, some: str, others: str, learned: Learned) -> None:
    first, second = (segment(learned(model).run, *options.split()) for options in (some, others))
    np.testing.assert_array_equal(first, second)


@pytest.mark.usefixtures("place")
def test_an_audit_is_printed_and_changes_nothing(learned: Learned, capsys: Capture) -> None:
    plain = segment(learned("c").run, "--extraction", "adaptive")
    summary = capsys.readouterr().out
    audited = segment(learned("c").run, "--extraction", "adaptive", "--audit", "0.01")
    np.testing.assert_array_equal(audited, plain)
    first, audit = capsys.readouterr().out.splitlines(keepends=True)
    assert first == summary
    sampled, skipped, differing, bound = re.findall(r"\d+(?:\.\d+)?(?:e-\d+)?", audit)[:4]
    # Without a miss, about 3 / 0.01 samples reach 0.01.
    assert 200 < int(sampled) < 300
    assert int(skipped) == plain.size - sum(map(int, re.findall(r"(\d+)(?= \+| locations)", summary)))
    assert (float(bound) <= 0.01) is (int(differing) == 0)


def test_an_empty_segmentation_has_no_surface(place: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ossnet.field.VoxelField.__call__", lambda self, locations: torch.zeros(len(locations)))
    assert not segment("run", "--mesh", "mesh.ply").any()
    captured = capsys.readouterr()
    assert captured.err == ""
    summary, note = captured.out.splitlines()
    assert summary.startswith("mask.nii.gz: 0 voxels")
    assert note.startswith("mesh.ply: not written")
    assert not (place / "mesh.ply").exists()


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (KeyboardInterrupt(), 130, ["interrupted", "same command"]),
        (torch.OutOfMemoryError("CUDA out of memory"), 2, ["memory", "--max-locations", "recipe.batch_size"]),
    ],
)
def test_a_training_that_ends_early_says_how_to_go_on(
    error: BaseException,
    status: int,
    words: list[str],
    learned: Learned,
    tmp_path: Path,
    capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> None:
        raise error

    command = [*learned("c").command, "--out", str(tmp_path / "run")]
    monkeypatch.setattr("ossnet.training.batches.BatchMaker.begin", fail)
    assert main(command) == status
    told = capsys.readouterr().err
    assert re.fullmatch(r"ossnet: .*\n", told)
    assert [word for word in words if word not in told] == []


def test_what_fits_is_told_by_the_status_too(capsys: Capture) -> None:
    command = ["fits", "a", "--shape", "32", "24", "16", "--modalities", "2", "--set", "network.encoder_channels=[4,8]"]
    command += ["--set", "network.decoder_width=32", "--set", "network.patch_size=3"]
    # The learned activation is many operations, whose predictions take time and add nothing here.
    command += ["--set", "network.decoder_blocks=1", "--set", "network.activation=gelu"]
    assert main([*command, "--memory", "8GiB", "--locations", "512"]) == 0
    title, *told = capsys.readouterr().out.splitlines()
    assert title == "model a, predicted for a GPU of 8.59 GB"
    phases = ["training (batch 1, 512 ", "inference (512 ", "extraction mise (512 "]
    for line, phase in zip(told, phases, strict=True):
        assert re.fullmatch(rf"{re.escape(phase)}.*: 0\.0.*: fits", line)

    assert main([*command, "--memory", "0.6", "--checkpointing", "--precision", "bfloat16"]) == 1
    _, training, no_better, inference, *_ = capsys.readouterr().out.splitlines()
    assert training.startswith("training (batch 1, 16384 locations, checkpointing, bfloat16): ")
    assert no_better.endswith(": --set recipe.sampling.count=256")
    assert inference.startswith("inference (16384 locations, bfloat16): ")


@pytest.mark.usefixtures("place")
def test_what_fits_advises_is_taken_by_the_commands(learned: Learned) -> None:
    command = [*learned("c").command, "--out", "advised"]
    for setting in ("checkpointing=true", "precision=bfloat16", "epochs=1", "steps_per_epoch=2"):
        command += ["--set", f"recipe.{setting}"]
    assert main(command) == 0
    masks = []
    for precision in ([], ["--precision", "bfloat16"], ["--precision", "float32"]):
        masks.append(segment("advised", *precision))
        assert main(["evaluate", "advised", "--data", "data/own.csv", *precision]) == 0
        used = pd.read_csv("advised/scores-test.csv")["precision"].unique().tolist()
        # A model is used as it was trained, unless it is said otherwise.
        assert used == (precision[1:] or ["bfloat16"])
    np.testing.assert_array_equal(masks[0], masks[1])
