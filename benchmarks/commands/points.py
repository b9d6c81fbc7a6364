"""The points of studies: decide which runs are missing, and make them through an executor."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import torch

from benchmarks.commands.request import Request
from benchmarks.experiments.estimate import assumed_rate
from benchmarks.experiments.grid import plan_study
from benchmarks.machine.forkserver import FOR_RUNS, FOR_RUNS_WITHOUT_GPU
from benchmarks.runs.executor import Executor
from benchmarks.runs.local import LocalExecutor
from benchmarks.runs.pace import Pace, in_words
from benchmarks.runs.plan import Plan, PlannedRun, pace_of
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
"""Runs at a time on a machine without a GPU."""

CPU_THREADS = 1
"""CPU threads of a run, where no cluster says otherwise. Another number can change the last digits of results."""

OTHERS = "Other runs that measure these trainings go with them: {}; run their studies again"
"""What --force says of runs that it was not asked for, with their number."""


def make_points(studies: Sequence[Study], request: Request) -> bool:
    """Train and score what is missing of the points of studies; return whether every one has a result.

    Raises:
        UserError: the profile, the data or the executor cannot be used, or what `--force` is to delete is in use.
    """
    profile = load_profile(request.profile)
    settings = _slurm_settings(request, profile)
    executor = _executor(request, settings)
    plans, planned = _plan(studies, request, profile, settings, make_cases=True)
    if request.force:
        _forget(planned, request.results, executor)
    missing = _missing(planned, request.retry_failed)
    if request.retry_failed:
        _try_trainings_again([one.run for one in missing])
    for plan in plans:
        plan.write(request.results)
        log(_summary(plan))
    pace = _pace(plans)
    if missing:
        log(_total(missing, pace, anew=False))
    Sweep(longest_first(missing), executor, pace, "runs").run()
    failed = [one.run for one in planned if not one.run.done]
    if failed:
        log(f"{len(failed)} of {len(planned)} runs have failed; --retry-failed tries them again")
    return not failed


def list_points(studies: Sequence[Study], request: Request) -> None:
    """Print the runs of studies with their states, and how long missing trainings would take. Change nothing.

    Raises:
        UserError: the profile or the data cannot be used.
    """
    profile = load_profile(request.profile)
    plans, planned = _plan(studies, request, profile, _slurm_settings(request, profile), make_cases=False)
    missing = planned if request.force else _missing(planned, request.retry_failed)
    pace = _pace(plans)
    wanted = {one.run.folder for one in missing}
    told: set[Path] = set()
    for plan in plans:
        print(_summary(plan))
        for one in plan.runs:
            to_make = f", {_to_train(one, pace, told, request.force)}" if one.folder in wanted else ""
            print(f"  {one.name}: {one.state}{to_make}")
    if request.force and (others := _others_of_trainings(planned, request.results)):
        print(OTHERS.format(len(others)))
    print(_total(missing, pace, anew=request.force))


def _plan(
    studies: Sequence[Study], request: Request, profile: Profile, settings: SlurmSettings | None, make_cases: bool
) -> tuple[list[Plan], list[PlannedRun]]:
    """The plan of each study, and their runs, each once however many studies share it."""
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
        plan, of_study = plan_study(study, profile, dataset, job, request.results, rate)
        plans.append(plan)
        planned |= of_study
    return plans, list(planned.values())


def _missing(planned: Sequence[PlannedRun], retry_failed: bool) -> list[PlannedRun]:
    """The runs to make, decided before any of them starts."""
    kept = {State.DONE} if retry_failed else {State.DONE, State.FAILED}
    return [one for one in planned if one.run.state not in kept]


def _try_trainings_again(runs: Sequence[Run]) -> None:
    """Forget the failures of their trainings, except where another process is at work on one."""
    for failure in {run.training / "failure.json" for run in runs}:
        if failure.exists():
            with lock(failure.parent) as mine:
                if mine:
                    failure.unlink(missing_ok=True)


def _forget(planned: Sequence[PlannedRun], results: Path, executor: Executor) -> None:
    """Delete runs and their trainings, and with these whatever other runs came to by them.

    Raises:
        UserError: one of them is being made.
    """
    others = _others_of_trainings(planned, results)
    folders = {folder for one in planned for folder in (one.run.folder, one.run.training)} | others
    for folder in sorted(folders):
        if is_locked(folder) or executor.find_task(folder) is not None:
            raise UserError(f"{folder} is being made, or waits in a queue; end that before --force")
    if others:
        log(OTHERS.format(len(others)))
    for folder in folders:
        if folder.exists():
            shutil.rmtree(folder)


def _others_of_trainings(planned: Sequence[PlannedRun], results: Path) -> set[Path]:
    """The folders of other runs, whichever study asked for them, whose trainings are those of the planned ones."""
    trainings = {identity(one.spec["training"]) for one in planned}
    specs = (results / "runs").glob("*/spec.json")
    of_trainings = {path.parent for path in specs if identity(read_json(path).get("training")) in trainings}
    return of_trainings - {one.run.folder for one in planned}


def _to_train(run: Run, pace: Pace, told: set[Path], anew: bool) -> str:
    """How long the training of a run would take, in words; `told` are those of which that has been told."""
    if run.training in told:
        return "of a training above"
    told.add(run.training)
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
    """The executor of this machine.

    Args:
        workers: runs at a time; None for one a GPU, or `CPU_WORKERS` without.
    """
    gpus = visible_gpus()
    imports = FOR_RUNS if gpus else FOR_RUNS_WITHOUT_GPU
    return LocalExecutor(make_run, workers or len(gpus) or CPU_WORKERS, gpus, imports)


def visible_gpus() -> list[str]:
    """The GPUs that torch sees here, as `CUDA_VISIBLE_DEVICES` names them."""
    count = torch.cuda.device_count()
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    return named.split(",")[:count] if named else [str(index) for index in range(count)]


def _pace(plans: Sequence[Plan]) -> Pace:
    return pace_of([run for plan in plans for run in plan.runs], plans[0].operations_per_second)


def _summary(plan: Plan) -> str:
    states = [run.state for run in plan.runs]
    counts = ", ".join(f"{states.count(state)} {state}" for state in State if state in states)
    return f"{plan.study} on {plan.dataset}, profile {plan.profile}: {len(states)} runs ({counts})"


def _total(missing: Sequence[PlannedRun], pace: Pace, anew: bool) -> str:
    seconds = sum(pace.seconds(*left) or 0 for left in work_left([one.run for one in missing], anew))
    basis = "by the runs that are done" if pace.finished else f"assuming {pace.operations_per_second:.1e} operations/s"
    return f"{len(missing)} runs to make, about {in_words(seconds)} one after another ({basis})"
