"""Points of the league from given trials and ratings, and its tables."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.commands.status import describe
from benchmarks.experiments import grid, trials
from benchmarks.experiments.grid import plan_study
from benchmarks.experiments.trials import Trials
from benchmarks.probes.answers import Answers
from benchmarks.report.comparisons import compare_rows
from benchmarks.report.score_records import Records, read_records, scores_of
from benchmarks.runs.plan import PlannedRun, read_plans
from benchmarks.runs.run_folder import write_failure, write_json
from benchmarks.scoring.scoring import Job
from benchmarks.studies.league import BUDGETS, LEAGUE, MODELS, RATES, TUNING
from benchmarks.studies.league_tables import league_tables
from benchmarks.study import Findings, trials_path
from ossnet.data.case import Dataset
from ossnet.errors import UserError
from ossnet.registry import model_names
from ossnet.training.profile import Profile, load_profile

SECONDS = {"onet": 0.05, "c": 0.1, "unet3d": 40.0}
"""Seconds per step; a training of the league has 40."""

Plans = Callable[..., Any]


@pytest.fixture(autouse=True)
def _given_trials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps take `SECONDS`, twice as much with another batch; memory is 10 per case, 25 for the 3-D U-Net."""
    own = {"onet": 8, "c": 4, "unet3d": 2}

    def steps(spec: Any, *_: Any) -> list[float]:
        return [SECONDS[spec.model] * (1 if spec.recipe.batch_size == own[spec.model] else 2)]

    def predicted(spec: Any) -> int:
        return {"unet3d": 25}.get(spec.model, 10) * int(spec.recipe.batch_size)

    # Work need not be counted, which takes seconds.
    monkeypatch.setattr(grid, "training_work", lambda spec, cases: 1.0)
    monkeypatch.setattr(trials, "time_steps", steps)
    monkeypatch.setattr(trials, "predicted_bytes", predicted)


@pytest.fixture
def planned(plan_of: Plans) -> Plans:
    def plan(study: Any = TUNING, make_trials: bool = True, models: tuple[str, ...] = tuple(SECONDS)) -> Any:
        return plan_of(study, make_trials, models)[1]

    return plan


@pytest.fixture
def plan_of(dataset: Dataset, tmp_path: Path) -> Plans:
    job = Job("own.csv", {}, str(tmp_path / "cache"), 1, "python -m benchmarks run")

    def plan(study: Any, make_trials: bool, models: tuple[str, ...]) -> Any:
        profile = load_profile("laptop")
        return plan_study(study, profile, dataset, job, tmp_path / "results", 1e9, models, make_trials)

    return plan


def recipe_of(run: PlannedRun) -> Any:
    return run.spec["training"]["recipe"]


