"""Studies: what they train, predict and measure, and the tables that they make.

A study has points (models to train and score), probes (memory or runtime to predict and measure), or both. It is one
file of `benchmarks.studies` and one line of `benchmarks.studies.registry`; every command treats all studies alike.

A study of points states which models to train, each with the columns of its row and the settings that differ from the
profile's. The table of its scores follows from the layout:

>>> def grid(profile):
...     return [
...         Point("c", seed, {"epochs": epochs}, {"recipe": {"epochs": epochs}})
...         for epochs in (10, 20)
...         for seed in profile.seeds
...     ]
>>> heads, rows = {"model": None, "epochs": "Epochs"}, [("c", 10), ("c", 20)]
>>> EPOCHS = Study(Layout("epochs", "Epochs of OSS-Net C", heads, rows), grid)
>>> EPOCHS.name, EPOCHS.has_points, EPOCHS.has_probes
('epochs', True, False)

A study of probes states what is predicted and what a CPU or a GPU measures, and makes its own tables from the answers:

>>> from benchmarks.markup import Cell, Table
>>> from benchmarks.workload import CUBE, Probe
>>> from benchmarks.probes.records import PREDICTED
>>> from benchmarks.report.probe_cells import gigabytes
>>> PROBES = [Probe("memory", "c", CUBE, (edge, edge, edge), "inference", 2**14) for edge in (64, 128)]
>>> def tables(found):
...     rows = [[Cell(probe.resolution), gigabytes(found.answers, PREDICTED, probe)] for probe in PROBES]
...     return [Table("Memory of OSS-Net C.", ["Resolution", "Predicted (GB)"], rows)]
>>> PASSES = Study(Layout("passes", "Memory of OSS-Net C"), predicted=lambda: PROBES, tables=tables)
>>> PASSES.name, PASSES.has_points, PASSES.has_probes
('passes', False, True)

A study of both gives a grid and probes; its own tables follow that of its scores.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from benchmarks.layout import Layout
from benchmarks.markup import Table
from benchmarks.workload import Probe

if TYPE_CHECKING:
    # Importing torch takes seconds, and commands that only read records do without it.
    from benchmarks.probes.answers import Answers
    from benchmarks.report.score_records import Records
    from benchmarks.runs.run_folder import Run
    from benchmarks.scoring.scoring import Job
    from ossnet.data.case import Dataset
    from ossnet.data.splits import Split
    from ossnet.training.profile import Profile
    from ossnet.training.validation import Validation

Columns = Mapping[str, str | int | float]
"""Values of a table's columns, by the name of the column."""


@dataclass(frozen=True)
class Point:
    """A model to train and score: one run of a study.

    Attributes:
        model: name of the model in `ossnet.registry`.
        seed: seed of the training.
        columns: values of the study's columns, which together with the model identify its row.
        overrides: settings that take precedence over the profile's, see `ossnet.training.profile.Profile.spec`.
        extraction: name of the extraction in `ossnet.inference.extraction.EXTRACTORS`; None for the model's own.
        max_locations: maximal number of locations per pass of the extraction.
        split: split whose cases are scored; None for `test`, or `validation` in a data set without test cases.
        protocols: sampled protocols of the scores, in addition to the dense one; None for those of the paper and of its
            released code.
        origin: where the point is defined, for messages about its settings; empty for a study of the suite.
        target: another data set whose cases are scored (`benchmarks.scoring.transfer`); None for that of the training.
    """

    model: str
    seed: int
    columns: Columns = field(default_factory=dict)
    overrides: Mapping[str, Any] = field(default_factory=dict)
    extraction: str | None = None
    max_locations: int = 2**14
    split: "Split | None" = None
    protocols: "tuple[Validation, ...] | None" = None
    origin: str = ""
    target: "Dataset | None" = None


DeviceType = Literal["cpu", "cuda"]


