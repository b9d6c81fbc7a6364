"""Who answers probes on a device: processes that are started for it."""

import time
from typing import Literal, Self

import torch

from benchmarks.machine.subprocess_worker import OOM, Outcome, Worker
from benchmarks.probes.measure import measure_probe, measure_tensors
from benchmarks.study import CUBE, Probe

Kind = Literal["runtime", "tensors", "process"]


class Prober:
    """Answers probes in processes that start as seldom as what is measured allows, since a GPU takes seconds for each.

    What a process keeps of earlier probes, such as libraries and their kernels, takes no time and is in no tensor. So
    probes of runtime that follow each other share a process, and on a GPU so do those of memory on cubes, of which only
    torch is asked. It is memory of the process, though, so that on the paper's volumes, where the driver is asked, too,
    each has a process of its own; as all have on a CPU, which starts them at once.

    No two processes live at a time. The last has ended when the `with` does.

    Args:
        device: where it measures, by its name in torch.
        limit_s: a measurement that takes longer has failed: one must not use up the time of many.
    """

    def __init__(self, device: str, limit_s: float) -> None:
        self._device, self._limit_s = device, limit_s
        self._device_type = torch.device(device).type
        self._worker = Worker()
        self._serves: Kind | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._worker.end()

    def answer(self, probe: Probe, limit_s: float) -> Outcome:
        """What `measure_probe` comes to; a failure if it takes more than `limit_s` seconds, or than its own limit."""
        deadline = time.monotonic() + min(limit_s, self._limit_s)
        kind = self._kind_of(probe)
        if kind == "process" or kind != self._serves:
            self._worker.end()
        self._serves = kind
        has_answered = self._worker.is_alive
        outcome = self._call(kind, probe, deadline)
        if has_answered and (outcome == Outcome(None) or outcome.failure == OOM):
            # What earlier probes have left may be why.
            self._worker.end()
            outcome = self._call(kind, probe, deadline)
        return outcome

    def _call(self, kind: Kind, probe: Probe, deadline: float) -> Outcome:
        measure = measure_tensors if kind == "tensors" else measure_probe
        return self._worker.call(measure, probe, self._device, limit_s=max(0.0, deadline - time.monotonic()))

    def _kind_of(self, probe: Probe) -> Kind:
        if probe.quantity == "runtime":
            return "runtime"
        return "tensors" if self._device_type == "cuda" and probe.dataset == CUBE else "process"
