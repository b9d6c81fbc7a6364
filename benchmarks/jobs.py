"""One run of a study: its folder, its state, and how far it is."""

import csv
import json
from dataclasses import dataclass
from pathlib import Path

from ossnet.config import plain
from ossnet.files import write_text
from ossnet.run import RunSpec, write_spec


@dataclass(frozen=True)
class Job:
    """A run to be made.

    Its folder holds `spec.json` and `job.json` (what to run), what `train` leaves, `per_case.csv` and `case.npz` (its
    scores and one segmentation), and last `result.json`; or `failure.json` in place of a result.

    Attributes:
        source: the data, as `ossnet.data.sources.open_dataset` takes it.
        profile: the profile's name.
        folder: of this run, named by the specification's identity.
        effort: how long it takes against others, roughly; for the time to go alone.
    """

    spec: RunSpec
    source: str
    profile: str
    folder: Path
    effort: float = 1.0

    @classmethod
    def under(cls, runs: Path, spec: RunSpec, source: str, profile: str, effort: float = 1.0) -> "Job":
        """The job of a specification in the folder `runs`."""
        name = f"{spec.dataset}-{spec.model}-seed{spec.seed}-{spec.identity[:12]}"
        return cls(spec, source, profile, runs / name, effort)

    @property
    def name(self) -> str:
        """For people: model and seed."""
        return f"{self.spec.model} seed {self.spec.seed}"

    @property
    def done(self) -> bool:
        """Whether its result is there. A failure is none: it is tried again."""
        return (self.folder / "result.json").exists()

    @property
    def failure(self) -> str | None:
        """Why it failed, or None."""
        path = self.folder / "failure.json"
        return str(json.loads(path.read_text(encoding="utf-8"))["reason"]) if path.exists() and not self.done else None

    def prepare(self) -> None:
        """Write what a worker needs to know, and forget an earlier failure."""
        write_spec(self.folder, self.spec)
        write_text(self.folder / "job.json", json.dumps({"source": self.source, "profile": self.profile}))
        (self.folder / "failure.json").unlink(missing_ok=True)

    def fail(self, reason: str) -> None:
        """Record a failure: `OOM`, or what happened in a line."""
        write_text(self.folder / "failure.json", json.dumps({"reason": reason, "spec": plain(self.spec)}, indent=2))

    def trained_at(self) -> float | None:
        """When its last epoch ended, in seconds since 1970; None before the first."""
        path = self.folder / "history.csv"
        return path.stat().st_mtime if path.exists() else None

    def trained(self) -> float:
        """The part of its training that is done, 0 to 1, by the epochs that its history holds."""
        path = self.folder / "history.csv"
        if not path.exists():
            return 0.0
        with path.open(encoding="utf-8") as file:
            return sum(1 for _ in csv.DictReader(file)) / self.spec.recipe.epochs
