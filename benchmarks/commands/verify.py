"""`python -m benchmarks verify`: the origin of a printed number, and one of its trainings repeated."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import torch

from benchmarks.commands.points import local_executor
from benchmarks.commands.request import end_as_interrupted
from benchmarks.experiments.grid import plan_run
from benchmarks.machine.provenance import provenance
from benchmarks.names import REFERENCE
from benchmarks.report.origin import (
    Origin,
    describe,
    disagreements,
    facts_of,
    find_origin,
    made_with,
    printed_cell,
    provenances,
    scores_by_case,
)
from benchmarks.report.score_records import Record, collect, read_records
from benchmarks.runs.pace import FinishedRun, Pace
from benchmarks.runs.plan import Plan, PlannedRun
from benchmarks.runs.run_folder import identity, is_locked, read_json
from benchmarks.runs.sweep import Sweep
from benchmarks.scoring.registry import build_scoring
from benchmarks.scoring.scoring import Job
from benchmarks.study import Study
from ossnet.config import merge, plain
from ossnet.data.sources import open_dataset, open_with_progress
from ossnet.errors import UserError
from ossnet.training.given_settings import refuse_replaced
from ossnet.training.profile import PARTS, Profile, load_profile

TOLERATED_SPREADS = 2.0
"""Tolerance for another machine, version of a library or setting, in standard deviations of the seeds' means.

Machines and versions round differently, and a training amplifies that.
"""


@dataclass(frozen=True)
class VerifyRequest:
    """Options of `python -m benchmarks verify`.

    Attributes:
        study: study of the table.
        row: values of the table's columns.
        quantity: quantity of the cell, as records or tables name it.
        profile: name or TOML file of the records' profile.
        source: data set, as `ossnet.data.sources.open_dataset` takes it or by its name in records.
        results: the results folder.
        seed: seed to train again; None for the first of the cell.
        train: whether to train a seed again, rather than only compare the table with its records.
        command: the command line, for the provenance of the new records.
        settings: settings of the training that are changed, such as `{"recipe": {"memory": "lean"}}`.
    """

    study: Study
    row: Sequence[str]
    quantity: str
    profile: str
    source: str
    results: Path
    seed: int | None
    train: bool
    command: str
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Comparison:
    """Scores of one seed, then and now.

    Attributes:
        scores: one row per case, with columns `then` and `now`; NaN where a score is not valid.
        spread: standard deviation of the seeds' means; NaN for a single seed.
        made_then: code, versions and machine of the record, as `made_with` returns them.
        made_now: the same of the new record.
        changed: whether settings of the training were changed.
    """

    scores: pd.DataFrame
    spread: float
    made_then: Mapping[str, str]
    made_now: Mapping[str, str]
    changed: bool = False

    @property
    def equal(self) -> bool:
        """True if each case has the same score, to the last bit."""
        return self.scores["then"].equals(self.scores["now"])

    @property
    def mean_difference(self) -> float:
        """Difference between the seed's means over its valid cases, now minus then."""
        means = self.scores.mean()
        return float(means["now"] - means["then"])

    @property
    def changes(self) -> dict[str, tuple[str, str]]:
        """Values then and now, by name, of everything that the two were made with and that differs."""
        both = {name: (self.made_then.get(name, "unknown"), now) for name, now in self.made_now.items()}
        return {name: (then, now) for name, (then, now) in both.items() if then != now}

    @property
    def another_machine(self) -> bool:
        """True if more than the suite's code differs or a GPU was used, so that scores may differ, too."""
        return bool(self.changes.keys() - {"commit", "ossnet"}) or self.made_now["GPU"] != "none"

    @property
    def within_bound(self) -> bool:
        """True if another machine or setting explains the difference."""
        expected = self.another_machine or self.changed
        return expected and abs(self.mean_difference) <= TOLERATED_SPREADS * self.spread


