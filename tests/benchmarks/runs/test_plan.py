import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.runs.plan import Plan, pace_of, read_plans
from benchmarks.runs.run_folder import Run
from ossnet.errors import UserError


def plan(results: Path, study: str = "table1", dataset: str = "own", seeds: int = 2) -> Plan:
    columns = {"sampling": "border", "drawn": 256}
    names = [f"{dataset}-c-seed{seed}" for seed in range(seeds)]
    runs = [
        Run(results / "runs" / name, "c", seed, columns, 3, 2e9, results / "trainings" / name)
        for seed, name in enumerate(names)
    ]
    return Plan(study, dataset, "laptop", tuple(runs), 1e9, f"{dataset}.csv", "0123")


def test_a_plan_is_read_as_it_was_written(tmp_path: Path) -> None:
    plans = [plan(tmp_path, "table2", "liver"), plan(tmp_path, "table1", "own"), plan(tmp_path, "table1", "glioma")]
    for one in plans:
        one.write(tmp_path)
    assert plans[1].stem == "table1-own-laptop"
    assert read_plans(tmp_path, ["table1", "table2"]) == [plans[2], plans[1], plans[0]]
    assert read_plans(tmp_path, ["table2"]) == [plans[0]]
    assert read_plans(tmp_path / "elsewhere", ["table1"]) == []


def test_only_the_plans_that_are_asked_for_are_read(tmp_path: Path) -> None:
    plans = {name: plan(tmp_path, name) for name in ("table1", "table1-long")}
    for one in plans.values():
        one.write(tmp_path)
    (tmp_path / "plans" / "table2-own-laptop.json").write_text("damaged")
    for name, one in plans.items():
        assert read_plans(tmp_path, [name]) == [one]


def test_a_plan_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    plan(tmp_path).write(tmp_path)
    path = tmp_path / "plans" / "table1-own-laptop.json"
    values = json.loads(path.read_text())
    del values["source"], values["fingerprint"]
    for row in values["runs"]:
        del row["trained_in"]
    path.write_text(json.dumps(values))
    earlier = replace(plan(tmp_path), source=None, fingerprint=None)
    earlier = replace(earlier, runs=tuple(replace(run, trained_in=None) for run in earlier.runs))
    (found,) = read_plans(tmp_path, ["table1"])
    assert found == earlier
    # Its runs trained in their own folders.
    assert found.runs[0].training == found.runs[0].folder / "training"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"study": "t", "dataset": "d", "profile": "p", "runs": [{}]}'])
def test_a_damaged_plan_is_named(text: str, tmp_path: Path) -> None:
    plan(tmp_path).write(tmp_path)
    path = tmp_path / "plans" / "table1-own-laptop.json"
    path.write_text(text)
    with pytest.raises(UserError, match=r"table1-own-laptop\.json"):
        read_plans(tmp_path, ["table1"])


def test_the_pace_is_that_of_the_runs_that_are_done(tmp_path: Path) -> None:
    done, missing = plan(tmp_path).runs
    assert pace_of([done, missing]).seconds("c", 1e9) is None
    assert pace_of([done, missing], 1e8).seconds("c", 1e9) == pytest.approx(10)
    done.folder.mkdir(parents=True)
    (done.folder / "result.json").write_text("{}")
    (done.folder / "provenance.json").write_text('{"seconds": 4}')
    assert pace_of([done, missing], 1e8).seconds("c", 1e9) == pytest.approx(2)
