"""Interface of the measurements of a run: a specification, and its measurement of a trained model."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, Self

from benchmarks.runs.run_folder import identity
from ossnet.config import plain
from ossnet.data.case import Dataset
from ossnet.model import SegmentationModel
from ossnet.training.run import RunSpec

if TYPE_CHECKING:
    from benchmarks.machine.peak_memory import Peaks
    from benchmarks.study import Point
    from ossnet.data.splits import Split
    from ossnet.training.profile import Profile


class Outcome(NamedTuple):
    """Outcome of a run or of a training.

    Attributes:
        result: values that the same specification reproduces, for `result.json`.
        timing: durations in seconds by name, which differ between runs, for `provenance.json`.
        memory: peaks of memory, see `benchmarks.machine.peak_memory`, for `provenance.json`.
    """

    result: dict[str, Any]
    timing: dict[str, float]
    memory: "Peaks" = {}


@dataclass(frozen=True)
class Job:
    """Circumstances of a run that do not affect its outcome.

    Attributes:
        source: data set, as `ossnet.data.sources.open_dataset` takes it.
        generator: fields of an embedded data set's generator.
        cache: folder of prepared data.
        threads: number of CPU threads of torch.
        command: command line that started the run.
        gpu: whether the run fails without a GPU.
        target: another data set whose cases are scored, as `source`; None for that of the training.
        target_generator: fields of its generator.
    """

    source: str
    generator: Mapping[str, Any]
    cache: str
    threads: int
    command: str
    gpu: bool = False
    target: str | None = None
    target_generator: Mapping[str, Any] = field(default_factory=dict)


class Scoring(Protocol):
    """Specification of what is measured of a trained model; it alone decides the outcome of a run.

    It is a configuration dataclass (see `ossnet.config`) with a field `schema_version`, which is raised whenever the
    same specification would have another outcome.
    """

    @property
    def measurement(self) -> str:
        """The name of the kind of scoring in `benchmarks.scoring.registry.SCORINGS`."""

    @property
    def training(self) -> RunSpec:
        """The specification of the training whose model is measured; measurements may share a training."""

    @classmethod
    def of(cls, point: "Point", profile: "Profile", dataset: Dataset) -> Self:
        """Make the specification of a point of a study on a data set.

        Raises:
            UserError: the data set has no cases to measure, or the profile has an invalid setting.
        """

    def split_of(self, dataset: Dataset) -> "Split":
        """Return the split whose cases are measured.

        Raises:
            UserError: the split has no cases.
        """

    def score(self, model: SegmentationModel, dataset: Dataset, cache: Path, folder: Path) -> Outcome:
        """Measure a trained model, and write files of details.

        Args:
            model: the trained model, on its device.
            dataset: the data set of the cases, with the modalities of the training: that of the training, or the job's
                target with all its cases in the split `test`.
            cache: folder of prepared data.
            folder: folder of the run, for the files of details.

        Raises:
            UserError: the data cannot be read or do not fit the specification.
        """


def label(training: RunSpec) -> str:
    """Return the beginning of the names of a training's folder and of the folders of its runs."""
    return f"{training.dataset}-{training.model}-seed{training.seed}"


def folder_of(results: Path, scoring: Scoring) -> Path:
    """Return the folder of a run in a results folder, which is the same for every study."""
    return results / "runs" / f"{label(scoring.training)}-{identity(plain(scoring))[:12]}"


def training_folder(results: Path, training: RunSpec) -> Path:
    """Return the folder of a training in a results folder, which is the same for every run."""
    return results / "trainings" / f"{label(training)}-{training.identity[:12]}"
