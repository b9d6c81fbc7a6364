"""Points of studies: the runs that are missing, and their execution."""

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from benchmarks.commands.collect import omissions
from benchmarks.commands.request import Request
from benchmarks.experiments.estimate import assumed_rate
from benchmarks.experiments.grid import plan_study
from benchmarks.machine.forkserver import FOR_RUNS, FOR_RUNS_WITHOUT_GPU
from benchmarks.runs.executor import Executor
from benchmarks.runs.local import LocalExecutor
from benchmarks.runs.pace import Pace, in_words
from benchmarks.runs.plan import Plan, PlannedRun, Unplanned, pace_of
from benchmarks.runs.run_folder import Run, State, identity, is_locked, lock, read_json, work_left
from benchmarks.runs.slurm import SlurmExecutor, SlurmSettings
from benchmarks.runs.sweep import Sweep, log, longest_first
from benchmarks.runs.worker import make_run
from benchmarks.scoring.scoring import Job
from benchmarks.study import Study
from ossnet.config import build
from ossnet.data.sources import open_dataset, open_with_progress
from ossnet.errors import UserError
from ossnet.training.profile import Profile, load_profile

CPU_WORKERS = 2
"""Default number of runs at a time on a machine without a GPU."""

CPU_THREADS = 1
"""Default number of CPU threads per run, except on a cluster. Another number can change the last digits of results."""

OTHER_RUNS = "--force also deletes {} other runs that share these trainings; run their studies again"
"""Message about runs that are deleted although they were not named, with their number."""


def make_points(
    studies: Sequence[Study], request: Request, report_complete: Callable[[Study], None] = lambda _: None
) -> bool:
    """Train and score the missing points of studies in turn; return whether every point has a result.

    A study in stages is planned when those before it are done, since its points may depend on their results.

    Args:
        studies: studies with points, in the order in which their runs start.
        request: the options.
        report_complete: called with each study as soon as all its points have results.

    Raises:
        UserError: the profile, the data or the executor cannot be used, or `--force` would delete a run in progress.
    """
    together = [study for study in studies if study.staged is None]
    parts = [*([together] if together else []), *([study] for study in studies if study.staged is not None)]
    made: set[Path] = set()
    complete = [_make_together(part, request, report_complete, made) for part in parts]
    return all(complete)


def _make_together(
    studies: Sequence[Study], request: Request, report_complete: Callable[[Study], None], made: set[Path]
) -> bool:
    """Make the missing points of studies that are planned together; see `make_points`.

    Args:
        studies: the studies.
        request: the options.
        report_complete: as for `make_points`.
        made: trainings that this command has made already, which `--force` therefore keeps; those of the studies are
            added.
    """
    profile = load_profile(request.profile)
    settings = _slurm_settings(request, profile)
    executor = _executor(request, settings)
    plans, planned = _plan(studies, request, profile, settings, make_cases=True)
    if request.force:
        _delete([one for one in planned if one.run.training not in made], request.results, executor)
    made |= {one.run.training for one in planned}
    missing = missing_runs(planned, request.retry_failed)
    if request.retry_failed:
        clear_training_failures([planned_run.run for planned_run in missing])
    for plan in plans:
        plan.write(request.results)
        log(_summary(plan))
    for omission in omissions(studies, request.results):
        log(omission)
    pace = _pace(plans)
    if missing:
        log(_total(missing, pace, anew=False))
    incomplete = list(zip(studies, plans, strict=True))

    def report_new() -> None:
        for pair in list(incomplete):
            study, plan = pair
            if all(run.done for run in plan.runs):
                incomplete.remove(pair)
                report_complete(study)

    report_new()
    Sweep(_in_order(plans, missing), executor, pace, "runs", report_new).run()
    failed = [planned_run for planned_run in planned if not planned_run.run.done]
    if failed:
        log(f"{len(failed)} of {len(planned)} runs have failed; use --retry-failed to try them again")
    return not failed


