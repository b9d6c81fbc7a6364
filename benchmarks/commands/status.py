"""`python -m benchmarks status`: progress of studies, from their plans, folders of runs, and records of probes."""

import shutil
from collections.abc import Collection, Sequence
from pathlib import Path

from benchmarks.probes.ledger import ledgers_of
from benchmarks.runs.pace import Pace, in_words
from benchmarks.runs.plan import Plan, pace_of, read_plans
from benchmarks.runs.run_folder import Run, State, read_json, work_left
from benchmarks.runs.squeue import Queue
from benchmarks.study import Study

MAX_LISTED = 20
"""Number of failed runs, and of running ones, that are listed one by one."""


def print_status(studies: Sequence[Study], results: Path, profile: str | None = None) -> None:
    """Print how many runs and probes of each study are done, failed, running and missing, and why some failed.

    Args:
        studies: studies to print.
        results: the results folder.
        profile: name of a profile, to print only runs with it; None for all.

    Raises:
        UserError: a plan or a record cannot be read, or SLURM does not answer.
    """
    for study in studies:
        plans = [plan for plan in read_plans(results, [study.name]) if profile in (None, plan.profile)]
        ledgers = ledgers_of(study, results) if study.has_probes else []
        if any(ledger.records for ledger in ledgers) or plans:
            lines = [line for plan in plans for line in describe(plan, queued_runs(plan))]
            print("\n".join([*lines, *(line for ledger in ledgers for line in ledger.describe())]))
        else:
            lists = "lists its runs and probes" if study.outlook is None else "estimates the time of its runs"
            print(f"{study.name}: not begun in {results}; `python -m benchmarks run {study.name} --dry-run` {lists}")


def queued_runs(plan: Plan) -> set[Path]:
    """Return the folders of the runs that are in SLURM's queue, waiting or running."""
    records = [run.folder / "slurm.json" for run in plan.runs if not run.done]
    job_ids = {path.parent: read_json(path)["job_id"] for path in records if path.exists()}
    if not job_ids or shutil.which("squeue") is None:
        return set()
    jobs = Queue().jobs()
    return {folder for folder, job_id in job_ids.items() if job_id in jobs and not jobs[job_id].ended}


def describe(plan: Plan, queued: Collection[Path] = ()) -> list[str]:
    """Return the lines of a plan's status: the number of runs by state, and its running and failed runs.

    Args:
        plan: the runs of a study.
        queued: folders of the runs that are in a cluster's queue.
    """
    states = {run.folder: run.state for run in plan.runs}
    by_state = {state: [run for run in plan.runs if states[run.folder] == state] for state in State}
    counts = ", ".join(f"{len(runs)} {state}" for state, runs in by_state.items())
    if waiting := sum(run.folder in queued for run in by_state[State.MISSING]):
        counts += f" ({waiting} of them queued)"
    lines = [f"{plan.study} on {plan.dataset}, profile {plan.profile}: {len(plan.runs)} runs, {counts}"]
    pace = pace_of(by_state[State.DONE], plan.operations_per_second)
    to_go = _to_go(pace, by_state[State.RUNNING], by_state[State.MISSING])
    if to_go is not None:
        lines[0] += f"; {to_go} to go"
    if plan.unplanned is not None:
        lines.append(f"  {plan.unplanned}")
    lines += _listed([f"{run.name}: {100 * run.trained_fraction():.0f} % trained" for run in by_state[State.RUNNING]])
    lines += _listed([f"{run.name}: failed: {run.failure}" for run in by_state[State.FAILED]])
    return lines


def _to_go(pace: Pace, running: Sequence[Run], missing: Sequence[Run]) -> str | None:
    """Return the time to go in words, for as many runs at a time as are running now."""
    if not running and not missing:
        return None
    at_a_time = max(1, len(running))
    seconds = pace.time_to_go(work_left([*running, *missing]), at_a_time)
    if seconds is None:
        return None
    together = f", {at_a_time} at a time," if at_a_time > 1 else ""
    return f"about {in_words(seconds)}{together}"


def _listed(lines: Sequence[str]) -> list[str]:
    more = [f"  and {len(lines) - MAX_LISTED} more"] if len(lines) > MAX_LISTED else []
    return [*(f"  {line}" for line in lines[:MAX_LISTED]), *more]