def rate(runs: dict[Path, PlannedRun], dice: Callable[[PlannedRun], float | None]) -> None:
    """Leave what a run leaves whose validation cases have a Dice, or a failure for None."""
    for run in runs.values():
        run.run.folder.mkdir(parents=True, exist_ok=True)
        value = dice(run)
        if value is None:
            write_failure(run.run.folder, "the loss became nan")
            continue
        rows = [
            "case,quantity,value,unit",
            f"x,dice,{value - 0.1},",
            f"y,dice,{value + 0.1},",
            "z,dice,,",
            "x,iou,0.99,",
        ]
        (run.run.folder / "per_case.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
        write_json(run.run.folder / "result.json", {})


def test_models_are_compared_under_the_same_budget() -> None:
    rows = [row(model, seed, 0.5, budget=budget) for budget in BUDGETS for model in ("c", "onet") for seed in (0, 1)]
    pairs = compare_rows(scores_of([Records("league", "own", "tiny", tuple(rows))]), LEAGUE.layout)
    assert pairs["budget"].tolist() == pairs["other_budget"].tolist() == [*BUDGETS]


def test_models_of_the_league_are_known() -> None:
    assert set(MODELS) <= set(model_names())


def test_without_trials_nothing_is_planned_and_nothing_is_made(planned: Plans, tmp_path: Path) -> None:
    assert planned(make_trials=False) == {}
    assert planned(LEAGUE, make_trials=False) == {}
    assert not (tmp_path / "results").exists()


def test_runs_that_are_not_known_yet_are_counted_with_their_time(
    plan_of: Plans, planned: Plans, tmp_path: Path
) -> None:
    """Of 3 models and 2 budgets, trainings of 40 s: 4 rates in the tuning, and 3 seeds, of which the tuning has one."""
    models = tuple(SECONDS)

    def unplanned(study: Any, models: tuple[str, ...] = models) -> tuple[int, float]:
        plan, _ = plan_of(study, False, models)
        plan.write(tmp_path)
        (written,) = read_plans(tmp_path, [study.name])
        assert written.unplanned == plan.unplanned
        lines = describe(written)
        assert (len(lines) == 2) == (plan.unplanned is not None)
        return (plan.unplanned.runs, plan.unplanned.seconds) if plan.unplanned else (0, 0.0)

    assert unplanned(TUNING) == (24, pytest.approx(24 * 40))
    assert unplanned(LEAGUE) == (18, pytest.approx(12 * 40))
    assert unplanned(TUNING, ()) == (80, pytest.approx(80 * 40))
    runs = planned()
    assert unplanned(TUNING) == (0, 0)
    rate({folder: run for folder, run in runs.items() if run.run.model == "c"}, lambda _: 0.5)
    assert unplanned(LEAGUE) == (12, pytest.approx(8 * 40))


def test_models_that_were_in_the_league_before_stay_in_it(planned: Plans, plan_of: Plans, tmp_path: Path) -> None:
    for models in (("c",), ("onet",)):
        for study in (TUNING, LEAGUE):
            rate(planned(study, models=models), lambda _: 0.5)
            plan_of(study, True, models)[0].write(tmp_path / "results")
    for study, runs in ((TUNING, 2 * len(RATES)), (LEAGUE, 2 * 3)):
        (plan,) = read_plans(tmp_path / "results", [study.name])
        assert [run.model for run in plan.runs] == ["onet"] * runs + ["c"] * runs


def test_every_model_has_the_same_trials_for_the_same_time_and_memory(planned: Plans, tmp_path: Path) -> None:
    runs = planned()
    found = [(run.run.model, run.run.columns["budget"], run.run.columns["rate"]) for run in runs.values()]
    # The 3-D U-Net sets the memory, so that both budgets are the same specification for it.
    assert sorted(found) == sorted(
        (model, budget, rate)
        for model in SECONDS
        for budget in BUDGETS
        for rate in RATES
        if (model, budget) != ("unet3d", "time")
    )
    expected = {
        # 40 s of 0.05 s; with equal memory, all three cases of 10 are within two of 25.
        **{("onet", "time"): (8, 16, 50), ("onet", "memory"): (3, 16, 25)},
        **{("c", "time"): (4, 16, 25), ("c", "memory"): (3, 10, 20)},
        # One step is left of 40 s, but there are at least two epochs, each with a step.
        ("unet3d", "memory"): (2, 2, 1),
    }
    for run in runs.values():
        recipe = recipe_of(run)
        assert (run.run.seed, run.spec["split"], run.spec["protocols"]) == (0, "validation", [])
        assert (recipe["epochs"] / recipe["validation"]["every"], recipe["optimization"]["schedule"]) == (2, "cosine")
        budget = str(run.run.columns["budget"])
        assert (recipe["batch_size"], recipe["epochs"], recipe["steps_per_epoch"]) == expected[run.run.model, budget]
    rates = {run.run.columns["rate"]: recipe_of(run) for run in runs.values() if run.run.model == "c"}
    assert [rates[name]["optimization"]["learning_rate"] for name in RATES] == [1.33e-3, 4e-3, 1.2e-2, 3.6e-2]
    assert len(Trials(trials_path(tmp_path / "results", "league", "own", "laptop"))._found) == 6


def test_a_plan_stays_what_it_is_although_steps_take_another_time_later(
    planned: Plans, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = planned()
    monkeypatch.setattr(trials, "time_steps", lambda *_: [9.0])
    assert planned().keys() == planned(make_trials=False).keys() == before.keys()


@pytest.mark.parametrize("seconds", [0.0371, 0.9, 1.7, 5.3, 13.4])
def test_a_training_takes_the_equal_time_within_two_steps(
    seconds: float, planned: Plans, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trials, "time_steps", lambda *_: [seconds])
    for run in planned(models=("c",)).values():
        recipe = recipe_of(run)
        assert abs(recipe["epochs"] * recipe["steps_per_epoch"] * seconds - 40) <= 1.5 * seconds


def test_a_model_whose_trial_fails_is_left_out_under_that_budget(
    planned: Plans, monkeypatch: pytest.MonkeyPatch
) -> None:
    def steps(spec: Any, *_: Any) -> list[float]:
        if spec.recipe.batch_size == 3:
            raise MemoryError
        return [1.0]

    monkeypatch.setattr(trials, "time_steps", steps)
    entries = {(run.run.model, run.run.columns["budget"]) for run in planned(models=("c", "unet3d")).values()}
    assert entries == {("c", "time"), ("unet3d", "memory")}
    assert planned(models=("c", "unet3d"), make_trials=False).keys() == planned(models=("c", "unet3d")).keys()


def test_the_best_learning_rate_of_the_validation_cases_is_taken(planned: Plans) -> None:
    dice = {
        "onet": {"third": 0.5, "recipe": 0.7, "triple": 0.6, "ninefold": 0.2},
        "c": {"third": None, "recipe": 0.1, "triple": 0.3, "ninefold": 0.0},
    }
    tuned = planned()
    rate(tuned, lambda run: dice.get(run.run.model, dict.fromkeys(RATES, 0.0))[str(run.run.columns["rate"])])
    runs = planned(LEAGUE)
    assert {(run.run.model, run.run.seed) for run in runs.values()} == {
        (m, seed) for m in SECONDS for seed in (0, 1, 2)
    }
    chosen = {run.run.model: recipe_of(run)["optimization"]["learning_rate"] for run in runs.values()}
    # Of equal ones the recipe's, and a trial that failed counts as the worst.
    assert chosen == {"onet": 4e-3, "c": 1.2e-2, "unet3d": 3e-3}
    assert {run.spec.get("split") for run in runs.values()} == {None}
    # The training from the first seed is that of the tuning.
    first = {run.run.training for run in runs.values() if run.run.seed == 0}
    assert first < {run.run.training for run in tuned.values()}


def test_models_that_are_not_tuned_equally_often_are_refused(planned: Plans) -> None:
    runs = planned()
    with pytest.raises(UserError, match="c, equal time: 0"):
        planned(LEAGUE)
    rate({folder: run for folder, run in runs.items() if run.run.columns["rate"] != "third"}, lambda _: 0.5)
    rate({folder: run for folder, run in runs.items() if run.run.model != "c"}, lambda _: 0.5)
    with pytest.raises(UserError, match="c, equal time: 3; c, equal memory: 3"):
        planned(LEAGUE)
    # A list of what there is to do shows the others.
    assert {run.run.model for run in planned(LEAGUE, make_trials=False).values()} == {"onet", "unet3d"}


def test_the_league_needs_cases_to_tune_on_and_others_to_score(dataset: Dataset, tmp_path: Path) -> None:
    job = Job("own.csv", {}, str(tmp_path / "cache"), 1, "")
    without = replace(dataset, splits={**dataset.splits, "test": ()})
    with pytest.raises(UserError, match="no test cases"):
        plan_study(TUNING, profile(), without, job, tmp_path, 1e9, ("c",), True)


def profile() -> Profile:
    return load_profile("laptop")


def row(model: str, seed: int, dice: float, **columns: str) -> dict[str, Any]:
    recipe = {"batch_size": 4, "epochs": 8, "steps_per_epoch": 5, "optimization": {"learning_rate": 4e-3}}
    return {
        **{"study": "league", "dataset": "own", "profile": "tiny", "model": model, "seed": seed, "columns": columns},
        **{"spec": {"training": {"recipe": recipe}}, "result": {"protocol": "dense"}},
        "scores": {"dice": {"x": dice, "y": dice + 0.1}},
        "training": {
            "provenance": {
                "timing": {"training_s": 43.0 + seed, "validation_s": 3.0},
                "memory": {"allocated_bytes": 2e9},
            },
            "result": {},
        },
    }


def found(tmp_path: Path, trials_of_c: int = 4) -> Findings:
    tuned = [row(model, 0, 0.5, budget="time", rate=rate) for model in ("c", "onet") for rate in RATES]
    tuned = [each for each in tuned if each["model"] != "c"] + [e for e in tuned if e["model"] == "c"][:trials_of_c]
    head = {"study": "tuning"}
    Records("tuning", "own", "tiny", tuple(each | head for each in tuned)).write(tmp_path / "records")
    rows = [row(model, seed, dice, budget="time") for model, dice in (("c", 0.3), ("onet", 0.6)) for seed in (0, 1)]
    path = trials_path(tmp_path, "league", "own", "tiny")
    path.parent.mkdir()
    path.write_text(json.dumps({"model": "c", "batch_size": 4, "predicted_bytes": 3e9}) + "\n", encoding="utf-8")
    return Findings([Records("league", "own", "tiny", tuple(rows))], Answers({}), tmp_path)


def test_tables_have_ranks_and_budgets(tmp_path: Path) -> None:
    ranks, budgets = league_tables(found(tmp_path))
    assert [[cell.text for cell in cells] for cells in ranks.rows] == [
        ["1", "O-Net", "0.650", "1 to 1", "100%", "100%"],
        ["2", "OSS-Net C", "0.350", "2 to 2", "0%", "100%"],
    ]
    assert [[cell.text for cell in cells] for cells in budgets.rows] == [
        ["time", "OSS-Net C", "4", "40", "0.004", "4", "40", "3.000", "2.000"],
        ["time", "O-Net", "4", "40", "0.004", "4", "40", "–", "2.000"],
    ]


def test_budgets_name_the_models_that_no_trial_taught_anything(tmp_path: Path) -> None:
    results = found(tmp_path)
    assert "No trial" not in league_tables(results)[1].notes
    (tuned,) = read_records(tmp_path / "records", ["tuning"])
    nothing = {"scores": {"dice": {"x": 0.0, "y": None}}}
    rows = tuple(each | (nothing if each["model"] == "c" else {}) for each in tuned.rows)
    replace(tuned, rows=rows).write(tmp_path / "records")
    assert "equal time, OSS-Net C" in league_tables(results)[1].notes


def test_tables_name_the_runs_that_failed(tmp_path: Path) -> None:
    results = found(tmp_path)
    (records,) = results.records
    failed = [row(model, seed, 0.0, budget="time") for model, seed in (("c", 1), ("onet", 0), ("onet", 1))]
    for run in failed:
        del run["result"]
    rows = [records.rows[0], *(run | {"failure": "OOM"} for run in failed)]
    with trials_path(tmp_path, "league", "own", "tiny").open("a", encoding="utf-8") as file:
        file.write(json.dumps({"model": "d", "batch_size": 9, "predicted_bytes": 1, "failure": "OOM"}) + "\n")
    ranks, budgets = league_tables(replace(results, records=[replace(records, rows=tuple(rows))]))
    assert (ranks.head[-1], budgets.head[-1]) == ("Status", "Status")
    assert [[cell.text for cell in cells] for cells in ranks.rows] == [
        ["1", "OSS-Net C", "0.350", "1 to 1", "100%", "100%", "seed 1: OOM"],
        ["–", "O-Net", "–", "–", "–", "–", "OOM"],
    ]
    assert [[cell.text for cell in cells] for cells in budgets.rows] == [
        ["time", "OSS-Net C", "4", "40", "0.004", "4", "40", "3.000", "2.000", "seed 1: OOM"],
        ["time", "O-Net", "4", "40", "0.004", "4", "–", "–", "–", "OOM"],
    ]
    for table in (ranks, budgets):
        assert "time, O-Net, seed 0, 1: OOM" in table.notes
    assert "OSS-Net D, batch 9: OOM" in budgets.notes


def test_a_table_of_models_that_were_not_tuned_equally_often_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="c, equal time: 3; onet, equal time: 4"):
        league_tables(found(tmp_path, trials_of_c=3))
