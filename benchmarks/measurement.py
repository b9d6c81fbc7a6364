"""What one run does: a specification that decides its outcome, and how it is carried out."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, Self

import torch

from benchmarks.runs import identity
from ossnet.config import plain
from ossnet.data.case import Dataset

if TYPE_CHECKING:
    from benchmarks.study import Point
    from ossnet.profile import Profile


class Outcome(NamedTuple):
    """What came out of a run.

    Attributes:
        result: what the same specification comes to again; goes into `result.json`.
        timing: what it took, which no two runs have in common; goes into `provenance.json`.
    """

    result: dict[str, Any]
    timing: dict[str, float]


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

    @classmethod
    def of(cls, point: "Point", profile: "Profile", dataset: Dataset) -> Self:
        """What a point of a study's grid comes to on a data set.

        Raises:
            UserError: the data set has nothing to measure on, or the profile has a setting that is refused.
        """

    @property
    def label(self) -> str:
        """What a folder's name starts with."""

    @property
    def epochs(self) -> int:
        """Of the training that is a part of it: by them it is told how far it is."""

    def work(self, dataset: Dataset) -> float:
        """Floating-point operations, roughly; for the time to go alone."""

    def measure(self, job: Job, folder: Path, device: torch.device) -> Outcome:
        """Carry it out, go on from what `folder` holds, and leave files of detail there.

        Raises:
            UserError: the data cannot be had or do not fit the specification.
        """


def folder_of(runs: Path, measurement: Measurement) -> Path:
    """The folder of a run under `runs`, whoever asks for it."""
    return runs / f"{measurement.label}-{identity(plain(measurement))[:12]}"
