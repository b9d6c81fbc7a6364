"""Studies of a user whose rows would be the same run or the same training."""

from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.experiments import grid
from benchmarks.experiments.grid import plan_study
from benchmarks.runs.plan import Plan
from benchmarks.scoring.scoring import Job
from benchmarks.studies.custom.definition import read_study
from ossnet.data.case import Dataset
from ossnet.errors import UserError
from ossnet.training.profile import load_profile

PlanOf = Callable[[str], Plan]

UNIFORM_AND_BORDER = '[grid]\nrecipe.sampling.strategy = ["uniform", "border"]\n'
OF_BORDER = "recipe.sampling.border_width"


@pytest.fixture
def plan_of(dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PlanOf:
    """Plan the study of a text, with one seed; the work is not counted, which takes seconds."""
    monkeypatch.setattr(grid, "training_work", lambda *_: 1.0)

    def plan(text: str) -> Plan:
        path = tmp_path / "own.toml"
        path.write_text(f'name = "own"\nmodels = ["c"]\nseeds = [0]\n{text}', encoding="utf-8")
        job = Job("own.csv", {}, "cache", 1, "run")
        return plan_study(read_study(path), load_profile("laptop"), dataset, job, tmp_path, 1e9)[0]

    return plan


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (f"[grid]\n{OF_BORDER} = [3, 7, 15]\n", [f"{OF_BORDER} = 3", "25"]),
        (f"settings.{OF_BORDER} = 9\n[grid]\nnetwork.patch_size = [3, 5]\n", [f"{OF_BORDER} = 9", "25"]),
        ("[grid]\nnetwork.patch_size = [true, 5]\n", ["network.patch_size = true", "taken for 1"]),
        ("settings.recipe.augmentation.flip_axes = [0, true]\n", ["flip_axes = [0, true]", "[0, 1]"]),
        ("settings.network.conditioning = 1\n", ["network.conditioning = 1", "true"]),
        (f"{UNIFORM_AND_BORDER}{OF_BORDER} = [3, 9]\n", ["'uniform, 3'", "'uniform, 9'"]),
        ('[[rows]]\nlabel = "one"\n[[rows]]\nlabel = "other"\nnetwork.patch_size = 5\n', ["'one'", "'other'"]),
        (
            '[[rows]]\nlabel = "one"\n[[rows]]\nlabel = "other"\nnetwork.patch_size = 5\nextraction = "dense"\n',
            ["'one'", "'other'", "training"],
        ),
    ],
)
def test_rows_that_are_the_same_are_refused(text: str, named: list[str], plan_of: PlanOf, tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        plan_of(text)
    assert str(error.value).startswith(str(tmp_path / "own.toml"))
    assert all(part in str(error.value) for part in named)


def test_a_setting_of_all_rows_may_have_an_effect_in_some_of_them(plan_of: PlanOf) -> None:
    plan = plan_of(f"settings.{OF_BORDER} = 9\n{UNIFORM_AND_BORDER}")
    assert len({run.training for run in plan.runs}) == 2


def test_one_training_may_be_scored_in_several_ways(plan_of: PlanOf) -> None:
    plan = plan_of('[[rows]]\nlabel = "one"\n[[rows]]\nlabel = "other"\nextraction = "dense"\n')
    assert (len({run.training for run in plan.runs}), len({run.folder for run in plan.runs})) == (1, 2)
