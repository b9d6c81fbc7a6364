"""Answers the missing probes of studies: predicts or measures them one after another, and records each at once."""

import math
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Protocol

from benchmarks.machine.host_memory import available_memory
from benchmarks.machine.subprocess_worker import OOM, Outcome
from benchmarks.probes.ledger import Ledger, device_type_of, name_of
from benchmarks.probes.machine import Machine
from benchmarks.probes.measure import predict_probe
from benchmarks.probes.prober import Prober
from benchmarks.probes.records import GIGABYTE, PREDICTED, ProbeRecord, read_records
from benchmarks.study import Probe, Study

PROBE_LIMIT_S = {"cpu": 3600.0, "cuda": 90.0}
"""A measurement that takes longer has failed. A CPU may take minutes for a whole segmentation of 512^3 voxels."""

MEMORY_SHARE = 1 / 3
"""A CPU measures what is predicted to take less than this share of its available memory."""


@dataclass(frozen=True)
class ProbeOptions:
    """What the command line says about probes.

    Attributes:
        retry_failed: answer again what has failed before, lack of memory included.
        force: answer every probe anew.
        shared: measure although other processes use the GPU's memory.
    """

    retry_failed: bool = False
    force: bool = False
    shared: bool = False


class Progress(Protocol):
    """A display of how far the probes are."""

    def update(self, done: float, note: str = "") -> None:
        """Show the number of probes that are done, and the name of the next."""


def log_to_stderr(text: str) -> None:
    """Print a line about a probe on standard error."""
    print(text, file=sys.stderr, flush=True)


class ProbeRunner:
    """The probes that some studies have for one machine.

    A probe of several studies is answered once and recorded for each of them.

    Args:
        log: takes lines about what has failed or was left out.

    Attributes:
        ledgers: one per study that has probes for the machine.

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
        self.ledgers = [Ledger.open(name, machine.name, some, results) for name, some in probes.items() if some]

    def refuse_shared_gpu(self) -> None:
        """Raise a UserError where there is something to measure on a GPU whose memory others use."""
        if not self.options.shared and any(map(self._unanswered, self.ledgers)):
            self.machine.check_idle()

    def missing(self) -> list[tuple[Ledger, list[Probe]]]:
        """Return the probes to answer by ledger; on a CPU without those that its memory is too small for."""
        return [(ledger, self._within_memory(ledger, self._unanswered(ledger))) for ledger in self.ledgers]

    def answer(
        self, progress: Callable[[str, int], AbstractContextManager[Progress]], deadline: float = math.inf
    ) -> None:
        """Answer what is missing and write each record when it is there.

        Args:
            progress: makes the display of so many probes under a title.
            deadline: on the clock of `time.monotonic`. The probe at work then stays missing, like those after it.

        Raises:
            UserError: a record cannot be written.
        """
        missing = self.missing()
        probes = list(dict.fromkeys(chain.from_iterable(some for _, some in missing)))
        if not probes:
            return
        if self.options.force:
            for ledger in self.ledgers:
                ledger.clear()
        with ExitStack() as stack:
            if self.machine.device is None:
                title, answer_probe = "predicting", predict
            else:
                limit_s = PROBE_LIMIT_S[device_type_of(self.machine.name)]
                prober = stack.enter_context(Prober(self.machine.device, limit_s))
                title, answer_probe = f"measuring on {self.machine.name}", prober.answer
            display = stack.enter_context(progress(title, len(probes)))
            for done, probe in enumerate(probes):
                left_s = deadline - time.monotonic()
                if left_s <= 0:
                    return
                display.update(done, name_of(probe))
                outcome = answer_probe(probe, left_s)
                if outcome.failure is not None:
                    if time.monotonic() >= deadline:
                        return
                    self.log(f"{name_of(probe)}: {outcome.failure}")
                self._record(probe, outcome, [ledger for ledger, some in missing if probe in some])

    def failed(self) -> list[Probe]:
        """Return the probes that failed for another reason than a lack of memory, each once."""
        records = [record for ledger in self.ledgers for record in ledger.records.values()]
        return list(dict.fromkeys(record.probe for record in records if record.failure not in (None, OOM)))

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
            """Return predicted bytes, or 0 where there is no prediction: measuring then shows what happens."""
            result = predicted.get(probe) or predict(probe).result or {"allocated_bytes": 0}
            return int(result["allocated_bytes"])

        sizes = {probe: needed(as_memory(probe)) for probe in probes}
        too_large = [size for size in sizes.values() if size >= limit]
        if too_large:
            self.log(
                f"{ledger.study}: {len(too_large)} probes left out, predicted to take "
                f"{min(too_large) / GIGABYTE:.1f} GB to {max(too_large) / GIGABYTE:.1f} GB; a CPU measures what takes "
                f"less than {MEMORY_SHARE:.0%} of its available memory, which is {available / GIGABYTE:.1f} GB"
            )
        return [probe for probe, size in sizes.items() if size < limit]


def probes_of(study: Study, machine: str) -> Sequence[Probe]:
    """Return the probes that a study has for a machine, by the machine's name in records."""
    return study.predicted() if machine == PREDICTED else study.measured(device_type_of(machine))


def predict(probe: Probe, limit_s: float = math.inf) -> Outcome:
    """Predict a probe, in a second or two, so that no time limit is needed."""
    try:
        return Outcome(predict_probe(probe))
    except Exception as error:
        # One model that cannot be predicted must not take the table from the others: it is recorded as a failure.
        return Outcome(failure=f"{type(error).__name__}: {' '.join(str(error).split())}")


def as_memory(probe: Probe) -> Probe:
    """Return the probe of the memory that answering one takes, roughly that of `mise` for every extraction."""
    if probe.phase == "extraction":
        return replace(probe, quantity="memory", extraction="dense" if probe.locations is None else "mise")
    return replace(probe, quantity="memory")
