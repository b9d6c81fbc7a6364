"""Data sets in every layout: checked, prepared, trained on for an epoch and scored; and folds of one of them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from ossnet.cli.__main__ import main
from ossnet.config import merge
from ossnet.data.folds import Fold
from ossnet.data.sources import FOLDERS
from ossnet.training.run import read_spec
from ossnet.training.seen_cases import read_seen_cases

Capture = pytest.CaptureFixture[str]
ONE_STEP = {"recipe": {"epochs": 1, "steps_per_epoch": 1, "batch_size": 1, "validation": {"every": 1}}}


@pytest.fixture
def options(
    tiny: Callable[[str], dict[str, Any]],
    as_options: Callable[[dict[str, Any]], list[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> list[str]:
    """Settings of a training of one step, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    return as_options(merge(tiny("c"), ONE_STEP))


def check_to_evaluate(tree: Any, options: list[str], *evaluate: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Check, prepare, train and evaluate, and return the table of `data check` and the scores."""
    assert main(["data", "check", tree.source, "--out", "check.csv"]) == 0
    checked = pd.read_csv("check.csv")
    assert len(checked) == 3
    assert set(checked["orientation"]) == {"LPS"}

    prepare = ["data", "prepare", tree.source, "--workers", "1", *options]
    assert main(prepare) == 0
    cases = list(Path("results/cache/prepared").glob("*/case.json"))
    times = {path: path.stat().st_mtime_ns for path in cases}
    train = ["train", "--data", tree.source, "--model", "c", "--out", "run", "--device", "cpu", *options]
    assert main(train) == 0
    seen = read_seen_cases(Path("run"))
    assert seen is not None
    assert len(cases) == len(seen.train) + len(seen.validation)
    assert {path: path.stat().st_mtime_ns for path in Path("results/cache/prepared").glob("*/case.json")} == times

    split = "validation" if tree.layout in ("brats", "lits") else "test"
    assert main(["evaluate", "run", "--data", tree.source, "--device", "cpu", *evaluate]) == 0
    scores = pd.read_csv(f"run/scores-{split}.csv")
    assert scores["case"].nunique() == 1
    assert read_spec(Path("run")).dataset.startswith(FOLDERS[tree.layout].name if tree.layout in FOLDERS else "own")
    return checked, scores


def test_every_layout_is_ready_for_training(tree: Any, options: list[str]) -> None:
    checked, _ = check_to_evaluate(tree, options)
    assert set(checked["shape"]) == {"12x14x10"}
    # The box has 144 voxels of 3 mm³.
    labels = {1: "1: 0.432 ml", 2: "1: 0.216 ml, 2: 0.216 ml"}
    brats = "1: 0.144 ml, 2: 0.144 ml, 4: 0.144 ml"
    expected = {
        **{"brats": brats, "brats2021": brats, "brats2023": brats.replace("4:", "3:"), "lits": labels[2]},
    }.get(tree.layout, labels[1])
    assert set(checked["labels"]) == {expected}


RESIZED = ["--set", "preprocessing.fit=resize", "--set", "preprocessing.shape=[32,32,32]"]


def test_every_layout_of_real_cases_is_ready_for_training(real_tree: Any, options: list[str]) -> None:
    checked, scores = check_to_evaluate(real_tree, [*options, *RESIZED], "--protocol", "paper")
    assert set(checked["shape"]) == {"240x240x155"}
    # One glioma has 9281, 14907 and 0 voxels of 1 mm³ with the labels 1, 2 and 4, the other 2477, 20862 and 6840.
    brats = {"1: 9.281 ml, 2: 14.91 ml", "1: 2.477 ml, 2: 20.86 ml, 4: 6.84 ml"}
    lits = {"1: 9.281 ml, 2: 14.91 ml", "1: 2.477 ml, 2: 27.7 ml"}
    expected = {
        **{"brats": brats, "brats2021": brats, "brats2023": {labels.replace("4:", "3:") for labels in brats}},
        "lits": lits,
    }.get(real_tree.layout, {"1: 24.19 ml", "1: 30.18 ml"})
    assert set(checked["labels"]) == expected
    assert set(scores["quantity"]) == {"dice", "iou"}
    assert scores["value"].between(0, 1).all()


def test_no_layout_is_left_out(make_tree: Any) -> None:
    assert {*make_tree.layouts} == {*FOLDERS, "csv"} - {"brats-released"}


def test_folds_are_trained_scored_and_pooled(
    make_tree: Callable[..., Any], options: list[str], tmp_path: Path, capsys: Capture
) -> None:
    source = make_tree("folders", tmp_path / "toy").source
    data = ["--data", source, "--device", "cpu"]
    for fold in range(3):
        assert main(["train", "--model", "c", *data, "--folds", "3", "--fold", str(fold), *options]) == 0
        run = Path(f"results/runs/folders-toy-c-seed0-fold{fold}of3")
        assert read_spec(run).fold == Fold(fold, 3)
        # The fold is that of the run, whether or not a part of it is given.
        assert main(["evaluate", str(run), *data, *[[], ["--folds", "3"], ["--fold", "2"]][fold]]) == 0
    runs = [str(run) for run in sorted(Path("results/runs").iterdir())]
    capsys.readouterr()
    assert main(["pool", *runs, "--out", "pooled.csv"]) == 0
    assert "mean_over_folds" in capsys.readouterr().out
    pooled = pd.read_csv("pooled.csv")
    dice = pooled[pooled["quantity"] == "dice"]
    assert sorted(dice["case"]) == ["case_0", "case_1", "case_2"]
    assert sorted(dice["fold"]) == [0, 1, 2]
    assert set(dice["role_in_training"]) == {"unseen"}
    # Each is prepared once, whatever folds it is in.
    assert len(list(Path("results/cache/prepared").glob("*/case.json"))) == 3

    record = Path(runs[0]) / "cases.json"
    text = record.read_text()
    image = json.loads(text)["train"]["case_1"]
    record.write_text(text.replace(image, image[::-1]))
    assert main(["pool", *runs]) == 2
    assert "different images under the name of case case_1" in capsys.readouterr().err
    record.write_text(text)
    assert main(["pool", *runs[:2]]) == 2
    assert "--fold 2" in capsys.readouterr().err
    assert main(["pool", *runs, runs[0]]) == 2
    # Of the other folds, one holds out what the first model has learned from, and one what its epoch was chosen on.
    others = [["evaluate", runs[0], *data, "--folds", "3", "--fold", fold] for fold in "12"]
    assert [main(command) for command in others] == [2, 2]
    assert main([*others[0], "--allow-learned-cases"]) == 0
    assert main(["pool", *runs]) == 2
    assert "fold 0" in capsys.readouterr().err
    # Another file under the name of a case makes other cases, of which there is no such fold.
    labels = tmp_path / "toy" / "labels"
    (labels / "case_0.nii.gz").write_bytes((labels / "case_1.nii.gz").read_bytes())
    assert main(["evaluate", runs[0], *data]) == 2
    assert "--split-file" in capsys.readouterr().err
    assert main(["evaluate", runs[0], *data, "--split-file", f"{runs[0]}/splits.csv"]) == 0


def test_patients_stay_together_and_a_run_is_scored_on_its_own_split(
    make_tree: Callable[..., Any], options: list[str], tmp_path: Path
) -> None:
    tree = make_tree("csv", tmp_path / "toy")
    rows = [
        f"{name},imagesTr/case_{case}.nii.gz,labelsTr/case_{case}.nii.gz,{patient}"
        for name, case, patient in zip("abcd", (0, 1, 2, 2), ("P", "Q", "P", ""), strict=True)
    ]
    (tree.folder / "own.csv").write_text("\n".join(["name,t1,label,patient", *rows]))
    Path("splits.csv").write_text("name,split\na,train\nc,train\nb,test\n")
    train = ["train", "--model", "c", "--data", tree.source, "--device", "cpu", *options]
    assert main([*train, "--folds", "3", "--fold", "0", "--out", "fold"]) == 0
    of_case = dict(pd.read_csv("fold/splits.csv").itertuples(index=False, name=None))
    assert sorted(of_case) == list("abcd")
    assert of_case["a"] == of_case["c"]
    assert len(set(of_case.values())) == 3
    assert main([*train, "--split-file", "splits.csv", "--out", "run"]) == 0
    Path("splits.csv").unlink()
    assert main(["evaluate", "run", "--data", tree.source, "--device", "cpu"]) == 0
    assert set(pd.read_csv("run/scores-test.csv")["case"]) == {"b"}


@pytest.mark.parametrize(
    "wrong",
    [
        ["--folds", "3"],
        ["--fold", "0"],
        ["--folds", "3", "--fold", "3"],
        ["--folds", "3", "--fold", "-1"],
        ["--folds", "1", "--fold", "0"],
        ["--folds", "4", "--fold", "0"],
        ["--folds", "3", "--fold", "0", "--split-file", "splits.csv"],
        ["--split-file", "nothing.csv"],
    ],
)
def test_wrong_splits_are_refused(
    wrong: list[str], make_tree: Callable[..., Any], options: list[str], tmp_path: Path, capsys: Capture
) -> None:
    source = make_tree("folders", tmp_path / "toy").source
    assert main(["data", "prepare", source, *wrong, *options]) == 2
    message = capsys.readouterr().err
    assert "--fold" in message or "nothing.csv" in message
    assert not Path("results").exists()


def test_one_bad_case_hides_no_other(
    make_tree: Callable[..., Any], options: list[str], tmp_path: Path, capsys: Capture
) -> None:
    tree = make_tree("nnunet", tmp_path / "toy")
    image = tree.folder / "imagesTr" / "case_1_0001.nii.gz"
    image.write_bytes(image.read_bytes()[:-50])
    assert main(["data", "check", tree.source, "--out", "check.csv"]) == 1
    assert pd.read_csv("check.csv")["usable"].tolist() == ["yes", "no", "yes"]
    out = capsys.readouterr().out
    assert str(image) in out
    assert "2 of 3 cases" in out
    Path("splits.csv").write_text("name,split\ncase_0,train\ncase_1,train\ncase_2,validation\n")
    assert main(["data", "prepare", tree.source, "--split-file", "splits.csv", "--workers", "1", *options]) == 1
    captured = capsys.readouterr()
    assert str(image) in captured.err
    assert "2 of 3 cases" in captured.out
    assert len(list(Path("results/cache/prepared").glob("*/case.json"))) == 2


def test_synthetic_data_have_no_files_to_check(options: list[str], capsys: Capture) -> None:
    assert main(["data", "check", "liver"]) == 2
    assert "synthetic" in capsys.readouterr().err
