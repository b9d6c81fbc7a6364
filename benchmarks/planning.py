"""From a study's grid to the runs on one data set: their specifications, their folders, their order."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.estimate import work
from benchmarks.measurement import Job, folder_of
from benchmarks.plans import Plan
from benchmarks.runs import Run
from benchmarks.segmentation import Segmentation, scored_split
from benchmarks.study import Point, Study
from ossnet.config import plain
from ossnet.data.case import Dataset
from ossnet.profile import Profile
from ossnet.registry import model_type


class PlannedRun(NamedTuple):
    """A run and what a worker must know to make it."""

    run: Run
    spec: Mapping[str, Any]
    job: Mapping[str, Any]


def plan_study(
    study: Study, profile: Profile, dataset: Dataset, job: Job, results: Path
) -> tuple[Plan, dict[Path, PlannedRun]]:
    """The plan of a study on a data set, and its tasks by their folder.

    Raises:
        UserError: the data set has no case to score, or the profile has a setting that is refused.
    """
    scored_split(dataset)
    tasks = [_task(point, profile, dataset, job, results / "runs") for point in study.grid(profile)]
    plan = Plan(study.name, dataset.name, profile.name, tuple(task.run for task in tasks))
    return plan, {task.run.folder: task for task in tasks}


def longest_first(planned: Sequence[PlannedRun]) -> list[PlannedRun]:
    """So that no long run is left to the end while other workers have nothing to do."""
    return sorted(planned, key=lambda one: -one.run.work)


def _task(point: Point, profile: Profile, dataset: Dataset, job: Job, runs: Path) -> PlannedRun:
    training = profile.spec(point.model, dataset, point.seed, point.overrides)
    extraction = point.extraction or model_type(point.model).extraction
    measurement = Segmentation(training, extraction, point.max_locations)
    run = Run(
        folder_of(runs, measurement),
        point.model,
        point.seed,
        point.columns,
        training.recipe.epochs,
        work(training, len(dataset.splits["train"])),
    )
    return PlannedRun(run, plain(measurement), plain(job))
