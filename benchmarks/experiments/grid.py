"""From a study's grid to its plan on one data set: the specifications and folders of its runs."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.experiments.distinct import refuse_same
from benchmarks.experiments.estimate import training_work
from benchmarks.experiments.model_choice import Choice, choose_models, earlier_runs
from benchmarks.runs.plan import Plan, PlannedRun, Unplanned, read_plans
from benchmarks.runs.run_folder import Run
from benchmarks.scoring.registry import SCORINGS
from benchmarks.scoring.scoring import Job, Scoring, folder_of, training_folder
from benchmarks.study import Columns, Point, Stage, Study
from ossnet.config import plain
from ossnet.data.case import Dataset
from ossnet.errors import UserError
from ossnet.training.profile import Profile


def plan_study(
    study: Study,
    profile: Profile,
    dataset: Dataset,
    job: Job,
    results: Path,
    operations_per_second: float,
    models: Sequence[str] = (),
    make_trials: bool = False,
) -> tuple[Plan, dict[Path, PlannedRun]]:
    """Plan the runs of a study on a data set.

    Args:
        study: the study.
        profile: settings of models, training and data set.
        dataset: the data set.
        job: how the runs are made.
        results: the results folder.
        operations_per_second: rate that the estimate of the remaining time assumes until a run is done.
        models: models of the runs; empty for those of the study. The plan then keeps what other models have of an
            earlier one, see `benchmarks.experiments.model_choice.earlier_runs`.
        make_trials: whether a study in stages makes the trials on which its points depend; otherwise such points are
            left out.

    Returns:
        The plan, and by their folder its runs except those that are kept.

    Raises:
        UserError: the data set has nothing to measure on, the profile has a setting that is refused, a model cannot
            be that of the study, or the results folder holds the study of another data set of this name.
    """
    _refuse_namesake(study, dataset, job.source, results)

    def specify(point: Point) -> Scoring:
        return _scoring(study, point, profile, dataset)

    def points_for(names: Sequence[str], trials_by: Job | None = None) -> Choice:
        if study.staged is None:
            return choose_models(study, study.grid(profile), names, specify)

        def run_of(point: Point) -> Run:
            return plan_run(specify(point), point.columns, dataset, job, results).run

        return Choice(list(study.staged(Stage(profile, dataset, results, names, run_of, trials_by))), [])

    choice = points_for(models, job if make_trials else None)
    # All settings are checked before the work of the first training is counted, which takes a second.
    scorings = [specify(point) for point in choice.points]
    planned: dict[Path, PlannedRun] = {}
    runs = []
    if study.file is not None:
        refuse_same(study.layout, list(zip(choice.points, scorings, strict=True)))
    for point, scoring in zip(choice.points, scorings, strict=True):
        planned_run = plan_run(scoring, point.columns, dataset, job, results)
        runs.append(planned_run.run)
        planned[planned_run.run.folder] = planned_run
    plan = Plan(
        *(study.name, dataset.name, profile.name, tuple(runs), operations_per_second, job.source, dataset.fingerprint),
        unplanned=_unplanned(study, profile, models, len(runs)),
        left_out=tuple(choice.left_out),
    )
    if models:
        kept = earlier_runs(plan, results, lambda names: points_for(names).points, specify)
        plan = replace(plan, runs=(*plan.runs, *kept))
    return plan, planned


def _unplanned(study: Study, profile: Profile, models: Sequence[str], planned: int) -> Unplanned | None:
    if study.outlook is None:
        return None
    outlook = study.outlook(profile, models)
    left = outlook.runs - planned
    return Unplanned(left, left * outlook.seconds, outlook.after) if left > 0 else None


def _scoring(study: Study, point: Point, profile: Profile, dataset: Dataset) -> Scoring:
    try:
        return SCORINGS[study.scoring].of(point, profile, dataset)
    except UserError as error:
        if not point.origin:
            raise
        raise UserError(f"{point.origin}: {error}") from error


def plan_run(scoring: Scoring, columns: Columns, dataset: Dataset, job: Job, results: Path) -> PlannedRun:
    """Plan the run of one specification.

    Args:
        scoring: the specification.
        columns: values that distinguish the run in its study, apart from model and seed.
        dataset: the data set.
        job: how the run is made.
        results: the results folder.
    """
    training = scoring.training
    run = Run(
        folder=folder_of(results, scoring),
        model=training.model,
        seed=training.seed,
        columns=columns,
        epochs=training.recipe.epochs,
        work=training_work(training, len(dataset.splits["train"])),
        trained_in=training_folder(results, training),
    )
    return PlannedRun(run, plain(scoring), plain(job))


def _refuse_namesake(study: Study, dataset: Dataset, source: str, results: Path) -> None:
    """Raise a UserError where the results folder holds the study of another data set of the same name.

    One plan would replace the other, and no table could distinguish their scores. A data set is still the same if its
    files were changed, as its source is the same, or moved, as its fingerprint is the same.
    """
    for plan in read_plans(results, [study.name]):
        another = plan.source not in (None, source) and plan.fingerprint != dataset.fingerprint
        if another and plan.dataset == dataset.name:
            raise UserError(
                f"{results / 'plans' / plan.stem}.json is of {plan.source}, another data set named {dataset.name} than "
                f"that of {source}; use another folder for --results, or delete that file"
            )
