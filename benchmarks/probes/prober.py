"""Measurement of probes on a device, by worker processes."""

import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, Self

import torch

from benchmarks.machine.subprocess_worker import OOM, Outcome, Worker
from benchmarks.probes.command_costs import measure_command
from benchmarks.probes.measure import measure_probe, measure_tensors
from benchmarks.workload import CUBE, Probe

Kind = Literal["runtime", "tensors", "process"]


class Prober:
    """Runs probes in worker processes, as few as possible, since a process takes seconds to start on a GPU.

    A process keeps libraries and their kernels after a probe. They affect neither the runtime nor the tensors of later
    probes. Therefore consecutive probes of runtime share a process, and on a GPU so do consecutive probes of memory on
    cubes, which report only the memory that torch counts. However, libraries and kernels are part of the process's
    memory. Therefore every other probe of memory has a process of its own: those on the paper's volumes, which also
    report the memory that the driver counts, and all those on a CPU, where a process starts immediately. So has a
    command, with a temporary folder for its files.

    Only one process lives at a time, and the last one ends with the `with` statement.

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
        """Return the result of a measurement, or a failure after `limit_s` seconds or the prober's own limit."""
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
        limit_s = max(0.0, deadline - time.monotonic())
        if probe.quantity == "command":
            return self._call_with_folder(probe, limit_s)
        measure = measure_tensors if kind == "tensors" else measure_probe
        return self._worker.call(measure, probe, self._device, limit_s=limit_s)

    def _call_with_folder(self, probe: Probe, limit_s: float) -> Outcome:
        """Measure a command in a folder that is removed afterwards, also where its process is killed."""
        with TemporaryDirectory(prefix="ossnet-") as folder:
            try:
                return self._worker.call(measure_command, probe, Path(folder), limit_s=limit_s)
            finally:
                self._worker.end()  # Otherwise an interrupted command would go on writing there.

    def _kind_of(self, probe: Probe) -> Kind:
        if probe.quantity in ("runtime", "comparison"):
            return "runtime"
        return "tensors" if self._device_type == "cuda" and probe.dataset == CUBE else "process"
