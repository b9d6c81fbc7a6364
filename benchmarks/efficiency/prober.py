"""Who answers probes on a device: processes that are started for it."""

from typing import Self

from benchmarks.efficiency.measuring import measure_probe
from benchmarks.efficiency.probe import Probe
from benchmarks.efficiency.processes import Outcome, Worker, in_own_process


class Prober:
    """Answers probes of memory in a process of their own each, and those of runtime in one that lives on.

    What a process keeps of earlier probes counts as its memory, but costs no time, and to start one takes a GPU
    seconds. The process has ended when the `with` does.

    Args:
        device: where it measures, by its name in torch.
    """

    def __init__(self, device: str) -> None:
        self._device = device
        self._timing = Worker()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._timing.end()

    def answer(self, probe: Probe, limit_s: float) -> Outcome:
        """What `measure_probe` comes to; a failure if it takes more than `limit_s` seconds."""
        if probe.quantity == "runtime":
            return self._timing.call(measure_probe, probe, self._device, limit_s=limit_s)
        # The device's memory is for the probe alone.
        self._timing.end()
        return in_own_process(measure_probe, probe, self._device, limit_s=limit_s)
