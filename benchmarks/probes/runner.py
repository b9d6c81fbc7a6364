"""Prediction or measurement of the missing probes of studies, each recorded at once."""

import math
import sys
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, replace
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Protocol

from benchmarks.machine.host_memory import available_memory
from benchmarks.machine.subprocess_worker import OOM, Outcome
from benchmarks.probes.ledger import Ledger, device_type_of, name_of
from benchmarks.probes.machine import Machine
from benchmarks.probes.predictions import predict, predictions
from benchmarks.probes.prober import Prober
from benchmarks.probes.records import GIGABYTE, PREDICTED, ProbeRecord, read_records
from benchmarks.study import Study
from benchmarks.workload import Probe

PROBE_LIMIT_S = {"cpu": 3600.0, "cuda": 90.0}
"""Time limit of a measurement in seconds, by type of device.

A CPU may take minutes for a whole segmentation of 512^3 voxels.
"""

MEMORY_SHARE = 1 / 3
"""Share of the available memory that a probe on a CPU may take, by its prediction."""


@dataclass(frozen=True)
class ProbeOptions:
    """Options of the command line for probes.

    Attributes:
        retry_failed: whether to try again what has failed before, lack of memory included.
        force: whether to answer every probe again.
        shared: whether to measure while other processes use the GPU's memory.
    """

    retry_failed: bool = False
    force: bool = False
    shared: bool = False


class Progress(Protocol):
    """Display of progress."""

    def update(self, done: float, note: str = "") -> None:
        """Show the number of probes that are done, and the name of the current probe."""


def log_to_stderr(text: str) -> None:
    """Print a line about a probe on standard error."""
    print(text, file=sys.stderr, flush=True)


