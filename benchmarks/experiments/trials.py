"""Short trials of trainings: seconds per step on this machine, and the batch that fills a memory.

A trial makes some steps as a training makes them, on cases of the data set, and is recorded in
`results/trials/STUDY-DATASET-PROFILE.jsonl`. Later plans read it there, so that a study has the same specifications
whenever it is resumed, also with `--force`. Trials of another machine are refused.
"""

import json
import math
import tempfile
import traceback
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any

import torch

from benchmarks.experiments.pipeline import failure_reason
from benchmarks.experiments.training import training_step
from benchmarks.machine.provenance import provenance
from benchmarks.markup import machine_text
from benchmarks.runs.sweep import log
from benchmarks.scoring.scoring import Job
from ossnet.config import build, digest, plain
from ossnet.data.case import Dataset
from ossnet.data.prepared import PreparedCases
from ossnet.errors import UserError
from ossnet.files import write_text
from ossnet.locks import hold, is_held
from ossnet.memory.footprint import predict
from ossnet.out_of_memory import is_out_of_memory
from ossnet.training.loop import EpochReport, train
from ossnet.training.optimization import Optimization
from ossnet.training.run import RunSpec
from ossnet.training.validation import Validation

STEPS = 3
EPOCHS = 4
"""Steps per epoch and least epochs of a trial; the first, in which much is done for the first time, does not count."""

DURATION_S = 6.0
"""Time that a trial takes at least, so that what else the machine does for a moment decides no median."""

PATIENCE_S = 3600.0
"""Time to wait for another process that makes trials."""


@dataclass(frozen=True)
class Trial:
    """Outcome of a trial.

    Attributes:
        identity: see `trial_identity`.
        model: name of the model.
        batch_size: number of cases per step.
        seconds: seconds per step of each epoch that counts; none for a trial that failed.
        predicted_bytes: predicted peak memory of a training step on a GPU.
        provenance: machine, code and versions.
        failure: why the trial failed; empty if it did not.
    """

    identity: str
    model: str
    batch_size: int
    seconds: tuple[float, ...]
    predicted_bytes: int
    provenance: Mapping[str, Any]
    failure: str = ""

    @property
    def seconds_per_step(self) -> float:
        """Median of `seconds`."""
        return median(self.seconds)


