"""From a study's grid to the runs on one data set: their specifications, their folders, their order."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.runs.estimate import training_work
from benchmarks.runs.plan import Plan, read_plans
from benchmarks.runs.run_folder import Run
from benchmarks.scoring.registry import MEASUREMENTS
from benchmarks.scoring.scoring import Job, Measurement, folder_of, training_folder
from benchmarks.study import Columns, Study
from ossnet.config import plain
from ossnet.data.case import Dataset
from ossnet.errors import UserError
from ossnet.training.profile import Profile


class PlannedRun(NamedTuple):
    """A run and what a worker must know to make it."""

    run: Run
    spec: Mapping[str, Any]
    job: Mapping[str, Any]


def plan_study(
    study: Study, profile: Profile, dataset: Dataset, job: Job, results: Path, operations_per_second: float
) -> tuple[Plan, dict[Path, PlannedRun]]:
    """The plan of a study on a data set, and its runs with all that a worker must know by their folder.

    Args:
        operations_per_second: assumed for the time to go, until a run is done.

    Raises:
        UserError: the data set has nothing to measure on, the profile has a setting that is refused, or the results
            folder holds the study of another data set of this name.
    """
    _refuse_namesake(study, dataset, job.source, results)
    planned: dict[Path, PlannedRun] = {}
    runs = []
    for point in study.grid(profile):
        measurement = MEASUREMENTS[study.scoring].of(point, profile, dataset)
        one = plan_run(measurement, point.columns, dataset, job, results)
        runs.append(one.run)
        planned[one.run.folder] = one
    plan = Plan(
        study.name, dataset.name, profile.name, tuple(runs), operations_per_second, job.source, dataset.fingerprint
    )
    return plan, planned


def plan_run(measurement: Measurement, columns: Columns, dataset: Dataset, job: Job, results: Path) -> PlannedRun:
    """The run of a specification in a results folder, with all that a worker must know.

    Args:
        columns: what tells it apart in its study besides model and seed.
    """
    training = measurement.training
    work = training_work(training, len(dataset.splits["train"]))
    of_training = training.recipe.epochs, work, training_folder(results, training)
    run = Run(folder_of(results, measurement), training.model, training.seed, columns, *of_training)
    return PlannedRun(run, plain(measurement), plain(job))


def longest_first(planned: Sequence[PlannedRun]) -> list[PlannedRun]:
    """So that no long run is left to the end while other workers have nothing to do."""
    return sorted(planned, key=lambda one: -one.run.work)


def _refuse_namesake(study: Study, dataset: Dataset, source: str, results: Path) -> None:
    """Of two data sets of one name, one plan would replace the other, and no table could tell their scores apart.

    A source that was changed is still the same data set; one that was moved keeps its fingerprint.
    """
    for plan in read_plans(results, [study.name]):
        another = plan.source not in (None, source) and plan.fingerprint != dataset.fingerprint
        if another and plan.dataset == dataset.name:
            raise UserError(
                f"{results / 'plans' / plan.stem}.json is of {plan.source}, another data set named {dataset.name} than "
                f"that of {source}; use another folder for --results, or delete that file"
            )
