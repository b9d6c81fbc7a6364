import json
import math
from pathlib import Path
from typing import Any

import pytest

from benchmarks.layout import Layout
from benchmarks.report.score_records import (
    Records,
    collect,
    failures_of,
    outdated,
    own_rows,
    read_records,
    records_of,
    scores_of,
)
from benchmarks.runs.plan import Plan
from benchmarks.runs.run_folder import Run, identity
from benchmarks.studies.table1 import TABLE1
from ossnet.errors import UserError

COLUMNS = {"sampling": "border", "locations": 8192}


def finish(run: Run, dice: dict[str, str]) -> None:
    run.prepare({"seed": run.seed}, {})
    rows = [f"{case},dice,{value}," for case, value in dice.items()]
    (run.folder / "per_case.csv").write_text("\n".join(["case,quantity,value,unit", *rows]) + "\n")
    (run.folder / "provenance.json").write_text(json.dumps({"seconds": 1.5}))
    (run.folder / "sampled.csv").write_text("protocol,case,quantity,value\npaper,x,dice,0.5\npaper,y,dice,\n")
    (run.folder / "result.json").write_text(json.dumps({"protocol": "dense"}))
    run.training.mkdir()
    (run.training / "provenance.json").write_text(json.dumps({"seconds": 30.0}))
    (run.training / "result.json").write_text(json.dumps({"parameters": 7}))


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    """One run that is done, one that failed, one that is missing."""
    runs = [Run(tmp_path / "runs" / f"seed{seed}", "c", seed, COLUMNS) for seed in range(3)]
    finish(runs[0], {"x": "0.75", "y": ""})
    runs[1].prepare({"seed": 1}, {})
    # Scores that were left before it failed are none.
    (runs[1].folder / "per_case.csv").write_text("case,quantity,value,unit\nx,dice,0.9,\n")
    runs[1].fail("OOM")
    return Plan("table1", "own", "laptop", tuple(runs))


def test_results_and_failures_are_collected_whole(plan: Plan) -> None:
    done, failed = collect(plan).rows
    head: dict[str, Any] = {"study": "table1", "dataset": "own", "profile": "laptop", "model": "c", "columns": COLUMNS}
    assert done == head | {
        "seed": 0,
        "spec": {"seed": 0},
        "identity": identity({"seed": 0}),
        "provenance": {"seconds": 1.5},
        "result": {"protocol": "dense"},
        "scores": {"dice": {"x": 0.75, "y": None}},
        "sampled_scores": {"paper": {"dice": {"x": 0.5, "y": None}}},
        "training": {"provenance": {"seconds": 30.0}, "result": {"parameters": 7}},
    }
    assert failed == head | {"seed": 1, "spec": {"seed": 1}, "identity": identity({"seed": 1}), "failure": "OOM"}


def test_scores_of_several_classes_are_on_record_next_to_their_mean(plan: Plan) -> None:
    rows = "case,class,quantity,value,unit\nx,core,dice,0.5,\nx,rest,dice,1,\ny,core,dice,,\n"
    (plan.runs[0].folder / "per_class.csv").write_text(rows)
    done, _ = collect(plan).rows
    assert done["class_scores"] == {"core": {"dice": {"x": 0.5, "y": None}}, "rest": {"dice": {"x": 1.0}}}
    assert done["scores"] == {"dice": {"x": 0.75, "y": None}}


def test_records_are_read_as_they_were_written(plan: Plan, tmp_path: Path) -> None:
    records = collect(plan)
    records.write(tmp_path / "records")
    assert (tmp_path / "records" / "table1-own-laptop.jsonl").exists()
    assert read_records(tmp_path / "records", ["table1"]) == [records]
    assert read_records(tmp_path / "records", ["table2"]) == []
    others = tuple({**row, "study": "table1-own"} for row in records.rows)
    Records("table1-own", "own", "laptop", others).write(tmp_path / "records")
    assert read_records(tmp_path / "records", ["table1"]) == [records]
    assert read_records(tmp_path / "elsewhere", ["table1"]) == []