class ProbeRunner:
    """Answers the probes that studies have for one machine.

    A probe of several studies is answered once and recorded for each of them.

    Args:
        studies: studies whose probes are answered.
        machine: machine that answers them.
        results: the results folder.
        options: choice of the probes.
        log: function that prints a line about a probe that has failed or was left out.

    Attributes:
        ledgers: one ledger per study that has probes for the machine.

    Raises:
        UserError: records cannot be read.
    """

    def __init__(
        self,
        studies: Sequence[Study],
        machine: Machine,
        results: Path,
        options: ProbeOptions = ProbeOptions(),
        log: Callable[[str], None] = log_to_stderr,
    ) -> None:
        self.machine, self.options, self.log = machine, options, log
        probes = {study.name: probes_of(study, machine.name) for study in studies}
        self.ledgers = [
            Ledger.open(name, machine.name, of_study, results) for name, of_study in probes.items() if of_study
        ]

    def refuse_shared_gpu(self) -> None:
        """Raise a UserError if there is something to measure on a GPU whose memory others use."""
        if not self.options.shared and any(map(self._unanswered, self.ledgers)):
            self.machine.check_idle()

    def missing(self) -> list[tuple[Ledger, list[Probe]]]:
        """Return the probes to answer by ledger; on a CPU, without those that would take too much of its memory."""
        return [(ledger, self._within_memory(ledger, self._unanswered(ledger))) for ledger in self.ledgers]

    def answer(
        self, progress: Callable[[str, int], AbstractContextManager[Progress]], deadline: float = math.inf
    ) -> None:
        """Answer the missing probes, and write each record at once.

        Args:
            progress: function that makes the display of progress from a title and the number of probes.
            deadline: time to stop, on the clock of `time.monotonic`; a probe that is not done then stays missing, like
                those after it.

        Raises:
            UserError: a record cannot be written.
        """
        missing = self.missing()
        probes = list(dict.fromkeys(chain.from_iterable(of_ledger for _, of_ledger in missing)))
        if not probes:
            return
        if self.options.force:
            for ledger in self.ledgers:
                ledger.clear()
        answers, title = (
            (self._predict, "predicting")
            if self.machine.device is None
            else (self._measure, f"measuring on {self.machine.name}")
        )
        with progress(title, len(probes)) as display, closing(answers(probes, deadline, display)) as answered:
            for probe, outcome in answered:
                if outcome.failure is not None:
                    self.log(f"{name_of(probe)}: {outcome.failure}")
                self._record(probe, outcome, [ledger for ledger, of_ledger in missing if probe in of_ledger])

    def failed(self) -> list[Probe]:
        """Return the probes that failed except by a lack of memory, each once."""
        records = [record for ledger in self.ledgers for record in ledger.records.values()]
        return list(dict.fromkeys(record.probe for record in records if record.failure not in (None, OOM)))

    def _predict(self, probes: Sequence[Probe], deadline: float, display: Progress) -> Generator[tuple[Probe, Outcome]]:
        with closing(predictions(probes)) as predicted:
            for done, (probe, outcome) in enumerate(predicted, start=1):
                if time.monotonic() >= deadline:
                    return
                display.update(done, name_of(probe))
                yield probe, outcome

    def _measure(self, probes: Sequence[Probe], deadline: float, display: Progress) -> Generator[tuple[Probe, Outcome]]:
        assert self.machine.device is not None
        with Prober(self.machine.device, PROBE_LIMIT_S[device_type_of(self.machine.name)]) as prober:
            for done, probe in enumerate(probes):
                left_s = deadline - time.monotonic()
                if left_s <= 0:
                    return
                display.update(done, name_of(probe))
                outcome = prober.answer(probe, left_s)
                if outcome.failure is not None and time.monotonic() >= deadline:
                    return
                yield probe, outcome

    def _unanswered(self, ledger: Ledger) -> list[Probe]:
        return list(ledger.probes) if self.options.force else ledger.missing(self.options.retry_failed)

    def _record(self, probe: Probe, outcome: Outcome, ledgers: Sequence[Ledger]) -> None:
        name, provenance = self.machine.name, self.machine.provenance
        for ledger in ledgers:
            ledger.add(ProbeRecord(ledger.study, probe, name, outcome.result, outcome.failure, provenance))

    def _within_memory(self, ledger: Ledger, probes: list[Probe]) -> list[Probe]:
        if self.machine.device != "cpu" or not probes:
            return probes
        records = read_records(ledger.results, [ledger.study])
        predicted = {record.probe: record.result for record in records if record.machine == PREDICTED}
        available = available_memory()
        limit = MEMORY_SHARE * available

        @cache
        def needed(probe: Probe) -> int:
            """Return the predicted bytes; 0 without a prediction, so that the probe is measured."""
            result = predicted.get(probe) or predict(probe).result or {"allocated_bytes": 0}
            return int(result["allocated_bytes"])

        # What a command takes is not predicted: it is what its study is about.
        sizes = {probe: 0 if probe.quantity == "command" else needed(as_memory(probe)) for probe in probes}
        too_large = [size for size in sizes.values() if size >= limit]
        if too_large:
            self.log(
                f"{ledger.study}: {len(too_large)} probes are left out, since they are predicted to take "
                f"{min(too_large) / GIGABYTE:.1f} GB to {max(too_large) / GIGABYTE:.1f} GB; the limit on a CPU is "
                f"{MEMORY_SHARE:.0%} of the available memory of {available / GIGABYTE:.1f} GB"
            )
        return [probe for probe, size in sizes.items() if size < limit]


def probes_of(study: Study, machine: str) -> Sequence[Probe]:
    """Return the probes that a study has for a machine, by the machine's name in records."""
    return study.predicted() if machine == PREDICTED else study.measured(device_type_of(machine))


def as_memory(probe: Probe) -> Probe:
    """Return the probe of the memory that answering a probe takes; every extraction takes roughly that of `mise`."""
    if probe.phase == "extraction":
        return replace(probe, quantity="memory", extraction="dense" if probe.locations is None else "mise")
    return replace(probe, quantity="memory", phase="inference" if probe.phase == "decoder" else probe.phase)
