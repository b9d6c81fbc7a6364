"""Plans: which runs make up a study on one data set with one profile. Written by a sweep, read without torch."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.runs.pace import FinishedRun, Pace
from benchmarks.runs.run_folder import Run, read_json, write_json
from ossnet.errors import UserError


@dataclass(frozen=True)
class Plan:
    """The runs of a study, in the order of its grid.

    Attributes:
        dataset: its name, which data sets of different sources can share.
        operations_per_second: assumed for the time to go while no run is done, if anything.
        source: of the data, as it was given; None where that is not known.
        fingerprint: of the data set.
    """

    study: str
    dataset: str
    profile: str
    runs: tuple[Run, ...]
    operations_per_second: float | None = None
    source: str | None = None
    fingerprint: str | None = None

    @property
    def stem(self) -> str:
        """What its files are named."""
        return f"{self.study}-{self.dataset}-{self.profile}"

    def write(self, results: Path) -> None:
        """Keep it as `results/plans/STUDY-DATASET-PROFILE.json`."""
        rows = [
            {
                "folder": run.folder.name,
                "model": run.model,
                "seed": run.seed,
                "columns": dict(run.columns),
                "epochs": run.epochs,
                "work": run.work,
                "trained_in": run.trained_in and run.trained_in.name,
            }
            for run in self.runs
        ]
        values = {
            "study": self.study,
            "dataset": self.dataset,
            "profile": self.profile,
            "operations_per_second": self.operations_per_second,
            "source": self.source,
            "fingerprint": self.fingerprint,
            "runs": rows,
        }
        write_json(results / "plans" / f"{self.stem}.json", values)


def read_plans(results: Path, studies: Sequence[str]) -> list[Plan]:
    """The plans of some studies that were made in a results folder, by study, data set and profile.

    Raises:
        UserError: a plan cannot be read.
    """
    return [
        plan
        for study in studies
        for path in sorted((results / "plans").glob(f"{study}-*.json"))
        # The name of another study may begin so, too.
        if (plan := _read(path, results)).study == study
    ]


def _read(path: Path, results: Path) -> Plan:
    try:
        values = read_json(path)
        values["runs"] = tuple(_run(row, results) for row in values["runs"])
        return Plan(**values)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} is no plan of this version ({error}); delete it and run the study again") from error


def _run(row: dict[str, Any], results: Path) -> Run:
    folder, trained_in = row.pop("folder"), row.pop("trained_in", None)
    return Run(results / "runs" / folder, trained_in=trained_in and results / "trainings" / trained_in, **row)


def pace_of(runs: Sequence[Run], operations_per_second: float | None = None) -> Pace:
    """The pace of those runs that are done, and what to assume while none is."""
    finished = [FinishedRun(run.model, run.work, seconds) for run in runs if (seconds := run.seconds()) is not None]
    return Pace(tuple(finished), operations_per_second)
