"""Plans: the runs that make up a study on one data set with one profile."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.runs.pace import FinishedRun, Pace, in_words
from benchmarks.runs.run_folder import Run, read_json, write_json
from ossnet.errors import UserError


class PlannedRun(NamedTuple):
    """A run with the contents of the files that a worker reads.

    Attributes:
        run: the run.
        spec: plain values of its specification, for `spec.json`.
        job: plain values of `benchmarks.scoring.scoring.Job`, for `job.json`.
    """

    run: Run
    spec: Mapping[str, Any]
    job: Mapping[str, Any]


@dataclass(frozen=True)
class Unplanned:
    """Runs of a study in stages that cannot be planned yet.

    Attributes:
        runs: number of these runs, at most: some may turn out to be the same.
        seconds: expected time of so many, one after another, in seconds.
        after: what their settings follow from.
    """

    runs: int
    seconds: float
    after: str

    def __str__(self) -> str:
        """Describe them in a few words."""
        return (
            f"at most {self.runs} more runs follow from {self.after}, about {in_words(self.seconds)} one after another"
        )


@dataclass(frozen=True)
class Plan:
    """The runs of a study, in the order of its grid.

    Attributes:
        study: name of the study.
        dataset: name of the data set, which data sets of different sources can share.
        profile: name of the profile.
        runs: the runs.
        operations_per_second: rate that the time to go assumes while no run is done; None for no assumption.
        source: source of the data, as it was given; None where that is not known.
        fingerprint: fingerprint of the data set; None where that is not known.
        unplanned: runs that cannot be planned yet; None if there are none.
        left_out: rows that models which were asked for do not have, as texts; they are not written.
    """

    study: str
    dataset: str
    profile: str
    runs: tuple[Run, ...]
    operations_per_second: float | None = None
    source: str | None = None
    fingerprint: str | None = None
    unplanned: Unplanned | None = None
    left_out: tuple[str, ...] = ()

    @property
    def stem(self) -> str:
        """Name of the plan's file, without its ending."""
        return f"{self.study}-{self.dataset}-{self.profile}"

    def write(self, results: Path) -> None:
        """Write the plan to `results/plans/STUDY-DATASET-PROFILE.json`."""
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
            "unplanned": self.unplanned and asdict(self.unplanned),
            "runs": rows,
        }
        write_json(results / "plans" / f"{self.stem}.json", values)


def read_plans(results: Path, studies: Sequence[str]) -> list[Plan]:
    """Read the plans of some studies from a results folder, in the order of study, data set and profile.

    Raises:
        UserError: a plan cannot be read.
    """
    return [
        plan
        for study in studies
        for path in sorted((results / "plans").glob(f"{study}-*.json"))
        # The name of another study may begin with this one's.
        if (plan := _read(path, results)).study == study
    ]


def _read(path: Path, results: Path) -> Plan:
    try:
        values = read_json(path)
        values["runs"] = tuple(_run(row, results) for row in values["runs"])
        unplanned = values.pop("unplanned", None)
        return Plan(**values, unplanned=unplanned and Unplanned(**unplanned))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} is no plan of this version ({error}); delete it and run the study again") from error


def _run(row: dict[str, Any], results: Path) -> Run:
    folder, trained_in = row.pop("folder"), row.pop("trained_in", None)
    return Run(results / "runs" / folder, trained_in=trained_in and results / "trainings" / trained_in, **row)


def pace_of(runs: Sequence[Run], operations_per_second: float | None = None) -> Pace:
    """Return the pace of those of the runs that are done.

    Args:
        runs: runs in any state.
        operations_per_second: rate to assume while none is done.
    """
    finished = [FinishedRun(run.model, run.work, seconds) for run in runs if (seconds := run.seconds()) is not None]
    return Pace(tuple(finished), operations_per_second)
