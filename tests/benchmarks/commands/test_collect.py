import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.commands import collect as collecting
from benchmarks.commands.collect import collect_studies
from benchmarks.markup import Table
from benchmarks.runs.plan import Plan
from benchmarks.runs.run_folder import Run, lock
from benchmarks.studies.registry import STUDIES
from benchmarks.study import Findings
from ossnet.errors import UserError

MODELS = ("onet", "c")
TRAINING = {"network": {}, "recipe": {"sampling": {"strategy": "uniform"}}}


def plan_of(results: Path, dataset: str = "glioma") -> Plan:
    runs = [Run(results / "runs" / f"{dataset}-{model}-{seed}", model, seed) for model in MODELS for seed in (0, 1)]
    return Plan("table2", dataset, "laptop", tuple(runs))


def finish(run: Run, dice: float) -> None:
    """Leave what a worker leaves, with two test cases."""
    run.prepare({"training": TRAINING | {"seed": run.seed}}, {})
    rows = [f"{case},dice,{dice + shift}," for case, shift in (("x", -0.1), ("y", 0.1))]
    (run.folder / "per_case.csv").write_text("\n".join(["case,quantity,value,unit", *rows]) + "\n")
    label = np.ones((2, 2, 2), bool)
    np.savez_compressed(
        run.folder / "case.npz",
        **{"case": np.array("x"), "modality": np.array("flair"), "image": label.astype(np.float32)},
        **{"label": label, "prediction": label, "dice": np.array(dice), "affine": np.eye(4)},
    )
    (run.folder / "result.json").write_text(json.dumps({"protocol": "dense"}))


def row(table: pd.DataFrame, model: str, dataset: str = "glioma") -> pd.Series:
    return table[(table["model"] == model) & (table["dataset"] == dataset)].iloc[0]


def test_the_paper_and_the_reference_stand_beside_ours(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "reference"
    for results, shift in ((ours, 0.0), (theirs, 0.05)):
        plan = plan_of(results)
        plan.write(results)
        for run, dice in zip(plan.runs, (0.5, 0.6, 0.7, 0.8), strict=True):
            finish(run, dice + shift)
    collect_studies([STUDIES["table2"]], theirs, None)
    assert collect_studies([STUDIES["table2"]], ours, theirs) == [ours / "tables" / "table2.md"]
    table = pd.read_csv(ours / "tables" / "table2.csv")
    found = row(table, "c")
    assert found["value"] == pytest.approx(0.75)
    assert found["best"] == pytest.approx(0.8)
    assert found["reference"] == pytest.approx(0.8)
    assert found["published"] == pytest.approx(0.8842)
    assert "Dice, reference" in (ours / "tables" / "table2.md").read_text()
    pairs = pd.read_csv(ours / "tables" / "table2-comparisons.csv")
    assert pairs["difference"].tolist() == pytest.approx([-0.2])
    assert (ours / "records" / "table2-glioma-laptop.npz").exists()


def test_several_data_sets_share_a_table(tmp_path: Path) -> None:
    for dataset, dice in (("glioma", 0.5), ("liver", 0.6)):
        plan = plan_of(tmp_path, dataset)
        plan.write(tmp_path)
        for run in plan.runs:
            finish(run, dice)
    collect_studies(list(STUDIES.values()), tmp_path)
    table = pd.read_csv(tmp_path / "tables" / "table2.csv")
    assert row(table, "c", "glioma")["value"] == pytest.approx(0.5)
    assert row(table, "c", "liver")["value"] == pytest.approx(0.6)
    # A study that was never begun has no table.
    assert not (tmp_path / "tables" / "table1.md").exists()


def test_failures_and_what_is_missing_are_shown_as_such(tmp_path: Path) -> None:
    plan = plan_of(tmp_path)
    plan.write(tmp_path)
    # A study that was only begun has no table.
    assert collect_studies(list(STUDIES.values()), tmp_path) == []
    assert not (tmp_path / "tables").exists()
    finish(plan.runs[0], 0.5)
    for run in plan.runs[2:]:
        run.prepare({}, {})
        run.fail("OOM")
    collect_studies([STUDIES["table2"]], tmp_path)
    lines = (tmp_path / "tables" / "table2.md").read_text().splitlines()
    (line,) = [line for line in lines if line.startswith("| O-Net |")]
    assert "0.500" in line
    for name, status in (("OSS-Net C", "OOM"), ("OSS-Net A", "not run")):
        (line,) = [line for line in lines if line.startswith(f"| {name} |")]
        assert line.endswith(f"| {status} |")


def test_waiting_in_vain_for_another_collection_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = plan_of(tmp_path)
    plan.write(tmp_path)
    finish(plan.runs[0], 0.5)
    monkeypatch.setattr(collecting, "PATIENCE_S", 0)
    with lock(tmp_path / "plans"), pytest.raises(UserError, match="another process has been collecting in"):
        collect_studies([STUDIES["table2"]], tmp_path)
    assert not (tmp_path / "tables").exists()
    assert collect_studies([STUDIES["table2"]], tmp_path) == [tmp_path / "tables" / "table2.md"]


def test_a_study_without_tables_does_not_keep_others_from_theirs(tmp_path: Path) -> None:
    for name in ("table1", "table2"):
        plan = replace(plan_of(tmp_path), study=name)
        plan.write(tmp_path)
    for run in plan.runs:
        finish(run, 0.5)

    def unequal(found: Findings) -> list[Table]:
        raise UserError("not tuned equally often")

    first = replace(STUDIES["table2"], layout=replace(STUDIES["table2"].layout, table="table1"), tables=unequal)
    with pytest.raises(UserError, match="table1: not tuned equally often"):
        collect_studies([first, STUDIES["table2"]], tmp_path)
    assert (tmp_path / "tables" / "table2.md").exists()
    assert not (tmp_path / "tables" / "table1.md").exists()
