"""The folder of a run: its specification and identity, its state, and how far it is.

A run measures a trained model. Its folder holds

- `spec.json`, the specification of what is measured. Its hash, computed by `identity`, is the run's identity, by
  which `benchmarks.scoring.scoring.folder_of` names the folder;
- `job.json`, how the run is made: where the data are, threads, the command;
- `lock`, held by the process that is at work on the run;
- `provenance.json`, where and when it was made, by which code, and how long it took since its model was trained (see
  `benchmarks.experiments.attempts`);
- files of detail, such as `per_case.csv`, and last `result.json`, or `failure.json` in place of a result.

The training has a folder of its own, which every run of the trained model shares. It holds `spec.json`, `lock`,
`provenance.json`, and `result.json` or `failure.json` likewise, and the files of `ossnet.training.run.train_run`: the
checkpoint to go on from, `history.csv` and `model.safetensors`.
"""

import csv
import json
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any

from benchmarks.study import Columns
from ossnet.config import digest
from ossnet.files import write_text
from ossnet.locks import hold, is_held


class State(StrEnum):
    """The state of a run. A failure is an outcome, never a result."""

    DONE = "done"
    FAILED = "failed"
    RUNNING = "running"
    MISSING = "missing"


@dataclass(frozen=True)
class Run:
    """A run as its study's plan lists it.

    Attributes:
        folder: folder of the run, named by its identity.
        model: name of the model.
        seed: seed of the training.
        columns: values that distinguish the run in its study, apart from model and seed.
        epochs: number of epochs of the training.
        work: floating-point operations of the training, roughly.
        trained_in: folder of the training, named by the training's identity; None for `training` in the run's folder,
            where earlier versions had it.
    """

    folder: Path
    model: str
    seed: int
    columns: Columns = field(default_factory=dict)
    epochs: int = 1
    work: float = 1.0
    trained_in: Path | None = None

    @property
    def name(self) -> str:
        """Name for people: model, columns and seed."""
        return " ".join([self.model, *map(str, self.columns.values()), f"seed {self.seed}"])

    @property
    def done(self) -> bool:
        """True if the run has a result."""
        return (self.folder / "result.json").exists()

    @property
    def state(self) -> State:
        """State of the run; a result takes precedence over a lock, and a lock over an earlier failure."""
        if self.done:
            return State.DONE
        if is_locked(self.folder):
            return State.RUNNING
        return State.FAILED if (self.folder / "failure.json").exists() else State.MISSING

    @property
    def failure(self) -> str | None:
        """Reason of the failure, `OOM` or a sentence; None where the run did not fail."""
        try:
            reason = str(read_json(self.folder / "failure.json")["reason"])
        except FileNotFoundError:
            return None
        return None if self.done else reason

    def prepare(self, spec: Mapping[str, Any], job: Mapping[str, Any]) -> None:
        """Write the files that a worker reads, and delete the record of an earlier failure."""
        write_json(self.folder / "spec.json", spec)
        write_json(self.folder / "job.json", job)
        (self.folder / "failure.json").unlink(missing_ok=True)

    def fail(self, reason: str) -> None:
        """Record that the run failed.

        So did its training, for every run that needs it, unless that is done or another process is at work on it.
        """
        write_failure(self.folder, reason)
        with lock(self.training) as acquired:
            if acquired and not self.is_trained:
                write_failure(self.training, reason)

    @property
    def training(self) -> Path:
        """Folder of the training."""
        return self.trained_in or self.folder / "training"

    @property
    def is_trained(self) -> bool:
        """True if the training has a result."""
        return (self.training / "result.json").exists()

    @cached_property
    def _history(self) -> Path:
        return self.training / "history.csv"

    def trained_fraction(self) -> float:
        """Return the fraction of the training that is done, 0 to 1, by the epochs in its history."""
        if not self._history.exists():
            return 0.0
        with self._history.open(encoding="utf-8") as file:
            return sum(1 for _ in csv.DictReader(file)) / self.epochs

    def last_epoch_at(self) -> float | None:
        """Return when the last epoch ended, in seconds since 1970; None before the first."""
        return self._history.stat().st_mtime if self._history.exists() else None

    def seconds(self) -> float | None:
        """Return the seconds that a run that is done and its training took, in all attempts; None if not known."""
        if not self.done:
            return None
        paths = [folder / "provenance.json" for folder in (self.folder, self.training)]
        seconds = [float(read_json(path)["seconds"]) for path in paths if path.exists()]
        return sum(seconds) if seconds else None


def work_left(runs: Iterable[Run], anew: bool = False) -> list[tuple[str, float]]:
    """Return model and remaining floating-point operations of each training that the runs need, each training once.

    Args:
        runs: runs that may share trainings.
        anew: whether trainings are made again from their beginning, done or not.
    """
    by_training = {run.training: run for run in runs}
    return [(run.model, run.work * (1 - (0 if anew else run.trained_fraction()))) for run in by_training.values()]


def identity(spec: Mapping[str, Any]) -> str:
    """Return the identity of a run or a training: the SHA-256 of its specification's plain values, hexadecimal.

    It does not depend on the order of the fields.
    """
    return digest(spec)


def lock(folder: Path, patience_s: float = 1.0) -> AbstractContextManager[bool]:
    """Hold the lock of a run's or a training's folder; yield False if another process does, see `ossnet.locks.hold`."""
    return hold(folder / "lock", patience_s)


def is_locked(folder: Path) -> bool:
    """Return whether a process is at work on the run or the training of a folder, see `ossnet.locks.is_held`."""
    return is_held(folder / "lock")


def read_json(path: Path) -> Any:
    """Read a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def write_failure(folder: Path, reason: str) -> None:
    """Record that the run or the training of a folder failed, and why: `OOM`, or a sentence."""
    write_json(folder / "failure.json", {"reason": reason})


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Write a JSON file whole or not at all, with its folder if that is missing."""
    write_text(path, json.dumps(values, indent=2, sort_keys=True) + "\n")
