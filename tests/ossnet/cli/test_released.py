"""Checkpoints of the released code through the command line, and evaluation by every protocol."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from ossnet.cli.__main__ import main
from ossnet.data.nifti import read_label

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def imported(
    half_space: Callable[[Path, str], Path],
    brats_release: Callable[[Path, Sequence[int]], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """The folder to work in: BraTS in `brats`, a checkpoint in `c.pt`, and in `run` the run that it became."""
    monkeypatch.chdir(tmp_path)
    brats_release(tmp_path / "brats", [1, 2])
    half_space(tmp_path / "c.pt", "ossnet-c")
    assert main(["import-released", "c.pt", "--variant", "ossnet-c", "--dataset", "brats", "-o", "run"]) == 0
    return tmp_path


@pytest.mark.usefixtures("imported")
def test_an_imported_run_is_taken_by_every_command(capsys: Capture) -> None:
    images = [f"brats/BraTS20_Training_001/BraTS20_Training_001_{name}.nii" for name in ("flair", "t1", "t1ce", "t2")]
    assert main(["segment", *images, "--model", "run", "-o", "mask.nii.gz", "--device", "cpu"]) == 0
    mask, _ = read_label("mask.nii.gz")
    # Two voxels of padding come before the first, and index 31.5 is the surface.
    assert mask[30:].all()
    assert not mask[:30].any()
    assert main(["export-released", "run", "-o", "again.pt"]) == 0
    capsys.readouterr()
    assert main(["fits", "run", "--memory", "16GiB", "--locations", "512"]) == 0
    assert capsys.readouterr().out.startswith("model c, predicted")
    assert main(["fits", "run", "--shape", "64", "64", "48", "--memory", "16GiB"]) == 2
    assert main(["fits", "c", "--memory", "16GiB"]) == 2
    assert all("--shape" in line for line in capsys.readouterr().err.splitlines())


@pytest.mark.usefixtures("imported")
def test_all_protocols_score_the_cases_that_the_released_code_lists(capsys: Capture) -> None:
    command = ["evaluate", "run", "--data", "brats:brats", "--device", "cpu"]
    assert main([*command, "--protocol", "paper", "released", "dense"]) == 0
    assert "protocol released\n" in capsys.readouterr().out
    scores = pd.read_csv("run/scores-validation.csv")
    assert list(dict.fromkeys(scores["protocol"])) == ["paper", "released", "dense"]
    assert set(scores["case"]) == {"BraTS20_Training_001"}
    assert set(scores["role_in_training"]) == {"validation"}
    iou = scores[scores["quantity"] == "iou"].set_index("protocol")["value"]
    # 40 of the case's 60 planes are labelled, 30 are found. On the prepared grid of 64 x 64 x 48 it is half of all
    # planes that are found, and the released code draws none of the last planes of any axis.
    common, labelled = 30 * 60 * 43, 40 * 60 * 43
    assert iou["dense"] == pytest.approx(30 / 40)
    assert iou["paper"] == pytest.approx(common / (labelled + 32 * 64 * 48 - common), abs=0.006)
    assert iou["released"] == pytest.approx(common / (labelled + 31 * 63 * 47 - common), abs=0.006)


@pytest.mark.usefixtures("imported")
def test_cases_that_released_weights_may_have_learned_from_are_refused(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ["evaluate", "run", "--data", "brats-released:brats", "--split", "train", "--device", "cpu"]
    assert main(command) == 2
    assert "BraTS20_Training_002" in capsys.readouterr().err
    assert main([*command, "--allow-learned-cases", "--protocol", "paper"]) == 0
    scores = pd.read_csv("run/scores-train.csv")
    assert set(scores["role_in_training"]) == {"train"}
    columns = {
        name: f"brats/BraTS20_Training_001/BraTS20_Training_001_{name}.nii" for name in ("flair", "t1", "t1ce", "t2")
    }
    own = {"name": "x", **columns, "label": "brats/BraTS20_Training_001/BraTS20_Training_001_seg.nii", "split": "test"}
    pd.DataFrame([own]).to_csv("own.csv", index=False)
    # The case is a copy under another name.
    monkeypatch.setattr("ossnet.data.brats.GRID", (60, 60, 43))
    assert main(["evaluate", "run", "--data", "own.csv", "--device", "cpu"]) == 2
    assert "--allow-learned-cases" in capsys.readouterr().err


@pytest.mark.usefixtures("imported")
def test_a_training_that_starts_from_released_weights_has_learned_from_their_cases(
    brats_release: Callable[[Path, Sequence[int]], Path],
    as_options: Callable[[dict[str, Any]], list[str]],
    capsys: Capture,
) -> None:
    brats_release(Path("brats"), [1, 2, 3, 4])
    rows = ["name,flair,t1,t1ce,t2,label,split"]
    for number, row in ((3, "new,{},train"), (4, "held,{},test")):
        parts = ("flair", "t1", "t1ce", "t2", "seg")
        case = f"brats/BraTS20_Training_{number:03d}/BraTS20_Training_{number:03d}"
        rows.append(row.format(",".join(f"{case}_{part}.nii" for part in parts)))
    Path("own.csv").write_text("\n".join(rows))
    settings = {
        "network": {"encoder_channels": [4, 4, 4], "decoder_width": 8, "decoder_blocks": 2, "patch_size": 3},
        "preprocessing": {"shape": [64, 64, 48]},
        "recipe": {"epochs": 1, "steps_per_epoch": 1, "batch_size": 2, "sampling": {"count": 64}},
    }
    train = ["train", "--data", "own.csv", "--profile", "released", "--model", "c", "--start", "run", "--out", "next"]
    assert main([*train, "--device", "cpu", *as_options(settings)]) == 0
    evaluate = ["evaluate", "next", "--device", "cpu", "--data"]
    assert main([*evaluate, "own.csv"]) == 0
    assert set(pd.read_csv("next/scores-test.csv")["role_in_training"]) == {"unseen"}
    assert main([*evaluate, "brats-released:brats"]) == 0
    assert set(pd.read_csv("next/scores-validation.csv")["role_in_training"]) == {"validation"}
    capsys.readouterr()
    assert main([*evaluate, "brats-released:brats", "--split", "train"]) == 2
    assert "BraTS20_Training_002" in capsys.readouterr().err
    # The cases of LiTS that released weights have learned from are known to nobody.
    record = json.loads(Path("next/cases.json").read_text())
    assert record["released"] == "brats2020"
    Path("next/cases.json").write_text(json.dumps(record | {"released": "lits"}))
    assert main([*evaluate, "own.csv"]) == 2
    assert "--allow-learned-cases" in capsys.readouterr().err
    assert main([*evaluate, "own.csv", "--allow-learned-cases"]) == 0
    assert set(pd.read_csv("next/scores-test.csv")["role_in_training"]) == {"unknown"}


def test_a_trained_model_is_scored_by_the_protocols_that_are_asked_for(place: Path, capsys: Capture) -> None:
    command = ["evaluate", "run", "--data", "data/own.csv", "--device", "cpu", "--out", "scores.csv"]
    assert main(command) == 0
    dense = capsys.readouterr().out
    assert main([*command, "--protocol", "dense", "released", "dense"]) == 0
    out = capsys.readouterr().out
    assert "".join(dense.splitlines(keepends=True)[:-1]) in out
    # No data set of the paper is called like this one.
    assert "BraTS" in out.splitlines()[0]
    scores = pd.read_csv("scores.csv")
    assert set(scores[scores["protocol"] == "released"]["evaluated"]) == {2**17}
    values = scores.set_index(["protocol", "quantity"])["value"]
    assert scores["role_in_training"].unique().tolist() == ["unseen"]
    assert values["released"].index.tolist() == ["dice", "iou"]
    assert values["released", "dice"] == pytest.approx(values["dense", "dice"], abs=0.05)
    # A training on LiTS decides, whatever the scored data set is called.
    spec = json.loads(Path("run/spec.json").read_text())
    Path("run/spec.json").write_text(json.dumps(spec | {"dataset": "lits"}))
    capsys.readouterr()
    assert main([*command, "--protocol", "released"]) == 0
    assert "BraTS" not in capsys.readouterr().out
    assert set(pd.read_csv("scores.csv")["evaluated"]) == {2**14}