def check_points(studies: Sequence[Study], request: Request) -> list[Plan]:
    """Refuse options with which `make_points` would fail at its start, and return the plans; make and change nothing.

    Raises:
        UserError: the profile, the data or the executor cannot be used.
    """
    profile = load_profile(request.profile)
    settings = _slurm_settings(request, profile)
    _executor(request, settings)
    return _plan(studies, request, profile, settings, make_cases=False)[0]


def list_points(studies: Sequence[Study], request: Request) -> None:
    """Print the runs of studies with their states and the time that missing trainings would take; change nothing.

    Raises:
        UserError: the profile or the data cannot be used.
    """
    profile = load_profile(request.profile)
    plans, planned = _plan(studies, request, profile, _slurm_settings(request, profile), make_cases=False)
    missing = planned if request.force else missing_runs(planned, request.retry_failed)
    pace = _pace(plans)
    missing_folders = {planned_run.run.folder for planned_run in missing}
    listed_trainings: set[Path] = set()
    for plan in plans:
        print(_summary(plan))
        for run in plan.runs:
            is_missing = run.folder in missing_folders
            time = f", {_training_time(run, pace, listed_trainings, request.force)}" if is_missing else ""
            print(f"  {run.name}: {run.state}{time}")
        if plan.unplanned is not None:
            print(f"  {plan.unplanned}")
    if request.force and (others := _runs_sharing_trainings(planned, request.results)):
        print(OTHER_RUNS.format(len(others)))
    print(_total(missing, pace, request.force, [plan.unplanned for plan in plans if plan.unplanned is not None]))


def _plan(
    studies: Sequence[Study], request: Request, profile: Profile, settings: SlurmSettings | None, make_cases: bool
) -> tuple[list[Plan], list[PlannedRun]]:
    """Return the plans of the studies and a list of their runs, in which a run that studies share occurs once.

    With `make_cases`, the data set and the trials that points depend on are made first.
    """
    in_stages = [study.name for study in studies if study.staged is not None]
    if in_stages and settings is not None:
        raise UserError(
            f"study {in_stages[0]} times its trials on the machine of its trainings; start it there, with --executor "
            "local in a job of your own"
        )
    generator, cache = profile.generator(request.source), request.results / "cache"
    if make_cases:
        dataset = open_with_progress(request.source, generator, cache)
    else:
        dataset = open_dataset(request.source, generator, cache, workers=0)
    on_gpu = settings.gpus > 0 if settings is not None else torch.cuda.is_available()
    threads = request.threads or (settings.cpus if settings is not None else CPU_THREADS)
    job = Job(request.source, generator, str(cache.resolve()), threads, request.command, on_gpu)
    rate = assumed_rate(torch.device("cuda" if on_gpu else "cpu"), threads)
    plans, planned = [], dict[Path, PlannedRun]()
    for study in studies:
        plan, of_study = plan_study(
            study, profile, dataset, job, request.results, rate, request.models, make_trials=make_cases
        )
        plans.append(plan)
        planned |= of_study
    return plans, list(planned.values())


def missing_runs(planned: Sequence[PlannedRun], retry_failed: bool) -> list[PlannedRun]:
    """Return the runs to make, before any of them starts."""
    kept = {State.DONE} if retry_failed else {State.DONE, State.FAILED}
    return [planned_run for planned_run in planned if planned_run.run.state not in kept]


def _in_order(plans: Sequence[Plan], missing: Sequence[PlannedRun]) -> list[PlannedRun]:
    """Sort missing runs by the first study that needs them, and the longest of a study first."""
    first: dict[Path, int] = {}
    for place, plan in enumerate(plans):
        for run in plan.runs:
            first.setdefault(run.folder, place)
    return sorted(longest_first(missing), key=lambda planned_run: first[planned_run.run.folder])


def clear_training_failures(runs: Sequence[Run]) -> None:
    """Delete the failures of the runs' trainings, except where another process is at work on the training."""
    for failure in {run.training / "failure.json" for run in runs}:
        if failure.exists():
            with lock(failure.parent) as mine:
                if mine:
                    failure.unlink(missing_ok=True)


