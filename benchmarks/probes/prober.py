"""Measurement of probes on a device, by worker processes."""

import time
from typing import Literal, Self

import torch

from benchmarks.machine.subprocess_worker import OOM, Outcome, Worker
from benchmarks.probes.measure import measure_probe, measure_tensors
from benchmarks.study import CUBE, Probe

Kind = Literal["runtime", "tensors", "process"]


class Prober:
    """Runs probes in worker processes, and starts as few of them as possible, since a start on a GPU takes seconds.

    What a process keeps of earlier probes, such as libraries and their kernels, takes no time and is in no tensor.
    Therefore consecutive probes of runtime share a process, and on a GPU so do those of memory on cubes, for which only
    torch reports memory. It is memory of the process, however: a probe of memory on the paper's volumes, for which the
    driver reports memory, too, has a process of its own, and so has every probe of memory on a CPU, where processes
    start at once.

    Only one process lives at a time. The last one has ended when the `with` statement ends.

    Args:
        device: name of the device in torch.
        limit_s: time limit of a measurement in seconds; one that takes longer has failed, so that it does not use up
            the time of the others.
    """

    def __init__(self, device: str, limit_s: float) -> None:
        self._device, self._limit_s = device, limit_s
        self._device_type = torch.device(device).type
        self._worker = Worker()
        self._worker_kind: Kind | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._worker.end()

    def answer(self, probe: Probe, limit_s: float) -> Outcome:
        """Return the result of `measure_probe`, or a failure after `limit_s` seconds or the prober's own limit."""
        deadline = time.monotonic() + min(limit_s, self._limit_s)
        kind = self._kind_of(probe)
        if kind == "process" or kind != self._worker_kind:
            self._worker.end()
        self._worker_kind = kind
        has_answered = self._worker.is_alive
        outcome = self._call(kind, probe, deadline)
        if has_answered and (outcome == Outcome(None) or outcome.failure == OOM):
            # The reason may be what earlier probes have left in the process.
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
