import os
from pathlib import Path

import numpy as np
import pytest

from benchmarks.report.figure_case import write_figure_case
from benchmarks.runs.plan import Plan
from benchmarks.runs.run_folder import Run
from paper_figures.segmentations import load

LABEL = np.zeros((4, 5, 6), bool)
LABEL[1:3, 1:4, 2:5] = True


def finish(run: Run, dice: float | None = None) -> None:
    run.folder.mkdir(parents=True)
    np.savez_compressed(
        run.folder / "case.npz",
        **{"case": np.array("e"), "modality": np.array("flair"), "image": np.ones((4, 5, 6), np.float32)},
        **{"label": LABEL, "prediction": np.roll(LABEL, run.seed, 0), "affine": np.eye(4)},
        dice=np.array(0.5 + run.seed / 10 if dice is None else dice),
    )
    (run.folder / "result.json").write_text("{}")


def plan_of(folder: Path, models: list[str]) -> Plan:
    runs = [Run(folder / "runs" / f"{model}{seed}", model, seed) for model in models for seed in (1, 2)]
    return Plan("table2", "own", "laptop", tuple(runs))


def test_it_is_each_models_first_seed_in_the_order_of_the_plan(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, ["unet3d", "d"])
    for run in plan.runs[1:]:
        finish(run)
    write_figure_case(plan, tmp_path)
    case = load(tmp_path / "table2-own-laptop.npz")
    assert (case.name, case.modality) == ("e", "flair")
    assert case.dice == {"unet3d": 0.7, "d": 0.6}
    np.testing.assert_array_equal(case.predictions["d"], np.roll(LABEL, 1, 0))


def test_nothing_is_written_where_nothing_is_done_or_one_model_stands_alone(tmp_path: Path) -> None:
    write_figure_case(plan_of(tmp_path, ["c", "d"]), tmp_path)
    alone = plan_of(tmp_path, ["c"])
    finish(alone.runs[0])
    write_figure_case(alone, tmp_path)
    assert not list(tmp_path.glob("*.npz"))


@pytest.mark.parametrize("dice", [None, np.nan])
def test_what_would_come_out_the_same_is_left_alone(dice: float | None, tmp_path: Path) -> None:
    plan = plan_of(tmp_path, ["c", "d"])
    path = tmp_path / "table2-own-laptop.npz"
    finish(plan.runs[1], dice)
    write_figure_case(plan, tmp_path)
    os.utime(path, (0, 0))
    write_figure_case(plan, tmp_path)
    assert path.stat().st_mtime == 0
    finish(plan.runs[0])
    write_figure_case(plan, tmp_path)
    assert load(path).dice == {"c": 0.6}
    assert path.stat().st_mtime > 0
