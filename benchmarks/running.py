"""What `python -m benchmarks run` does: decide which runs are missing, make them, write the tables."""

import os
import shutil
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from benchmarks.collecting import collect_studies
from benchmarks.estimate import assumed_rate
from benchmarks.executors import Executor, LocalExecutor
from benchmarks.measurement import Job
from benchmarks.pace import in_words
from benchmarks.planning import PlannedRun, longest_first, plan_study
from benchmarks.plans import Plan, pace_of
from benchmarks.runs import State
from benchmarks.slurm import SlurmExecutor, SlurmSettings
from benchmarks.study import Study
from benchmarks.sweep import Sweep
from benchmarks.worker import work
from ossnet.config import build
from ossnet.data.sources import open_dataset, open_with_progress
from ossnet.errors import UserError
from ossnet.profile import Profile, load_profile

CPU_WORKERS = 2
"""Runs at a time on a machine without a GPU."""


@dataclass(frozen=True)
class Request:
    """What was asked for on the command line.

    Attributes:
        workers: runs at a time on this machine; None for one a GPU, or `CPU_WORKERS` without.
    """

    studies: Sequence[Study]
    profile: str
    source: str
    results: Path
    executor: str
    workers: int | None
    threads: int
    retry_failed: bool
    force: bool
    command: str


def run(request: Request) -> int:
    """Make what is missing, then the tables; 0 where every run of the studies has a result, else 1."""
    # To be ended is to be interrupted: the workers of this machine end too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    profile = load_profile(request.profile)
    executor = _executor(request, profile)
    plans, planned = _plan(request, profile, make_cases=True)
    if request.force:
        _forget(planned)
    missing = _missing(planned, request.retry_failed)
    pace = pace_of([one.run for one in planned])
    for plan in plans:
        plan.write(request.results)
        _tell(_summary(plan))
    Sweep(longest_first(missing), executor, pace, "runs").make()
    for table in collect_studies(request.studies, request.results):
        print(table)
    failed = [one.run for one in planned if not one.run.done]
    if failed:
        _tell(f"{len(failed)} of {len(planned)} runs have failed; --retry-failed tries them again")
    return 1 if failed else 0


def dry_run(request: Request) -> int:
    """List the runs, what has become of each, and how long those that are missing would take. Changes nothing."""
    profile = load_profile(request.profile)
    plans, planned = _plan(request, profile, make_cases=False)
    missing = planned if request.force else _missing(planned, request.retry_failed)
    device = torch.device("cuda" if request.executor == "slurm" or torch.cuda.is_available() else "cpu")
    pace = pace_of([one.run for one in planned], assumed_rate(device, request.threads))
    wanted = {one.run.folder for one in missing}
    total, counted = 0.0, set[Path]()
    for plan in plans:
        print(_summary(plan))
        for one in plan.runs:
            state = one.state.value
            if one.folder in wanted:
                seconds = pace.seconds(one.model, one.work) or 0.0
                state = f"{state}, about {in_words(seconds)}"
                if one.folder not in counted:
                    total += seconds
                counted.add(one.folder)
            print(f"  {one.name}: {state}")
    basis = "by the runs that are done" if pace.finished else f"assuming {pace.operations_per_second:.1e} operations/s"
    print(f"{len(missing)} runs to make, about {in_words(total)} one after another ({basis})")
    return 0


def _plan(request: Request, profile: Profile, make_cases: bool) -> tuple[list[Plan], list[PlannedRun]]:
    """The plan of each study, and their runs, each once however many studies share it."""
    generator, cache = profile.generator(request.source), request.results / "cache"
    if make_cases:
        dataset = open_with_progress(request.source, generator, cache)
    else:
        dataset = open_dataset(request.source, generator, cache, workers=0)
    job = Job(request.source, generator, str(cache.resolve()), request.threads, request.command)
    plans, planned = [], dict[Path, PlannedRun]()
    for study in request.studies:
        plan, of_study = plan_study(study, profile, dataset, job, request.results)
        plans.append(plan)
        planned |= of_study
    return plans, list(planned.values())


def _missing(planned: Sequence[PlannedRun], retry_failed: bool) -> list[PlannedRun]:
    """The runs to make, decided before any of them starts."""
    kept = {State.DONE} if retry_failed else {State.DONE, State.FAILED}
    return [one for one in planned if one.run.state not in kept]


def _forget(planned: Sequence[PlannedRun]) -> None:
    for one in planned:
        if one.run.state == State.RUNNING:
            raise UserError(f"{one.run.folder} is being made by another process; end that before --force")
    for one in planned:
        if one.run.folder.exists():
            shutil.rmtree(one.run.folder)


def _executor(request: Request, profile: Profile) -> Executor:
    if request.executor == "slurm":
        settings = build(SlurmSettings, profile.slurm, f"profile {profile.name}, slurm")
        return SlurmExecutor(work, request.results / "slurm", settings)
    gpus = visible_gpus()
    return LocalExecutor(work, request.workers or len(gpus) or CPU_WORKERS, gpus)


def visible_gpus() -> list[str]:
    """The GPUs that torch sees here, as `CUDA_VISIBLE_DEVICES` names them."""
    count = torch.cuda.device_count()
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    return named.split(",")[:count] if named else [str(index) for index in range(count)]


def _summary(plan: Plan) -> str:
    states = [run.state for run in plan.runs]
    counts = ", ".join(f"{states.count(state)} {state}" for state in State if state in states)
    return f"{plan.study} on {plan.dataset}, profile {plan.profile}: {len(states)} runs ({counts})"


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
