"""A user's mistake ends every command with status 2 and one line that names it, and leaves nothing behind.

Of a message, tests look for the file or option, and for the word of the remedy, not for the sentence.
"""

import json
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pandas as pd
import pytest
import torch

from ossnet.cli.__main__ import main
from ossnet.data.case import Case, Dataset
from ossnet.data.nifti import read_image, write_label, write_volume
from ossnet.data.table import table_dataset
from ossnet.training.profile import Profile
from ossnet.training.run import RunSpec, read_spec, train_run

Spoil = Callable[[Path], object]


@pytest.fixture(scope="module")
def trained(tiny_spec: Callable[..., RunSpec], dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    spec = tiny_spec("unet3d", changes={"recipe": {"epochs": 1}})
    train_run(spec, dataset, folder / "run", folder / "cache", torch.device("cpu"), lambda *_: None)
    return folder / "run"


@pytest.fixture
def place(trained: Path, data_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder to work in: a data set of one's own in `data`, a trained model in `run`."""
    shutil.copytree(data_csv.parent, tmp_path / "data")
    shutil.copytree(trained, tmp_path / "run")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def files(folder: Path) -> dict[str, bytes]:
    """All files but the cache of whole prepared cases."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and (path.name.startswith(".") or "results/cache" not in str(path))
    }


def refused(command: Sequence[str], place: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """The message of a command that should be refused."""
    before = files(place)
    assert main(command) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("ossnet: ")
    assert captured.err.count("\n") == 1
    assert captured.err.endswith("\n")
    assert files(place) == before
    return captured.err


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


def empty(path: Path) -> None:
    image, affine = read_image([path])
    write_label(path, 0 * image[0], affine)


def no_nifti(path: Path) -> None:
    path.write_text("no image")


BAD_FILES: list[tuple[Spoil, str]] = [
    (Path.unlink, ""),
    (cut, "NIfTI"),
    (no_nifti, "NIfTI"),
    (with_nan, r"1 NaN .*\(1, 2, 3\)"),
    (smaller, r"\(11, 14, 10\)"),
    (elsewhere, "affines"),
]


@pytest.mark.parametrize(("spoil", "pattern"), BAD_FILES)
def test_segment_names_a_bad_image(spoil: Spoil, pattern: str, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spoil(place / "data" / "e-t1.nii.gz")
    command = ["segment", "data/e-flair.nii.gz", "data/e-t1.nii.gz", "--model", "run", "-o", "mask.nii.gz"]
    error = refused(command, place, capsys)
    assert "data/e-t1.nii.gz" in error
    assert re.search(pattern, error)


@pytest.mark.parametrize(("spoil", "pattern"), BAD_FILES)
@pytest.mark.parametrize("file", ["b-t1.nii.gz", "d-flair.nii.gz"])
def test_train_names_a_bad_image(
    file: str,
    spoil: Spoil,
    pattern: str,
    place: Path,
    capsys: pytest.CaptureFixture[str],
    train_options: list[str],
) -> None:
    spoil(place / "data" / file)
    error = refused(["train", "--model", "c", "--data", "data/own.csv", "--out", "new", *train_options], place, capsys)
    assert f"data/{file}" in error
    assert re.search(pattern, error)


@pytest.fixture
def train_options(as_options: Callable[..., list[str]], tiny: Callable[[str], dict[str, Any]]) -> list[str]:
    return as_options(tiny("c"))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (smaller, ["case b", "label", "(11, 14, 10)", "(12, 14, 10)"]),
        (elsewhere, ["data/b-label.nii.gz", "data/b-flair.nii.gz", "affines"]),
        (cut, ["data/b-label.nii.gz", "NIfTI"]),
        (Path.unlink, ["data/b-label.nii.gz"]),
    ],
)
def test_train_names_a_bad_label(
    spoil: Spoil, words: list[str], place: Path, capsys: pytest.CaptureFixture[str], train_options: list[str]
) -> None:
    spoil(place / "data" / "b-label.nii.gz")
    command = ["train", "--model", "c", "--data", "data/own.csv", "--out", "new", *train_options]
    error = refused(command, place, capsys)
    assert [word for word in words if word not in error] == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("--model e", ["'e'", "a, b, c, d"]),
        ("--data cases.csv", ["cases.csv"]),
        ("--data brain", ["'brain'", "glioma or liver"]),
        ("--data brats:none", ["none"]),
        ("--profile desktop", ["'desktop'", "laptop"]),
        ("--set recipe.epoch=3", ["recipe.epoch:", "epochs"]),
        ("--set recipes.epochs=3", ["'recipes'", "recipe."]),
        ("--set network.width=3", ["model c", "width"]),
        ("--set recipe.epochs=many", ["recipe.epochs"]),
        ("--set recipe=3", ["'recipe'", "recipe."]),
        ("--set recipe.epochs", ["--set recipe.epochs", "KEY=VALUE"]),
        ("--set =3", ["--set =3", "KEY=VALUE"]),
        ("--set [=3", ["--set [=3", "TOML"]),
        ("--set preprocessing.shape=[8,8,8] --set network.encoder_channels=[4]", ["(8, 8, 8)", "shape", "fit"]),
        ("--set network.encoder_channels=[4,4,4,4]", ["encoder_channels", "fewer"]),
        ("--seed -1", ["seed", "greater"]),
        ("--seed one", ["--seed", "'one'"]),
        ("--device banana", ["--device banana", "cuda"]),
        ("--device cuda:99", ["--device cuda:99", "cpu"]),
        ("--device meta", ["--device meta", "cuda"]),
        ("--threads 0", ["--threads", "above 0"]),
        ("--epochs 3", ["--epochs 3"]),
        ("--out run", ["run", "another folder"]),
        ("--out data/own.csv", ["data/own.csv", "Not a directory", "another folder"]),
        ("--cache data/own.csv", ["data/own.csv/voxels", "another folder"]),
    ],
)
def test_train_names_a_bad_option(
    options: str, words: list[str], place: Path, capsys: pytest.CaptureFixture[str], train_options: list[str]
) -> None:
    command = ["train", "--model", "c", "--data", "data/own.csv", "--out", "new", *train_options, *options.split()]
    error = refused(command, place, capsys)
    assert [word for word in words if word not in error] == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("none --data data/own.csv", ["none", "folder"]),
        ("data --data data/own.csv", ["data", "folder"]),
        ("run --data none.csv", ["none.csv"]),
        ("run --data data/own.csv --split tets", ["--split", "'tets'"]),
        ("run --data data/own.csv --extraction fast", ["'fast'", "dense"]),
        ("run --data data/own.csv --extraction paper-prior", ["mise or dense"]),
        ("run --data data/own.csv --tolerance-mm wide", ["--tolerance-mm", "'wide'"]),
        ("run --data data/own.csv --max-locations 0", ["--max-locations", "above 0"]),
        ("run", ["required", "--data"]),
    ],
)
def test_evaluate_names_a_bad_option(
    options: str, words: list[str], place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    error = refused(["evaluate", *options.split()], place, capsys)
    assert [word for word in words if word not in error] == []


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (",e-label.nii.gz,test", ",,test", ["case e", "label"]),
        (",test", ",train", ["own", "test", "--split"]),
        ("flair,t1,label", "t2,t1,label", ["own", "t2, t1", "flair, t1"]),
    ],
)
def test_evaluate_names_bad_data(
    old: str, new: str, words: list[str], place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = place / "data" / "own.csv"
    table.write_text(table.read_text().replace(old, new))
    error = refused(["evaluate", "run", "--data", "data/own.csv"], place, capsys)
    assert [word for word in words if word not in error] == []


def test_evaluate_names_the_cache_that_it_cannot_write(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "file").touch()
    command = ["evaluate", "run", "--data", "data/own.csv", "--cache", "file/cache"]
    error = refused(command, place, capsys)
    assert "file/cache" in error
    assert "--cache" in error


def test_evaluate_refuses_cases_that_the_model_has_learned_from(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    learned = refused(["evaluate", "run", "--data", "data/own.csv", "--split", "train"], place, capsys)
    assert "3 of the 3 cases in split train of data set own" in learned
    # Copied, uncompressed, of another type of number, under other names and beside a case that is new.
    for kind, dtype in (("flair", np.float64), ("t1", np.float32), ("label", np.int16)):
        image = nibabel.load(place / "data" / f"b-{kind}.nii.gz")
        values = np.asanyarray(image.dataobj).astype(dtype)
        nibabel.save(nibabel.Nifti1Image(values, image.affine), place / "data" / f"copy-{kind}.nii")
    (place / "data" / "other.csv").write_text(
        "name,flair,t1,label,split\n"
        "new,e-flair.nii.gz,e-t1.nii.gz,e-label.nii.gz,test\n"
        "x,copy-flair.nii,copy-t1.nii,copy-label.nii,test\n"
    )
    command = ["evaluate", "run", "--data", "data/other.csv"]
    error = refused(command, place, capsys)
    assert "1 of the 2 cases in split test of data set other" in error
    assert ": x;" in error
    shutil.rmtree(place / "results" / "cache")
    other = table_dataset("data/other.csv")
    loaded: list[str] = []

    def load(name: str) -> Case:
        loaded.append(name)
        return other.load(name)

    monkeypatch.setattr("ossnet.cli.__main__.open_dataset", lambda *_, **__: replace(other, load=load))
    assert main([*command, "--allow-learned-cases"]) == 0
    # Allowed, no case is read only to be compared.
    assert loaded == ["new", "x"]
    scores = pd.read_csv(place / "run" / "scores-test.csv")
    assert dict(zip(scores["case"], scores["role_in_training"], strict=True)) == {"new": "unseen", "x": "train"}


def test_evaluate_takes_a_changed_data_set_of_cases_that_are_new(place: Path) -> None:
    table = place / "data" / "own.csv"
    table.write_text(table.read_text().replace("a,a-flair", "z,a-flair"))
    assert main(["evaluate", "run", "--data", "data/own.csv"]) == 0
    assert main(["evaluate", "run", "--data", "data/own.csv", "--split", "validation"]) == 0
    assert set(pd.read_csv(place / "run" / "scores-validation.csv")["role_in_training"]) == {"validation"}


def test_a_training_without_a_record_of_its_cases_is_compared_by_its_data_set(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (place / "run" / "cases.json").unlink()
    command = ["evaluate", "run", "--data", "data/own.csv"]
    assert "split train" in refused([*command, "--split", "train"], place, capsys)
    assert main(command) == 0
    (place / "run" / "scores-test.csv").unlink()
    capsys.readouterr()
    table = place / "data" / "own.csv"
    table.write_text(table.read_text().replace("a-label.nii.gz,train", "a-label.nii.gz,test"))
    assert "--allow-learned-cases" in refused(command, place, capsys)
    assert main([*command, "--allow-learned-cases"]) == 0
    assert set(pd.read_csv(place / "run" / "scores-test.csv")["role_in_training"]) == {"unknown"}


def test_evaluate_refuses_embedded_cases_of_another_profile(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = {"shape": [16, 16, 16], "train": 0, "validation": 0, "test": 1}
    monkeypatch.setattr(Profile, "generator", lambda *_: sizes)
    command = ["evaluate", "run", "--data", "liver"]
    (place / "run" / "cases.json").unlink()
    # Whatever is refused, no case is made.
    assert "modalities" in refused(command, place, capsys)
    spec = place / "run" / "spec.json"
    values = json.loads(spec.read_text())
    spec.write_text(json.dumps(values | {"dataset": "liver", "modalities": ["ct"]}))
    monkeypatch.setattr("ossnet.training.run.load_run", lambda folder, _: (None, read_spec(folder)))
    assert "--allow-learned-cases" in refused(command, place, capsys)
    assert not (place / "results").exists()


def test_scores_that_cannot_be_written_are_named(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["evaluate", "run", "--data", "data/own.csv"]
    # Refused before any case is scored, which would print a line.
    assert "data/own.csv/scores.csv: Not a directory" in refused(
        [*command, "--out", "data/own.csv/scores.csv"], place, capsys
    )
    assert "data: it is a folder" in refused([*command, "--out", "data"], place, capsys)
    (place / "run" / "scores-test.csv").mkdir()
    assert "run/scores-test.csv: it is a folder" in refused(command, place, capsys)


def test_a_training_that_could_not_be_written_is_refused_before_its_data_are_made(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def make(*_: object) -> None:
        pytest.fail("the data were opened")

    monkeypatch.setattr("ossnet.cli.__main__.open_with_progress", make)
    command = ["train", "--model", "c", "--data", "glioma", "--out", "data/own.csv/run"]
    assert "data/own.csv/run: Not a directory" in refused(command, place, capsys)


BOTH = "data/e-flair.nii.gz data/e-t1.nii.gz"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("data/e-flair.nii.gz --model run -o mask.nii.gz", ["2 modalities (flair, t1)", "data/e-flair.nii.gz"]),
        (f"{BOTH} data/e-t1.nii.gz --model run -o mask.nii.gz", ["2 modalities (flair, t1)", "3"]),
        (f"{BOTH} --model none -o mask.nii.gz", ["none", "folder"]),
        (f"{BOTH} --model run -o mask.png", ["-o mask.png", "NIfTI", ".nii.gz"]),
        (f"{BOTH} --model run -o mask.nii.gz --mesh mesh.stl", ["--mesh mesh.stl", "PLY or OBJ", ".ply"]),
        (f"{BOTH} --model run -o data/../data/e-t1.nii.gz", ["-o data/../data/e-t1.nii.gz", "images", "overwrite"]),
        (f"{BOTH} --model run -o m.nii --mesh data/e-t1.nii.gz", ["--mesh data/e-t1.nii.gz", "images", "overwrite"]),
        (f"{BOTH} --model run -o m.nii --mesh m.nii", ["--mesh m.nii", "mask", "overwrite"]),
        (f"{BOTH} --model run -o m.nii --mesh data/own.csv/m.ply", ["data/own.csv/m.ply", "Not a directory"]),
        (f"{BOTH} --model run -o data/own.csv/mask.nii.gz", ["data/own.csv/mask.nii.gz", "Not a directory"]),
        (f"{BOTH} --model run -o .nii.gz", ["-o .nii.gz", "such as mask.nii.gz"]),
        (f"{BOTH} --model run -o data/.nii", ["-o data/.nii", "such as mask.nii"]),
        (f"{BOTH} --model run -o m.nii --mesh .ply", ["--mesh .ply", "such as mask.ply"]),
        (f"{BOTH} --model run -o m.nii --mesh folder.ply", ["folder.ply", "it is a folder"]),
        (f"{BOTH} --model run -o mask.nii.gz --extraction fast", ["'fast'", "dense"]),
        (f"{BOTH} --model run -o mask.nii.gz --extraction paper-prior", ["mise or dense"]),
        (f"{BOTH} --model run -o mask.nii.gz --device banana", ["--device banana", "cuda"]),
        (f"{BOTH} --model run -o mask.nii.gz --max-slices 4", ["--max-slices", "omit"]),
        (f"{BOTH} --model run", ["required", "--output"]),
        (f"{BOTH} --model run -o mask.nii.gz --colour red", ["--colour red"]),
    ],
)
def test_segment_names_a_bad_option(
    options: str, words: list[str], place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (place / "folder.ply").mkdir()
    error = refused(["segment", *options.split()], place, capsys)
    assert [word for word in words if word not in error] == []


def test_a_damaged_record_of_learned_cases_is_named(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cut(place / "run" / "cases.json")
    assert "run/cases.json" in refused(["evaluate", "run", "--data", "data/own.csv"], place, capsys)


def test_train_refuses_data_without_any_foreground(
    place: Path, capsys: pytest.CaptureFixture[str], train_options: list[str]
) -> None:
    for name in "abc":
        empty(place / "data" / f"{name}-label.nii.gz")
    command = ["train", "--model", "c", "--data", "data/own.csv", "--out", "new", *train_options]
    assert "foreground" in refused(command, place, capsys)


@pytest.mark.parametrize("file", ["spec.json", "model.safetensors"])
def test_a_damaged_run_is_named(file: str, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cut(place / "run" / file)
    assert "run" in refused(["segment", *BOTH.split(), "--model", "run", "-o", "mask.nii.gz"], place, capsys)


def test_a_damaged_checkpoint_is_named(
    place: Path, capsys: pytest.CaptureFixture[str], train_options: list[str]
) -> None:
    command = ["train", "--model", "c", "--data", "data/own.csv", "--out", "new", *train_options]
    assert main(command) == 0
    capsys.readouterr()
    cut(place / "new" / "checkpoint.pt")
    error = refused(command, place, capsys)
    assert "new/checkpoint.pt" in error
    assert "delete" in error


def test_an_empty_segmentation_has_no_surface(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ossnet.field.VoxelField.__call__", lambda self, locations: torch.zeros(len(locations)))
    command = ["segment", *BOTH.split(), "--model", "run", "-o", "mask.nii.gz", "--mesh", "mesh.ply"]
    assert main(command) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    summary, note = captured.out.splitlines()
    assert summary.startswith("mask.nii.gz: 0 voxels")
    assert note.startswith("mesh.ply: not written")
    assert not read_image(["mask.nii.gz"])[0].any()
    assert not (place / "mesh.ply").exists()


@pytest.mark.parametrize("command", [[], ["trian"], ["models", "extra"]])
def test_an_unknown_command_is_one_line(command: list[str], place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "--help" in refused(command, place, capsys)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("e --shape 32 32 32 --memory 16", ["'e'", "a, b, c, d"]),
        ("c --shape 8 8 8 --memory 16", ["encoder_channels", "fewer"]),
        ("c --shape 32 32 --memory 16", ["--shape", "3"]),
        ("c --shape 32 32 0 --memory 16", ["--shape", "above 0"]),
        ("c --shape 32 32 32", ["required", "--memory"]),
        ("c --shape 32 32 32 --memory 16TB", ["--memory", "16TB", "16GB"]),
        ("c --shape 32 32 32 --memory 16 --precision half", ["--precision", "'half'"]),
        ("c --shape 32 32 32 --memory 16 --set recipe.epochs=3", ["--set recipe", "network."]),
        ("c --shape 32 32 32 --memory 16 --set network.width=3", ["model c", "width"]),
        ("unet3d --shape 32 32 32 --memory 16 --locations 9", ["unet3d", "locations"]),
    ],
)
def test_fits_names_a_bad_option(
    options: str, words: list[str], place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    error = refused(["fits", *options.split()], place, capsys)
    assert [word for word in words if word not in error] == []
