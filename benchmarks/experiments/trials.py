"""Short trials of trainings: seconds per step on this machine, and the batch that fills a memory.

A trial makes some steps as a training makes them, on cases of the data set, and is recorded in
`results/trials/STUDY-DATASET-PROFILE.jsonl`. Later plans read it there, so that a study has the same specifications
whenever it is resumed.
"""

import json
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any

import torch

from benchmarks.machine.provenance import provenance
from benchmarks.scoring.scoring import Job
from ossnet.config import build, digest, plain
from ossnet.data.case import Dataset
from ossnet.data.prepared import PreparedCases
from ossnet.errors import UserError
from ossnet.files import write_text
from ossnet.locks import hold
from ossnet.memory.footprint import predict
from ossnet.memory.workload import Workload, locations_for
from ossnet.training.loop import EpochReport, train
from ossnet.training.optimization import Optimization
from ossnet.training.run import RunSpec
from ossnet.training.validation import Validation

STEPS = 3
EPOCHS = 4
"""Steps per epoch and epochs of a trial; the first epoch, in which much is done for the first time, does not count."""

PATIENCE_S = 3600.0
"""Time to wait for another process that makes trials."""


@dataclass(frozen=True)
class Trial:
    """Outcome of a trial.

    Attributes:
        identity: see `trial_identity`.
        model: name of the model.
        batch_size: number of cases per step.
        seconds: seconds per step of each epoch that counts.
        predicted_bytes: predicted peak memory of a training step on a GPU.
        provenance: machine, code and versions.
    """

    identity: str
    model: str
    batch_size: int
    seconds: tuple[float, ...]
    predicted_bytes: int
    provenance: Mapping[str, Any]

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

    def of(self, spec: RunSpec) -> Trial | None:
        """Return the trial of a specification, None if it has not been made."""
        return self._found.get(trial_identity(spec))

    def make(self, spec: RunSpec, dataset: Dataset, job: Job) -> Trial:
        """Make and record the trial of a specification, unless another process has made it meanwhile.

        One process at a time makes trials of a file, since two would slow each other down.

        Raises:
            UserError: another process holds the file for longer than `PATIENCE_S`.
        """
        with hold(self._path.with_suffix(".lock"), PATIENCE_S) as held:
            if not held:
                raise UserError(f"another process is making the trials in {self._path}; wait for it or end it")
            self._found = _read(self._path)
            found = self.of(spec)
            if found is not None:
                return found
            trial = Trial(
                trial_identity(spec),
                spec.model,
                spec.recipe.batch_size,
                tuple(time_steps(spec, dataset, job)),
                predicted_bytes(spec, spec.recipe.batch_size),
                provenance(job.command, _device()),
            )
            self._found[trial.identity] = trial
            rows = (json.dumps(asdict(trial), sort_keys=True) + "\n" for trial in self._found.values())
            write_text(self._path, "".join(rows))
            return trial


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


def trial_identity(spec: RunSpec) -> str:
    """Return the hash of what a step's time depends on: all but seed, length, learning rates and validation."""
    recipe = replace(spec.recipe, epochs=1, steps_per_epoch=1, optimization=Optimization(), validation=Validation())
    return digest(plain(replace(spec, seed=0, recipe=recipe)))


def time_steps(spec: RunSpec, dataset: Dataset, job: Job) -> list[float]:
    """Return the seconds per step of each epoch that counts, with reading and augmentation but without validation."""
    device = _device()
    recipe = replace(spec.recipe, epochs=EPOCHS, steps_per_epoch=STEPS)
    reports: list[EpochReport] = []
    before = torch.get_num_threads()
    torch.set_num_threads(job.threads)
    try:
        model = spec.make_model().to(device)
        cases = PreparedCases(dataset, "train", spec.preprocessing, Path(job.cache), recipe.sampling, model.slicing)
        cases.prepare()
        with tempfile.TemporaryDirectory() as folder:
            train(model, cases, [], recipe, spec.seed, Path(folder), spec.identity, reports.append)
    finally:
        torch.set_num_threads(before)
    return [report.seconds / STEPS for report in reports[1:]]


def _device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def predicted_bytes(spec: RunSpec, batch_size: int) -> int:
    """Predict the peak memory of a training step on a GPU, whatever the machine at hand."""
    same = replace(spec, seed=0, recipe=replace(spec.recipe, epochs=1, steps_per_epoch=1, optimization=Optimization()))
    return _predicted_bytes(json.dumps(plain(same), sort_keys=True), batch_size)


@cache
def _predicted_bytes(specification: str, batch_size: int) -> int:
    spec = build(RunSpec, json.loads(specification), "specification")
    locations = locations_for(spec.model, spec.recipe.sampling.count)
    workload = Workload(spec.model, spec.config, "training", batch_size, locations, spec.recipe.execution)
    return predict(workload).allocated_bytes


def largest_batch(spec: RunSpec, limit_bytes: int) -> int:
    """Return the largest batch whose predicted memory is within a limit, but at least one case.

    Memory grows by about the same for each case, so that two predictions tell where to look.
    """
    one, two = (predicted_bytes(spec, batch_size) for batch_size in (1, 2))
    batch_size = max(1, 2 + (limit_bytes - two) // max(two - one, 1))
    while batch_size > 1 and predicted_bytes(spec, batch_size) > limit_bytes:
        batch_size -= 1
    return batch_size
