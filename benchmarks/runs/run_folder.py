"""One run of a study: its folder, its state, and how far it is. Reads and writes files only, and never imports torch.

A run measures a trained model. Its folder holds

- `spec.json`, what is measured: its SHA-256 is the run's identity, and nothing else decides the outcome;
- `job.json`, how: where the data are, threads, the command;
- `lock`, held by the process that is at work on it;
- `provenance.json`, where and when it was made, by which code, and what it took since its model was trained (see
  `benchmarks.runs.attempts`);
- files of detail, such as `per_case.csv`, and last `result.json`, or `failure.json` in place of a result.

The training has a folder of its own, which every run of that trained model shares. It holds `spec.json`, `lock`,
`provenance.json`, and `result.json` or `failure.json` likewise, and what `ossnet.training.run.train_run` leaves: the
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
    """What has become of a run. A failure is an outcome, never a result."""

    DONE = "done"
    FAILED = "failed"
    RUNNING = "running"
    MISSING = "missing"


@dataclass(frozen=True)
class Run:
    """A run as its study's plan lists it.

    Attributes:
        folder: of this run, named by its identity.
        columns: what tells it apart in the study besides model and seed.
        epochs: of its training.
        work: floating-point operations of its training, roughly.
        trained_in: the folder of its training, named by that one's identity; None for `training` in its own folder, as
            earlier versions had it.
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
        """For people."""
        return " ".join([self.model, *map(str, self.columns.values()), f"seed {self.seed}"])

    @property
    def done(self) -> bool:
        return (self.folder / "result.json").exists()

    @property
    def state(self) -> State:
        if self.done:
            return State.DONE
        if is_locked(self.folder):
            return State.RUNNING
        return State.FAILED if (self.folder / "failure.json").exists() else State.MISSING

    @property
    def failure(self) -> str | None:
        """Why it failed, `OOM` or a sentence; None where it did not."""
        try:
            reason = str(read_json(self.folder / "failure.json")["reason"])
        except FileNotFoundError:
            return None
        return None if self.done else reason

    def prepare(self, spec: Mapping[str, Any], job: Mapping[str, Any]) -> None:
        """Write what a worker needs to know, and forget an earlier failure."""
        write_json(self.folder / "spec.json", spec)
        write_json(self.folder / "job.json", job)
        (self.folder / "failure.json").unlink(missing_ok=True)

    def fail(self, reason: str) -> None:
        """Record that it failed, and so did its training if that is not done, nor made by another: none can use it."""
        write_failure(self.folder, reason)
        with lock(self.training) as mine:
            if mine and not self.is_trained:
                write_failure(self.training, reason)

    @property
    def training(self) -> Path:
        """The folder of its training."""
        return self.trained_in or self.folder / "training"

    @property
    def is_trained(self) -> bool:
        return (self.training / "result.json").exists()

    @cached_property
    def _history(self) -> Path:
        return self.training / "history.csv"

    def trained(self) -> float:
        """The part of its training that is done, 0 to 1, by the epochs that its history holds."""
        if not self._history.exists():
            return 0.0
        with self._history.open(encoding="utf-8") as file:
            return sum(1 for _ in csv.DictReader(file)) / self.epochs

    def trained_at(self) -> float | None:
        """When its last epoch ended, in seconds since 1970; None before the first."""
        return self._history.stat().st_mtime if self._history.exists() else None

    def seconds(self) -> float | None:
        """What a run that is done and its training took, in all their attempts."""
        if not self.done:
            return None
        paths = [folder / "provenance.json" for folder in (self.folder, self.training)]
        seconds = [float(read_json(path)["seconds"]) for path in paths if path.exists()]
        return sum(seconds) if seconds else None


def work_left(runs: Iterable[Run], anew: bool = False) -> list[tuple[str, float]]:
    """Model and floating-point operations of each training that the runs need and that is not done, each once.

    Args:
        anew: whether those that are done, or in part, will be made again.
    """
    by_training = {run.training: run for run in runs}
    return [(run.model, run.work * (1 - (0 if anew else run.trained()))) for run in by_training.values()]


def identity(spec: Mapping[str, Any]) -> str:
    """SHA-256 of a specification's plain values, hexadecimal."""
    return digest(spec)


def lock(folder: Path, patience_s: float = 1.0) -> AbstractContextManager[bool]:
    """Hold the lock of a run's or a training's folder; False where another process does, see `ossnet.locks.hold`."""
    return hold(folder / "lock", patience_s)


def is_locked(folder: Path) -> bool:
    """Whether a process is at work on the run, or the training, of a folder, see `ossnet.locks.is_held`."""
    return is_held(folder / "lock")


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def write_failure(folder: Path, reason: str) -> None:
    """Record that the run of a folder failed: `OOM`, or a sentence."""
    write_json(folder / "failure.json", {"reason": reason})


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    write_text(path, json.dumps(values, indent=2, sort_keys=True) + "\n")
