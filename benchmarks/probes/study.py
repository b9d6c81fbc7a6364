"""What a study of memory or time is: its probes, those that are predicted and those that a machine measures."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from benchmarks.probes.probe import Probe

DeviceType = Literal["cpu", "cuda"]


@dataclass(frozen=True)
class EfficiencyStudy:
    """A study: one file of this folder, and one line in `benchmarks.studies.probe_registry`.

    Attributes:
        title: of its tables.
        predicted: its probes that are answered without running anything.
        measured: those that a machine with this kind of device measures, the most telling first. Of a CPU those that
            a laptop measures in minutes; of a GPU all.
    """

    name: str
    title: str
    predicted: Callable[[], Sequence[Probe]]
    measured: Callable[[DeviceType], Sequence[Probe]]
