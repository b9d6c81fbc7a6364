"""The measurement of a run: a specification that decides its outcome, and how it is carried out on a trained model."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, Self

from benchmarks.runs.run_folder import identity
from ossnet.config import plain
from ossnet.data.case import Dataset
from ossnet.model import SegmentationModel
from ossnet.training.run import RunSpec

if TYPE_CHECKING:
    from benchmarks.machine.peak_memory import Peaks
    from benchmarks.study import Point, Split
    from ossnet.training.profile import Profile


class Outcome(NamedTuple):
    """The outcome of a run, or of a training.

    Attributes:
        result: what the same specification comes to again; goes into `result.json`.
        timing: seconds that it took, which no two runs have in common; goes into `provenance.json`.
        memory: the most that it took, see `benchmarks.machine.peak_memory`; goes there, too.
    """

    result: dict[str, Any]
    timing: dict[str, float]
    memory: "Peaks" = {}


@dataclass(frozen=True)
class Job:
    """How a run is made: all that has no bearing on its outcome.

    Attributes:
        source: the data, as `ossnet.data.sources.open_dataset` takes it.
        generator: fields of an embedded data set's generator.
        cache: folder of prepared data.
        threads: CPU threads of torch.
        command: that asked for it.
        gpu: whether it is a failure not to have one.
    """

    source: str
    generator: Mapping[str, Any]
    cache: str
    threads: int
    command: str
    gpu: bool = False


class Measurement(Protocol):
    """A specification. It is a configuration dataclass (see `ossnet.config`) with a field `measurement`, its name, and
    a `schema_version`, raised whenever the same specification would come to another result."""

    @property
    def measurement(self) -> str: ...

    @property
    def training(self) -> RunSpec:
        """Specification of the training whose model is measured. Measurements that share it share the training."""

    @classmethod
    def of(cls, point: "Point", profile: "Profile", dataset: Dataset) -> Self:
        """What a point of a study's grid comes to on a data set.

        Raises:
            UserError: the data set has nothing to measure on, or the profile has a setting that is refused.
        """

    def split_of(self, dataset: Dataset) -> "Split":
        """The split whose cases the model is measured on.

        Raises:
            UserError: it has none.
        """

    def measure(self, model: SegmentationModel, dataset: Dataset, cache: Path, folder: Path) -> Outcome:
        """Carry it out, and leave files of detail in `folder`.

        Args:
            model: the trained one, on its device.
            dataset: that of the training's fingerprint.
            cache: folder of prepared data.

        Raises:
            UserError: the data cannot be had or do not fit the specification.
        """


def label(training: RunSpec) -> str:
    """The start of the names of a training's folder and of those of the runs of its model."""
    return f"{training.dataset}-{training.model}-seed{training.seed}"


def folder_of(results: Path, measurement: Measurement) -> Path:
    """The folder of a run in a results folder, whoever asks for it."""
    return results / "runs" / f"{label(measurement.training)}-{identity(plain(measurement))[:12]}"


def training_folder(results: Path, training: RunSpec) -> Path:
    """The folder of a training in a results folder, whichever runs need it."""
    return results / "trainings" / f"{label(training)}-{training.identity[:12]}"