def test_scores_and_failures_as_rows(plan: Plan) -> None:
    scores = scores_of([collect(plan)])
    assert scores["value"].tolist() == pytest.approx([0.75, math.nan], nan_ok=True)
    first = scores.iloc[0].drop("value").to_dict()
    assert first == {
        **{"dataset": "own", "profile": "laptop", "protocol": "dense", "model": "c", "seed": 0},
        **COLUMNS,
        **{"training": None, "case": "x", "quantity": "dice", "unit": ""},
    }
    failures = failures_of([collect(plan)])
    assert failures.to_dict("records") == [
        {"table": "table1", "dataset": "own", "profile": "laptop", "model": "c", "seed": 1, **COLUMNS, "reason": "OOM"}
    ]


def test_trainings_that_differ_in_their_seeds_alone_count_as_one() -> None:
    rows = tuple(
        {
            **{"dataset": "own", "profile": "laptop", "model": "c", "seed": seed, "columns": {"row": label}},
            **{"spec": {"training": {"seed": seed, "width": width}}, "result": {"protocol": "dense"}},
            "scores": {"dice": {"x": 0.5}},
        }
        for label, width in (("first", 8), ("same", 8), ("other", 16))
        for seed in (0, 1)
    )
    trainings = scores_of([Records("table1", "own", "laptop", rows)]).groupby("row")["training"].agg(set)
    assert trainings["first"] == trainings["same"]
    assert len(trainings["first"]) == len(trainings["other"]) == 1
    assert trainings["first"] != trainings["other"]


@pytest.mark.parametrize(("healthy", "shown"), [([], {"dice"}), (["x"], {"dice", "false_positive_volume"})])
def test_false_positive_volumes_are_shown_where_a_case_has_no_foreground(healthy: list[str], shown: set[str]) -> None:
    row = {
        **{"dataset": "own", "profile": "laptop", "model": "c", "seed": 0, "columns": COLUMNS},
        "result": {"protocol": "dense"} | ({"cases_without_foreground": healthy} if healthy else {}),
        "scores": {"dice": {"x": None, "y": 0.5}, "false_positive_volume": {"x": 1.5, "y": 0.25}},
    }
    assert set(scores_of([Records("table1", "own", "laptop", (row,))])["quantity"]) == shown


@pytest.mark.parametrize("text", ["{", "[]\n", '{"study": "table1"}\n'])
def test_damaged_records_are_named(text: str, tmp_path: Path) -> None:
    (tmp_path / "table1-own-laptop.jsonl").write_text(text)
    with pytest.raises(UserError, match=r"table1-own-laptop\.jsonl holds no records"):
        read_records(tmp_path, ["table1"])


def test_runs_with_other_columns_than_the_study_has_now_are_left_out(tmp_path: Path) -> None:
    layout = Layout("own", "Own", {"model": "Model", "width": "Width"})
    for dataset, columns in (("glioma", {"width": 32, "size": 3}), ("liver", {"width": 32}), ("brats", {})):
        row = {"study": "own", "dataset": dataset, "profile": "laptop", "columns": columns}
        Records("own", dataset, "laptop", (row,)).write(tmp_path / "records")
    assert [part.dataset for part in records_of(layout, tmp_path / "records")] == ["liver"]
    assert outdated(layout, tmp_path) == [("brats", "laptop"), ("glioma", "laptop")]
    # It is planned again, and its records follow.
    Plan("own", "glioma", "laptop", (Run(tmp_path / "run", "c", 0, {"width": 32}),)).write(tmp_path)
    assert outdated(layout, tmp_path) == [("brats", "laptop")]


def test_rows_of_other_models_and_of_other_columns_are_none_of_the_study() -> None:
    columns: dict[str, Any] = {"sampling": "border", "locations": 8192, "drawn": 8192}
    runs = [("c", columns), ("d", columns), ("c", {"width": 3})]
    rows = tuple({"model": model, "columns": values} for model, values in runs)
    parts = [Records("table1", "own", "laptop", rows), Records("table1", "other", "laptop", rows[1:])]
    assert own_rows(parts, TABLE1.layout) == [Records("table1", "own", "laptop", rows[:1])]
