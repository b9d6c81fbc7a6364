"""Models in place of a study's own, and what a plan for them keeps of an earlier one."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.experiments import grid
from benchmarks.experiments.grid import plan_study
from benchmarks.runs.plan import Plan
from benchmarks.runs.run_folder import Run, write_failure, write_json
from benchmarks.scoring.scoring import Job
from benchmarks.studies.ablations import ABLATIONS, CHANGES, several_seeds
from benchmarks.studies.additions import ADDITIONS
from benchmarks.studies.confidence import CONFIDENCE
from benchmarks.studies.figure4 import FIGURE4
from benchmarks.studies.inference import INFERENCE
from benchmarks.studies.table1 import TABLE1
from benchmarks.studies.table2 import TABLE2
from benchmarks.study import Point, Study
from ossnet.data.case import Dataset
from ossnet.errors import UserError
from ossnet.training.profile import Profile, load_profile

LAPTOP = load_profile("laptop")
SEEDS = len(several_seeds(LAPTOP))

Plans = Callable[..., Plan]


@pytest.fixture
def planned(dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plans:
    """Plan a study for some models; work need not be counted, which takes seconds."""
    monkeypatch.setattr(grid, "training_work", lambda spec, cases: 1.0)
    job = Job("own.csv", {}, str(tmp_path / "cache"), 1, "")

    def plan(study: Study, *models: str, profile: Profile = LAPTOP) -> Plan:
        return plan_study(study, profile, dataset, job, tmp_path, 1e9, models)[0]

    return plan


def rows_of(plan: Plan) -> list[tuple[object, ...]]:
    return list(dict.fromkeys((run.model, *run.columns.values()) for run in plan.runs))


def test_models_that_are_rows_are_chosen(planned: Plans) -> None:
    assert rows_of(planned(TABLE2, "iosnet", "c")) == [("iosnet",), ("c",)]
    points = [Point(model, seed, {"n": model}) for model in ("c", "d") for seed in (0, 1)]
    study = replace(TABLE2, grid=lambda _: points)
    assert [(run.model, run.columns["n"], run.seed) for run in planned(study, "onet", "d").runs] == [
        *(("onet", "c", 0), ("onet", "c", 1), ("d", "d", 0), ("d", "d", 1))
    ]


def test_a_study_of_one_model_is_made_with_others_in_its_place(planned: Plans) -> None:
    plan = planned(ABLATIONS, "unet3d", "c", "b")
    assert rows_of(plan)[:2] == [("unet3d", "3D residual U-Net"), ("unet3d", "no Lookahead")]
    own = rows_of(planned(ABLATIONS))
    assert rows_of(plan)[2 : 2 + len(own)] == own == [(model, change) for change, (model, _) in CHANGES.items()]
    # OSS-Net B has all settings of OSS-Net C, but needs patches, and its own row has its name.
    of_c = [change for change, (model, _) in CHANGES.items() if model == "c"]
    assert rows_of(plan)[2 + len(own) :] == [("b", "OSS-Net B"), *(("b", change) for change in of_c[2:])]
    assert of_c[1] == "no patches"
    assert len(plan.runs) == SEEDS * len(rows_of(plan))
    of_unet, of_b = plan.left_out
    assert len(of_unet.split("; ")) == len(of_c) - 2
    assert of_b.endswith(": no patches")


def test_rows_with_the_same_training_are_no_two_rows(planned: Plans) -> None:
    # O-Net has no patches to leave out, and OSS-Net D is a row of the ablations of OSS-Net C already.
    for models, row in (("onet",), ("onet", "O-Net")), (("c", "d"), ("d", "larger context (OSS-Net D)")):
        plan = planned(ABLATIONS, *models)
        assert row in rows_of(plan)
        assert len({run.training for run in plan.runs}) == len(plan.runs)


def test_models_without_a_segmentation_of_the_encoder_start_from_none(planned: Plans) -> None:
    assert rows_of(planned(INFERENCE, "a")) == [("a", name) for name in ("mise", "released", "dense")]


@pytest.mark.parametrize(
    ("study", "models", "named"),
    [
        (ADDITIONS, ["unet3d"], "'O-Net', with which others are compared .*patches"),
        (CONFIDENCE, ["c", "segresnet"], "'Confidence .*segresnet evaluates all voxels"),
        (TABLE1, ["unet3d"], "'Uniform, .* nor any other .*evaluates all voxels"),
        (FIGURE4, ["a"], "the encoder of a predicts no segmentation"),
        (ABLATIONS, ["mine"], "mine"),
    ],
    ids=lambda value: value.name if isinstance(value, Study) else "",
)
def test_what_cannot_be_is_refused(planned: Plans, study: Study, models: Sequence[str], named: str) -> None:
    with pytest.raises(UserError, match=named) as refusal:
        planned(study, *models)
    assert len(str(refusal.value).splitlines()) == 1


def finish(runs: Sequence[Run]) -> None:
    for run in runs:
        run.folder.mkdir(parents=True)
        if run.seed:
            write_json(run.folder / "result.json", {})
        else:
            write_failure(run.folder, "OOM")


def test_other_models_of_an_earlier_plan_stay_if_they_were_made_as_they_would_be_now(
    planned: Plans, tmp_path: Path
) -> None:
    earlier = planned(ABLATIONS, "b", "c")
    earlier.write(tmp_path)
    begun = [run for run in earlier.runs if run.columns["change"] in ("OSS-Net B", "no output skips", "ReLU")]
    finish(begun)
    plan = planned(ABLATIONS, "unet3d")
    own = 2 * SEEDS
    assert {run.model for run in plan.runs[:own]} == {"unet3d"}
    # What was not made is not missing.
    assert plan.runs[own:] == tuple(begun)
    plan.write(tmp_path)
    assert planned(ABLATIONS, "onet").runs[-len(begun) :] == tuple(begun)
    # Without models, the study has its own again; with other settings, these runs are not its.
    assert planned(ABLATIONS).runs == planned(ABLATIONS, "c").runs[: len(CHANGES) * SEEDS]
    table = {**LAPTOP.table, "b": {"recipe": {"epochs": 3}}}
    changed = planned(ABLATIONS, "unet3d", profile=replace(LAPTOP, table=table))
    assert {run.model for run in changed.runs[own:]} == {"c", "a"}
