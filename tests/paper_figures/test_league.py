"""Dice against costs under each budget, with Pareto fronts."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from paper_figures.league import COSTS, Budget, draw, is_dominated, is_optimal, read_budgets
from paper_figures.style import MODEL_COLOURS

# By model: Dice, bytes of the training and seconds of a segmentation.
MODELS = {"c": (0.7, 1e9, 0.5), "unet3d": (0.8, 4e9, 2.0), "onet": (0.6, 2e9, 0.1), "a": (0.5, 4e9, 3.0)}


@pytest.fixture
def folder(tmp_path: Path, write_records: Any) -> Path:
    runs = [(model, seed, {"budget": "time"}, dice) for model, (dice, *_) in MODELS.items() for seed in (0, 1)]
    runs += [("b", seed, {"budget": "memory"}, "OOM") for seed in (0, 1)]
    runs += [("c", 0, {"budget": "memory"}, 0.4), ("c", 1, {"budget": "memory"}, "the loss is NaN")]
    path = write_records(tmp_path, "league", [*runs, ("mine", 0, {"budget": "memory"}, None)])
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    for row in rows:
        _, size, seconds = MODELS.get(row["model"], MODELS["c"])
        row["training"] = {"provenance": {"memory": {"allocated_bytes": size}}}
        row["provenance"] = {"timing": {"extraction_s_median": seconds}}
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


def test_what_another_model_beats_in_nothing_is_optimal() -> None:
    models = pd.DataFrame.from_dict(MODELS, orient="index", columns=["value", "memory", "time"])
    assert dict(zip(models.index, is_dominated(models, ["memory", "time"]), strict=True)) == {
        **{"c": False, "unet3d": False, "onet": False, "a": True}
    }
    assert is_dominated(models, ["memory"]).tolist() == [False, False, True, True]
    assert is_dominated(models, ["time"]).tolist() == [False, False, False, True]
    # Equal ones do not beat each other.
    assert not is_dominated(models.loc[["c", "c"]], ["memory"]).any()


def test_what_has_learned_nothing_is_on_no_front_and_what_is_far_below_is_named() -> None:
    dice = {"c": (0.7, 0.6, 1.1), "iosnet": (0.0, -0.1, 0.1), "onet": (0.2, 0.1, 0.3), "d": (0.36, 0.3, 0.4)}
    models = pd.DataFrame.from_dict(dice, orient="index", columns=["value", "low", "high"])
    for name, costs in zip(COSTS, ([4e9, 1e9, 2e9, 5e9], [4.0, 1.0, 2.0, 5.0]), strict=True):
        models[name] = costs
    assert is_optimal(models, list(COSTS)).tolist() == [True, False, True, False]
    budget = Budget("Equal time", models, {})
    assert budget.is_shown.tolist() == [True, False, False, True]
    _, remark = budget.heading.splitlines()
    assert (remark.count("0.00"), remark.count("0.20"), remark.count("0.36")) == (1, 1, 0)
    axes, *_ = draw([budget]).axes
    assert 0.2 < axes.get_ylim()[0] < 0.36
    assert axes.lines[-1].get_ydata().tolist() == [0.2, 0.7]
    assert axes.lines[0].get_ydata().tolist() == [0.6, 1]
    assert len([line for line in axes.lines if line.get_marker() not in ("None", None)]) == 2


def test_a_panel_has_a_marker_for_each_model_and_a_front(folder: Path) -> None:
    (budgets,) = read_budgets(folder).values()
    assert [list(budget.models.index) for budget in budgets] == [["onet", "a", "c", "unet3d"], ["c"]]
    assert [budget.heading.splitlines()[2:] for budget in budgets] == [
        [],
        ["OOM: OSS-Net B; 1 of 2 seeds: OSS-Net C; no valid score: mine"],
    ]
    memory, time, *_ = draw(budgets).axes
    for axes, cost, front in ((memory, 1, ["c", "unet3d"]), (time, 2, ["onet", "c", "unet3d"])):
        markers = {line.get_color(): line for line in axes.lines if line.get_marker() not in ("None", None)}
        assert len(markers) == len(MODELS)
        unit = list(COSTS.values())[cost - 1][1]
        for model, numbers in MODELS.items():
            marker = markers[MODEL_COLOURS[model]]
            assert marker.get_xydata()[0].tolist() == pytest.approx([numbers[cost] / unit, numbers[0]])
            assert (marker.get_markerfacecolor() == "white") == (model == "a")
        step = axes.lines[-1]
        assert step.get_xdata().tolist() == pytest.approx([MODELS[model][cost] / unit for model in front])