def verify(request: VerifyRequest) -> int:
    """Print the origin of a cell's number, compare it with its records, and train one of its seeds again.

    Returns:
        The exit status: 0 if everything agrees, otherwise 1.

    Raises:
        UserError: there is no such cell or table, or its data set is not available.
    """
    profile = load_profile(request.profile)
    origin = find_origin(
        request.study, request.row, request.quantity, _dataset_name(request, profile), profile.name, request.results
    )
    print("\n".join(describe(origin)))
    found = disagreements(origin)
    print("\n".join(found or [f"{origin.stem}.csv and .md: equal ({printed_cell(origin, origin.markdown)})"]))
    if not request.train:
        return 1 if found else 0
    retraining = train_again(origin, request, profile)
    print("\n".join(retraining.lines))
    return 1 if found or not retraining.confirmed else 0


class Retraining(NamedTuple):
    """Outcome of training a seed again.

    Attributes:
        confirmed: whether the scores are equal, or differ by no more than another machine or setting explains.
        lines: lines of text that describe the outcome.
    """

    confirmed: bool
    lines: Sequence[str]


def train_again(origin: Origin, request: VerifyRequest, profile: Profile) -> Retraining:
    """Train one of the cell's seeds again in `results/verify`, score it, and compare it with its record.

    With changed settings it is another training, whose scores may differ as much as those of another machine.

    A training that an earlier call began there is continued. A finished one is used only if it was made by this commit
    without changes, with these versions, on this machine.

    Raises:
        UserError: the cell has no such seed, the data are not those of its record, or a setting is none of a training.
    """
    seed = min(origin.runs) if request.seed is None else request.seed
    if seed not in origin.runs:
        seeds = ", ".join(map(str, sorted(origin.runs)))
        raise UserError(f"--seed {seed}: the cell has no such seed; choose from {seeds}")
    record = origin.runs[seed]
    planned = _plan(record, request, profile)
    run = planned.run
    _delete_outdated(planned)
    end_as_interrupted()
    seconds = sum(part["seconds"] for part in provenances(record))
    Sweep([planned], local_executor(1), Pace((FinishedRun(run.model, run.work, seconds),)), "training again").run()
    (now,) = collect(Plan(origin.study.name, origin.records.dataset, profile.name, (run,))).rows
    if "failure" in now:
        return Retraining(False, [f"Seed {seed} trained again: it failed: {now['failure']}"])
    comparison = compare(record, now, origin.quantity, origin.numbers["std_seeds"], bool(request.settings))
    means = [scores_by_case(other, origin.quantity).mean() for other in origin.runs.values()]
    mean = comparison.scores["now"].mean()
    lines = [
        f"Seed {seed} trained again in {run.training}: {agreement(comparison)}",
        f"Means of seeds: {min(means):.4f} to {max(means):.4f} in the records, {mean:.4f} now",
        f"Then and now differ in: {differences(comparison.changes)}",
    ]
    return Retraining(comparison.equal or comparison.within_bound, lines)


def compare(then: Record, now: Record, quantity: str, spread: float, changed: bool = False) -> Comparison:
    """Compare the scores of two records of one specification, or with settings that were changed.

    Args:
        then: the earlier record.
        now: the later record.
        quantity: quantity whose scores are compared.
        spread: standard deviation of the seeds' means.
        changed: whether settings of the training were changed.
    """
    scores = pd.DataFrame({"then": scores_by_case(then, quantity), "now": scores_by_case(now, quantity)})
    return Comparison(scores, spread, made_with(then), made_with(now), changed)