@dataclass(frozen=True)
class Findings:
    """All results of a study, from which its tables are made.

    Attributes:
        records: records of its runs, one item per data set and profile.
        answers: records of its probes by machine.
        results: results folder that holds the records.
        reference: folder of the committed reference, shown where `results` has nothing; None to leave it out.
    """

    records: "Sequence[Records]"
    answers: "Answers"
    results: Path
    reference: Path | None = None


@dataclass(frozen=True)
class Stage:
    """What is known when the points of a study in stages are planned, which depend on trials or on other runs.

    Attributes:
        profile: settings of models and trainings.
        dataset: data set of the points.
        results: results folder.
        models: names of the models that were asked for; empty for the study's own.
        run_of: function that returns the run of a point, with its results if there are any.
        job: how trials are made; None where nothing is to be made, so that points which depend on it are left out.
    """

    profile: "Profile"
    dataset: "Dataset"
    results: Path
    models: Sequence[str]
    run_of: "Callable[[Point], Run]"
    job: "Job | None" = None


@dataclass(frozen=True)
class Outlook:
    """What is known of a study in stages before its points are.

    Attributes:
        runs: number of all its runs, at most: some may turn out to be the same.
        seconds: expected time of a run that is not planned yet, in seconds; that of a training which it shares with
            another study is not counted.
        after: what the settings of such runs follow from.
    """

    runs: int
    seconds: float
    after: str


def trials_path(results: Path, study: str, dataset: str, profile: str) -> Path:
    """Return the file of a study's trials."""
    return results / "trials" / f"{study}-{dataset}-{profile}.jsonl"


def no_points(profile: "Profile") -> Sequence[Point]:
    """Return no points: the grid of a study that trains nothing."""
    return ()


def no_probes(device_type: DeviceType | None = None) -> Sequence[Probe]:
    """Return no probes: those of a study that neither predicts nor measures."""
    return ()


def no_tables(found: Findings) -> Sequence[Table]:
    """Return no tables: those of a study that has only the table of its scores."""
    return ()


@dataclass(frozen=True)
class Study:
    """Points to train and score, probes of memory and runtime to predict and measure, or both.

    Attributes:
        layout: name, title and table of scores.
        grid: function from a profile to the study's points, in the order of the table.
        staged: function that returns the points of a study in stages, in place of `grid`; see `Stage`.
        outlook: function from a profile and the models that were asked for to what is known of a study in stages
            beforehand; None for a study with a `grid`.
        scoring: how each trained model is scored, a name of `benchmarks.scoring.registry.SCORINGS`.
        predicted: function that returns the probes to predict, which needs no device.
        measured: function from a type of device to the probes to measure on it, the most informative first: on a CPU
            those that a laptop measures in minutes, on a GPU all.
        tables: function from the results to the study's tables, except that of its scores.
        evidence: function that returns the probes whose records decide claims of the paper, as a GPU measures them.
        only_by_name: whether `run` skips the study unless it is named.
        file: TOML file of a study that a user defines, see `benchmarks.studies.custom`; None for one of the suite.
    """

    layout: Layout
    grid: "Callable[[Profile], Sequence[Point]]" = no_points
    staged: Callable[[Stage], Sequence[Point]] | None = None
    outlook: "Callable[[Profile, Sequence[str]], Outlook] | None" = None
    scoring: str = "segmentation"
    predicted: Callable[[], Sequence[Probe]] = no_probes
    measured: Callable[[DeviceType], Sequence[Probe]] = no_probes
    tables: Callable[[Findings], Sequence[Table]] = no_tables
    evidence: Callable[[], Sequence[Probe]] = no_probes
    only_by_name: bool = False
    file: Path | None = None

    @property
    def name(self) -> str:
        """The study's name, with which the names of its files begin."""
        return self.layout.table

    @property
    def has_points(self) -> bool:
        """True if the study trains and scores models."""
        return self.grid is not no_points or self.staged is not None

    @property
    def has_probes(self) -> bool:
        """True if the study predicts or measures memory or runtime."""
        return self.predicted is not no_probes or self.measured is not no_probes
