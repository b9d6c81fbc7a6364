"""A transfer from trainings to a table and a figure, on a data set of one's own that shares a modality."""

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.__main__ import main
from benchmarks.runs.plan import PlannedRun
from ossnet.data.nifti import write_label, write_volume
from ossnet.errors import UserError
from ossnet.training.learned_labels import write_label_names
from paper_figures.__main__ import main as draw

Capture = pytest.CaptureFixture[str]
Transfer = Callable[..., int]
AFFINE = np.diag([-2.0, -1.0, 1.5, 1.0])


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three cases with a bright box in two modalities: one to train on, one to test, one without a label."""
    folder = tmp_path_factory.mktemp("real")
    random = np.random.default_rng(1)
    rows = ["name,t1c,t1,label,split"]
    for shift, (name, split) in enumerate({"y": "train", "x": "test", "z": "test"}.items()):
        label = np.zeros((14, 12, 11), dtype=bool)
        label[3 + shift : 9 + shift, 3:9, 2:8] = True
        for modality in ("t1c", "t1"):
            write_volume(folder / f"{name}-{modality}.nii.gz", label + random.normal(0, 0.1, label.shape), AFFINE)
        write_label(folder / f"{name}-label.nii.gz", label, AFFINE)
        labelled = "" if name == "z" else f"{name}-label.nii.gz"
        rows.append(f"{name},{name}-t1c.nii.gz,{name}-t1.nii.gz,{labelled},{split}")
    (folder / "real.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder / "real.csv"


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results folder of the module, in which nothing is trained twice."""
    return tmp_path_factory.mktemp("transfer")


@pytest.fixture(scope="module")
def run_transfer(data_csv: Path, tiny_profile: Path, forkserver: None, results: Path) -> Transfer:
    """Transfer OSS-Net C of one seed from the tiny data set."""
    profile = results / "one.toml"
    profile.write_text(f'base = "{tiny_profile}"\nseeds = [0]\n', encoding="utf-8")
    options = ["--data", str(data_csv), "--profile", str(profile), "--results", str(results), "--models", "c"]
    return lambda target, *more: main(["transfer", str(target), *options, *more])


def rows(results: Path, name: str) -> list[dict[str, Any]]:
    path = results / "transfer" / f"transfer-{name}-one.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_a_transfer_has_every_training_and_is_made_once(
    run_transfer: Transfer, results: Path, real: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ("--modalities", "t1", "--train-on-target")
    assert run_transfer(real, *options) == 0
    printed = capsys.readouterr().out
    records = rows(results, "own-to-real-t1")
    assert [(row["columns"]["trained_on"], row["columns"]["cases"]) for row in records] == [
        *(("own", "own"), ("own", "real"), ("real", "real"), ("own, then real", "real")),
    ]
    assert [list(row["scores"]["dice"]) for row in records] == [["e"], ["x", "y"], ["x"], ["x"]]
    trainings = [row["spec"]["training"] for row in records]
    assert all(training["modalities"] == ["t1"] for training in trainings)
    assert [training["dataset"] for training in trainings] == ["own", "own", "real", "real"]
    (first,) = (results / "trainings").glob("own-*")
    assert [training.get("start", "")[:12] for training in trainings] == ["", "", "", first.name[-12:]]
    seen = [json.loads(path.read_text())["train"] for path in (results / "trainings").glob("real-*/cases.json")]
    assert sorted(map(len, seen)) == [1, 4]

    def refuse(*_: object) -> None:
        raise AssertionError("nothing is left to make")

    monkeypatch.setattr("benchmarks.commands.transfer.Sweep", refuse)
    assert run_transfer(real, *options) == 0
    assert capsys.readouterr().out == printed
    table = results / "transfer" / "transfer-own-to-real-t1-one.md"
    before = table.read_text(encoding="utf-8")
    assert main(["collect", "--results", str(results)]) == 0
    assert str(table) in capsys.readouterr().out
    assert table.read_text(encoding="utf-8") == before
    assert [path.name[-5:] for path in sorted((results / "transfer" / "images").iterdir())] == ["x.npz", "y.npz"]
    assert draw(["transfer", "--results", str(results)], reference=None) == 0
    assert (results / "figures" / "transfer-own-to-real-t1-one.pdf").exists()


def test_what_cannot_be_transferred_is_told_in_a_line(
    run_transfer: Transfer, real: Path, data_csv: Path, tmp_path: Path, capsys: Capture
) -> None:
    namesake = shutil.copytree(real.parent, tmp_path / "other") / "own.csv"
    namesake.with_name("real.csv").rename(namesake)
    for options, words in (
        ((data_csv,), ["is the data set that the models are trained on"]),
        ((namesake,), [str(namesake), "both called own"]),
        ((real,), ["no flair", "t1c, t1", "--modalities"]),
        ((real, "--modalities", "t2"), ["no t2", "flair, t1"]),
        ((real, "--modalities", "t1", "--workers", "0"), ["--workers 0"]),
        ((tmp_path / "none.csv",), ["none.csv"]),
    ):
        assert run_transfer(*options) == 2
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        assert all(word in error for word in words)


def test_cases_that_a_model_has_learned_from_are_not_scored(
    run_transfer: Transfer, results: Path, data_csv: Path, tmp_path: Path
) -> None:
    # The training cases under other names, in another order of modalities.
    _, *lines = [line.split(",") for line in data_csv.read_text().splitlines()]
    copy = tmp_path / "copy.csv"
    table = [["name", "t1", "label", "split"]]
    for name, _, t1, label, _ in lines:
        table.append([f"new-{name}", str(data_csv.parent / t1), str(data_csv.parent / label), "test"])
    copy.write_text("".join(",".join(row) + "\n" for row in table))
    assert run_transfer(copy, "--modalities", "t1") == 1
    own, transferred = rows(results, "own-to-copy-t1")
    assert "result" in own
    assert "new-a" in transferred["failure"]
    assert "the voxels of the training case a" in transferred["failure"]


def test_what_labels_mean_is_compared_with_the_record_of_a_training_and_what_is_not_is_told_once(
    real: Path, data_csv: Path, tiny_profile: Path, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned: list[PlannedRun] = []

    def only_plan(runs: Sequence[PlannedRun], _: object) -> None:
        planned.extend(runs)
        raise UserError("planned")

    monkeypatch.setattr("benchmarks.commands.transfer._make", only_plan)
    profile = tmp_path / "three.toml"
    profile.write_text(
        f'base = "{tiny_profile}"\nseeds = [0, 1]\n[every.preprocessing]\nclasses = 3\n', encoding="utf-8"
    )
    places = ["--data", str(data_csv), "--profile", str(profile), "--results", str(tmp_path)]

    def told() -> list[str]:
        assert main(["transfer", str(real), *places, "--models", "c", "--modalities", "t1"]) == 2
        *lines, last = capsys.readouterr().err.splitlines()
        assert last.endswith(": planned")
        return lines

    (line,) = told()
    assert [word for word in ("1, 2", "data set own", "data set real") if word not in line] == []
    trainings = {one.run.trained_in for one in planned if one.run.trained_in is not None}
    assert len(trainings) == 2
    for folder in trainings:
        folder.mkdir(parents=True)
        write_label_names(folder, {1: "box", 2: "rim"})
    (line,) = told()
    assert "data set real" in line
    assert "own" not in line