def _delete(planned: Sequence[PlannedRun], results: Path, executor: Executor) -> None:
    """Delete runs, their trainings, and all other runs that measure these trainings.

    Raises:
        UserError: one of them is in progress.
    """
    others = _runs_sharing_trainings(planned, results)
    own = {folder for planned_run in planned for folder in (planned_run.run.folder, planned_run.run.training)}
    folders = own | others
    for folder in sorted(folders):
        if is_locked(folder) or executor.find_task(folder) is not None:
            raise UserError(f"{folder} is in progress or waits in a queue; end its run before you use --force")
    if others:
        log(OTHER_RUNS.format(len(others)))
    for folder in folders:
        if folder.exists():
            shutil.rmtree(folder)


def _runs_sharing_trainings(planned: Sequence[PlannedRun], results: Path) -> set[Path]:
    """Return the folders of other runs, of any study, that measure the trainings of the planned runs."""
    trainings = {identity(planned_run.spec["training"]) for planned_run in planned}
    specs = (results / "runs").glob("*/spec.json")
    sharing = {path.parent for path in specs if identity(read_json(path).get("training")) in trainings}
    return sharing - {planned_run.run.folder for planned_run in planned}


def _training_time(run: Run, pace: Pace, listed: set[Path], anew: bool) -> str:
    """Return in words the time that the training of a run would take, and add the training to those listed."""
    if run.training in listed:
        return "shares a training above"
    listed.add(run.training)
    ((model, work),) = work_left([run], anew)
    return f"about {in_words(pace.seconds(model, work) or 0)}" if work else "trained"


def _slurm_settings(request: Request, profile: Profile) -> SlurmSettings | None:
    if request.executor != "slurm":
        return None
    return build(SlurmSettings, profile.slurm, f"profile {profile.name}, slurm")


def _executor(request: Request, settings: SlurmSettings | None) -> Executor:
    if settings is not None:
        return SlurmExecutor(make_run, request.results / "slurm", settings)
    return local_executor(request.workers)


def local_executor(workers: int | None = None) -> LocalExecutor:
    """Return the executor of this machine.

    Args:
        workers: number of runs at a time; None for one per GPU, or `CPU_WORKERS` without a GPU.
    """
    gpus = visible_gpus()
    imports = FOR_RUNS if gpus else FOR_RUNS_WITHOUT_GPU
    return LocalExecutor(make_run, workers or len(gpus) or CPU_WORKERS, gpus, imports)


def visible_gpus() -> list[str]:
    """Return the GPUs that torch sees, by the names that `CUDA_VISIBLE_DEVICES` uses."""
    count = torch.cuda.device_count()
    names = os.environ.get("CUDA_VISIBLE_DEVICES")
    return names.split(",")[:count] if names else [str(index) for index in range(count)]


def _pace(plans: Sequence[Plan]) -> Pace:
    return pace_of([run for plan in plans for run in plan.runs], plans[0].operations_per_second)


def _summary(plan: Plan) -> str:
    states = [run.state for run in plan.runs]
    counts = ", ".join(f"{states.count(state)} {state}" for state in State if state in states)
    counts = f" ({counts})" if counts else ""
    lines = [f"{plan.study} on {plan.dataset}, profile {plan.profile}: {len(states)} runs{counts}", *plan.left_out]
    return "\n  ".join(lines)


def _total(missing: Sequence[PlannedRun], pace: Pace, anew: bool, unplanned: Sequence[Unplanned] = ()) -> str:
    runs = [planned_run.run for planned_run in missing]
    seconds = sum(pace.seconds(*left) or 0 for left in work_left(runs, anew))
    basis = "by the runs that are done" if pace.finished else f"assuming {pace.operations_per_second:.1e} operations/s"
    further = f"; with at most {sum(of.runs for of in unplanned)} that are not planned yet " if unplanned else ""
    if unplanned:
        further += f"about {in_words(seconds + sum(of.seconds for of in unplanned))}"
    return f"{len(missing)} runs to make, about {in_words(seconds)} one after another ({basis}){further}"
