"""`python -m benchmarks verify`: tell where a printed number comes from, and make a part of it again."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

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
from benchmarks.scoring.registry import build_measurement
from benchmarks.scoring.scoring import Job
from benchmarks.study import Study
from ossnet.config import plain
from ossnet.data.sources import open_dataset, open_with_progress
from ossnet.errors import UserError
from ossnet.training.profile import Profile, load_profile

OTHER_MACHINE_SPREADS = 2.0
"""Another machine, or version of a library, rounds otherwise, and a training makes much of that: its seed's mean may
then be off by so many standard deviations of the seeds' means."""


@dataclass(frozen=True)
class VerifyRequest:
    """The request of a command line.

    Attributes:
        row: values of the table's columns.
        seed: to train again; None for the first.
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


@dataclass(frozen=True)
class Comparison:
    """The scores of one seed, then and now.

    Attributes:
        scores: a row a case, with columns `then` and `now`; NaN where one is not valid.
        spread: standard deviation of the seeds' means; NaN for one seed.
        made_then: what `made_with` tells of the record.
        made_now: the same of the one made again.
    """

    scores: pd.DataFrame
    spread: float
    made_then: Mapping[str, str]
    made_now: Mapping[str, str]

    @property
    def equal(self) -> bool:
        """True where each case has the same score, to the last bit."""
        return self.scores["then"].equals(self.scores["now"])

    @property
    def mean_difference(self) -> float:
        """The seed's mean over its valid cases, now less then."""
        means = self.scores.mean()
        return float(means["now"] - means["then"])

    @property
    def changes(self) -> dict[str, tuple[str, str]]:
        """The differences, by name, between what the two were made with, then and now."""
        both = {name: (self.made_then.get(name, "unknown"), now) for name, now in self.made_now.items()}
        return {name: (then, now) for name, (then, now) in both.items() if then != now}

    @property
    def another_machine(self) -> bool:
        """True where more than the suite's code differs, or a GPU was used: then numbers may differ, too."""
        return bool(self.changes.keys() - {"commit", "ossnet"}) or self.made_now["GPU"] != "none"

    @property
    def within_bound(self) -> bool:
        """True where another machine explains the difference."""
        return self.another_machine and abs(self.mean_difference) <= OTHER_MACHINE_SPREADS * self.spread


def verify(request: VerifyRequest) -> int:
    """Tell where a cell's number comes from and what it comes to again; 0 where all of it agrees, else 1.

    Raises:
        UserError: there is no such cell or no such table, or its data are not at hand.
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
    again = train_again(origin, request, profile)
    print("\n".join(again.lines))
    return 1 if found or not again.holds else 0


class Again(NamedTuple):
    """The outcome of training a seed again.

    Attributes:
        holds: the scores are equal, or differ by no more than another machine may make them.
        lines: that say so.
    """

    holds: bool
    lines: Sequence[str]


def train_again(origin: Origin, request: VerifyRequest, profile: Profile) -> Again:
    """Train one of the cell's seeds again in `results/verify`, score it, and hold it beside its record.

    What an interrupted call has left there is gone on with. What is whole there is only taken if it was made by this
    commit without changes, with these versions, on this machine.

    Raises:
        UserError: the cell has no such seed, or the data are not those of its record.
    """
    seed = min(origin.runs) if request.seed is None else request.seed
    if seed not in origin.runs:
        raise UserError(f"the cell has no seed {seed}; it has {', '.join(map(str, sorted(origin.runs)))}")
    record = origin.runs[seed]
    planned = _plan(record, request, profile)
    run = planned.run
    _make_room(planned)
    end_as_interrupted()
    seconds = sum(part["seconds"] for part in provenances(record))
    Sweep([planned], local_executor(1), Pace((FinishedRun(run.model, run.work, seconds),)), "training again").run()
    (again,) = collect(Plan(origin.study.name, origin.records.dataset, profile.name, (run,))).rows
    if "failure" in again:
        return Again(False, [f"Seed {seed} trained again: it failed: {again['failure']}"])
    comparison = compare(record, again, origin.quantity, origin.numbers["std_seeds"])
    told = [
        f"Seed {seed} trained again in {run.training}: {agreement(comparison)}",
        f"Then and now differ in: {differences(comparison.changes)}",
    ]
    return Again(comparison.equal or comparison.within_bound, told)


def compare(then: Record, now: Record, quantity: str, spread: float) -> Comparison:
    """Hold the scores of two records of one specification beside each other."""
    scores = pd.DataFrame({"then": scores_by_case(then, quantity), "now": scores_by_case(now, quantity)})
    return Comparison(scores, spread, made_with(then), made_with(now))


def agreement(comparison: Comparison) -> str:
    """Tell how two trainings of a seed compare: equal, or by how much not."""
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
        parts.append(f"valid only then or now: {', '.join(only_one)}")
    of_spread = f", {abs(comparison.mean_difference) / comparison.spread:.2g} times" if comparison.spread > 0 else ";"
    parts.append(
        f"that of the seed's mean is {comparison.mean_difference:+.3g}{of_spread} the standard deviation over seeds "
        f"({comparison.spread:.3g})"
    )
    if comparison.within_bound:
        verdict = f"within {OTHER_MACHINE_SPREADS:g} of these, which another machine or version may make"
    elif comparison.another_machine:
        verdict = f"more than {OTHER_MACHINE_SPREADS:g} of these, which another machine or version may make"
    else:
        verdict = "this machine and these versions should come to the same"
    return f"not equal: {'; '.join([*parts, verdict])}"


def differences(changes: Mapping[str, tuple[str, str]]) -> str:
    """Tell in words what differs."""
    texts = [f"{name} ({then} then, {now} now)" for name, (then, now) in changes.items()]
    return ", ".join(texts) or "nothing that is recorded"


def _dataset_name(request: VerifyRequest, profile: Profile) -> str:
    """Name the data set of a source, which may also be given by its name where there are records of it."""
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
    measurement = build_measurement(record["spec"], name)
    if identity(plain(measurement)) != record["identity"]:
        raise UserError(f"{name} is not what its specification says; collect the records again")
    generator, cache = profile.generator(request.source), request.results / "cache"
    dataset = open_with_progress(request.source, generator, cache)
    if dataset.fingerprint != measurement.training.fingerprint:
        raise UserError(
            f"data {request.source} with profile {profile.name} are not those of {name} (cases, files or splits); "
            "give its --data and --profile, or --no-train"
        )
    threads = provenances(record)[0]["attempts"][-1]["cpu"]["torch_threads"]
    job = Job(request.source, generator, str(cache.resolve()), threads, request.command)
    return plan_run(measurement, record["columns"], dataset, job, request.results / "verify")


def _make_room(planned: PlannedRun) -> None:
    """Forget a failure, and what other code, versions or machines have made of this run.

    Code with changes may be other code than it was: what it has finished is made anew, too.
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