class Trials:
    """The trials of a file, which is written again with each new one.

    Args:
        path: the file; there may be none yet.

    Raises:
        UserError: the file holds no trials.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._found = _read(path)

    def of(self, spec: RunSpec, within: RunSpec | None = None) -> Trial | None:
        """Return the trial of a specification, None if it has not been made.

        Args:
            spec: the specification.
            within: specification whose training step sets the memory that the batch fills; None for the batch of
                `spec`.
        """
        return self._found.get(trial_identity(spec, within))

    def make(self, spec: RunSpec, within: RunSpec | None, dataset: Dataset, job: Job) -> Trial:
        """Make and record the trial of a specification, unless another process has made it meanwhile.

        One process at a time makes trials in a results folder, since two would slow each other down. A trial that fails
        is recorded, too, unless reading or writing a file fails.

        Args:
            spec: the specification.
            within: see `of`.
            dataset: data set of the training.
            job: how trials are made.

        Raises:
            UserError: another process makes trials for longer than `PATIENCE_S`.
            OSError: a file cannot be read or written, such as on a full disk.
        """
        with _alone(self._path.parent / "trials.lock"):
            self._found = _read(self._path)
            trial = self.of(spec, within)
            if trial is None:
                trial = self._make(spec, within, dataset, job)
                self._found[trial.identity] = trial
                rows = (json.dumps(asdict(trial), sort_keys=True) + "\n" for trial in self._found.values())
                write_text(self._path, "".join(rows))
        return trial

    def _make(self, spec: RunSpec, within: RunSpec | None, dataset: Dataset, job: Job) -> Trial:
        identity = trial_identity(spec, within)
        if within is not None:
            batch_size = largest_batch(spec, predicted_bytes(within), len(dataset.splits["train"]))
            spec = replace(spec, recipe=replace(spec.recipe, batch_size=batch_size))
            if same := self.of(spec):
                return replace(same, identity=identity)
        seconds: list[float] = []
        failure = ""
        with _threads(job.threads):
            made_with = provenance(job.command, _device())
            try:
                seconds = time_steps(spec, dataset, job)
            except OSError:  # A full disk, say, is no property of the model.
                raise
            except Exception as error:
                failure = failure_reason(error)
                if not isinstance(error, UserError) and not is_out_of_memory(error):
                    traceback.print_exc()
        predicted = predicted_bytes(spec)
        return Trial(identity, spec.model, spec.recipe.batch_size, tuple(seconds), predicted, made_with, failure)

    def require_made_here(self, job: Job) -> None:
        """Raise UserError where there are trials of another machine, or with another number of threads."""
        with _threads(job.threads):
            here = machine_text(provenance(job.command, _device()))
        others = {machine_text(trial.provenance) for trial in self._found.values()} - {here}
        if others:
            raise UserError(
                f"the trials in {self._path} were made on {', '.join(sorted(others))}, but this is {here}; go on "
                "there, or begin anew here by deleting that file"
            )


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold the lock of trials during a block, after waiting for the process that holds it."""
    if is_held(path):
        log(f"another process is making trials ({path}); waiting for it")
    with hold(path, PATIENCE_S) as held:
        if not held:
            raise UserError(f"another process is still making trials ({path}); end it, or wait until it has ended")
        yield


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """Let torch use a number of CPU threads during a block."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _read(path: Path) -> dict[str, Trial]:
    """Read the trials of a file by their identities; none if it does not exist."""
    if not path.exists():
        return {}
    try:
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        trials = [Trial(**row | {"seconds": tuple(row["seconds"])}) for row in rows]
    except (ValueError, TypeError, KeyError) as error:
        raise UserError(f"{path} holds no trials ({error}); delete it and run the study again") from error
    return {trial.identity: trial for trial in trials}


def trial_identity(spec: RunSpec, within: RunSpec | None = None) -> str:
    """Return the hash of what a trial depends on: all but seed, length, learning rates and validation.

    Args:
        spec: specification of the training.
        within: specification that sets the memory; the batch of `spec` does not matter then.
    """
    if within is None:
        return digest(plain(_any_length(spec)))
    one = replace(spec, recipe=replace(spec.recipe, batch_size=1))
    return digest([trial_identity(one), trial_identity(within)])


def _any_length(spec: RunSpec) -> RunSpec:
    """Return a specification that is the same for all trainings with the same steps."""
    optimization = Optimization(
        algorithm=spec.recipe.optimization.algorithm, lookahead=spec.recipe.optimization.lookahead
    )
    recipe = replace(spec.recipe, epochs=1, steps_per_epoch=1, optimization=optimization, validation=Validation())
    return replace(spec, seed=0, recipe=recipe)


def time_steps(spec: RunSpec, dataset: Dataset, job: Job) -> list[float]:
    """Return the seconds per step of each epoch that counts, with reading and augmentation but without validation."""
    short = _time_epochs(spec, EPOCHS, dataset, job)
    epochs = math.ceil(DURATION_S / (STEPS * median(short)))
    return short if epochs <= len(short) else _time_epochs(spec, 1 + epochs, dataset, job)


def _time_epochs(spec: RunSpec, epochs: int, dataset: Dataset, job: Job) -> list[float]:
    recipe = replace(spec.recipe, epochs=epochs, steps_per_epoch=STEPS)
    reports: list[EpochReport] = []
    model = spec.make_model().to(_device())
    cases = PreparedCases(dataset, "train", spec.preprocessing, Path(job.cache), recipe.sampling, model.slicing)
    cases.prepare()
    with tempfile.TemporaryDirectory() as folder:
        train(model, cases, [], recipe, spec.seed, Path(folder), spec.identity, reports.append)
    return [report.seconds / STEPS for report in reports[1:]]


def _device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def predicted_bytes(spec: RunSpec) -> int:
    """Predict the peak memory of a training step on a GPU, whatever the machine at hand."""
    return _predicted_bytes(json.dumps(plain(_any_length(spec)), sort_keys=True))


@cache
def _predicted_bytes(specification: str) -> int:
    spec = build(RunSpec, json.loads(specification), "specification")
    return predict(training_step(spec, spec.recipe.batch_size)).allocated_bytes


def largest_batch(spec: RunSpec, limit_bytes: int, cases: int) -> int:
    """Return the largest batch whose predicted memory is within a limit, but at least one case, and at most `cases`."""

    def predicted(batch_size: int) -> int:
        return predicted_bytes(replace(spec, recipe=replace(spec.recipe, batch_size=batch_size)))

    return max(1, bisect_right(range(1, cases + 1), limit_bytes, key=predicted))