def agreement(comparison: Comparison) -> str:
    """Describe in words how the scores of two trainings of a seed agree."""
    scores = comparison.scores
    if comparison.equal:
        return f"equal, all {len(scores)} cases to the last bit"
    differences_by_case = (scores["now"] - scores["then"]).abs()
    parts = []
    if differences_by_case.notna().any():
        case = str(differences_by_case.idxmax())
        parts.append(
            f"the largest difference of a case is {differences_by_case[case]:.3g} ({case}: {scores['then'][case]:.6f} "
            f"then, {scores['now'][case]:.6f} now)"
        )
    only_one = scores.index[scores["then"].isna() != scores["now"].isna()]
    if len(only_one):
        parts.append(f"cases that are valid only then or only now: {', '.join(only_one)}")
    of_spread = f", {abs(comparison.mean_difference) / comparison.spread:.2g} times" if comparison.spread > 0 else ";"
    parts.append(
        f"the difference of the seed's mean is {comparison.mean_difference:+.3g}{of_spread} the standard deviation "
        f"over seeds ({comparison.spread:.3g})"
    )
    bound = f"{TOLERATED_SPREADS:g} standard deviations, the tolerance for another machine, version or setting"
    if comparison.within_bound:
        verdict = f"this is within {bound}"
    elif comparison.another_machine or comparison.changed:
        verdict = f"this is more than {bound}"
    else:
        verdict = "this machine with these versions should reproduce the scores exactly"
    return f"not equal: {'; '.join([*parts, verdict])}"


def differences(changes: Mapping[str, tuple[str, str]]) -> str:
    """Describe in words what changed between the two records."""
    texts = [f"{name} ({then} then, {now} now)" for name, (then, now) in changes.items()]
    return ", ".join(texts) or "nothing that is recorded"


def _dataset_name(request: VerifyRequest, profile: Profile) -> str:
    """Return the name of the requested data set, which may be a source or the name of a data set with records."""
    recorded = [
        records.dataset
        for folder in (request.results, REFERENCE)
        for records in read_records(folder / "records", [request.study.name])
    ]
    if request.source in recorded:
        return request.source
    return open_dataset(request.source, profile.generator(request.source), request.results / "cache", workers=0).name


def _plan(record: Record, request: VerifyRequest, profile: Profile) -> PlannedRun:
    name = f"the record {record['identity'][:12]}"
    scoring = build_scoring(record["spec"], name)
    if identity(plain(scoring)) != record["identity"]:
        raise UserError(f"{name} does not have the identity of its specification; collect the records again")
    generator, cache = profile.generator(request.source), request.results / "cache"
    dataset = open_with_progress(request.source, generator, cache)
    if dataset.fingerprint != scoring.training.fingerprint:
        raise UserError(
            f"--data {request.source} with --profile {profile.name} is not the data of {name} (cases, files or splits "
            "differ); give the --data and --profile of the record, or use --no-train"
        )
    if request.settings:
        if request.settings.keys() - set(PARTS):
            raise UserError(f"--set: settings start with {', '.join(f'{part}.' for part in PARTS)}")
        scoring = build_scoring(merge(record["spec"], {"training": request.settings}), "--set")
        refuse_replaced(request.settings, scoring.training)
    threads = provenances(record)[0]["attempts"][-1]["cpu"]["torch_threads"]
    job = Job(request.source, generator, str(cache.resolve()), threads, request.command)
    return plan_run(scoring, record["columns"], dataset, job, request.results / "verify")


def _delete_outdated(planned: PlannedRun) -> None:
    """Delete a failure of the run's training, and both folders if other code, versions or machines have worked on them.

    If the checkout has uncommitted changes, a finished run is deleted, too, since it may have been made with others.
    """
    run = planned.run
    if is_locked(run.folder) or is_locked(run.training):
        return
    (run.training / "failure.json").unlink(missing_ok=True)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    now = provenance(planned.job["command"], device)
    facts = facts_of(now) | {"threads": str(planned.job["threads"])}
    paths = [folder / "provenance.json" for folder in (run.training, run.folder)]
    attempts = [attempt for path in paths if path.exists() for attempt in read_json(path)["attempts"]]
    if any(facts_of(attempt) != facts for attempt in attempts) or (run.done and now["dirty"] is not False):
        for folder in (run.folder, run.training):
            shutil.rmtree(folder, ignore_errors=True)
