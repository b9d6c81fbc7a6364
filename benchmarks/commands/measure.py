"""What `python -m benchmarks run` does for studies of memory and time: predict, measure, write the tables."""

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import torch

from benchmarks.machine.subprocess_worker import OOM, Outcome
from benchmarks.probes.answering import answer, distinct
from benchmarks.probes.ledger import Ledger, device_type_of, name_of
from benchmarks.probes.machine import Machine, describe, look_at
from benchmarks.probes.measure import predict_probe
from benchmarks.probes.prober import Prober
from benchmarks.probes.records import GIGABYTE, PREDICTED, read_records
from benchmarks.report.probe_tables import collect_efficiency
from benchmarks.runs.sweep import log
from benchmarks.study import EfficiencyStudy, Probe
from ossnet.progress import ProgressLine

PROBE_LIMIT_S = 3600.0
"""The most that a probe may take: of `whole`, on a laptop, some minutes."""

MEMORY_SHARE = 1 / 3
"""A CPU measures what is predicted to take less than this share of its available memory."""


@dataclass(frozen=True)
class EfficiencyRequest:
    """What was asked for on the command line.

    Attributes:
        retry_failed: try again what has failed before, lack of memory included.
        force: answer every probe anew.
        measure: whether this machine measures; else there are predictions only.
        shared: measure although others use the GPU's memory.
    """

    studies: Sequence[EfficiencyStudy]
    results: Path
    retry_failed: bool
    force: bool
    measure: bool
    shared: bool
    command: str


def run_efficiency(request: EfficiencyRequest) -> int:
    """Answer what is missing, then write the tables; 0, or 1 where a probe failed for another reason than memory.

    Raises:
        UserError: records cannot be read or written, or there is a GPU that cannot be used or is used by others.
    """
    by_machine = [(machine, _ledgers(request.studies, machine.name, request.results)) for machine in _machines(request)]
    ledgers = [ledger for _, of_machine in by_machine for ledger in of_machine]
    for machine, of_machine in by_machine:
        if any(_asked(ledger, request) for ledger in of_machine) and not request.shared:
            machine.check_idle()
    for machine, of_machine in by_machine:
        _answer(of_machine, machine, request)
    for table in collect_efficiency(request.studies, request.results):
        print(table)
    failures = [record.failure for ledger in ledgers for record in ledger.records.values()]
    failed = sum(failure not in (None, OOM) for failure in failures)
    if failed:
        log(f"{failed} of {len(failures)} probes have failed; --retry-failed tries them again")
    return 1 if failed else 0


def dry_run_efficiency(request: EfficiencyRequest) -> int:
    """List the probes and what has become of each. Answers and changes nothing; 0."""
    missing = 0
    for machine in _machines(request):
        for ledger in _ledgers(request.studies, machine.name, request.results):
            to_answer = set(_missing(ledger, machine, request))
            missing += len(to_answer)
            print(ledger.describe()[0])
            for probe in ledger.probes:
                to_come = ", to be answered" if probe in to_answer else ""
                print(f"  {name_of(probe)}: {ledger.state(probe)}{to_come}")
    print(f"{missing} probes to answer")
    return 0


def _machines(request: EfficiencyRequest) -> list[Machine]:
    """The prediction and, if it measures, this machine: its GPU, or its CPU where there is none."""
    cpu = describe("cpu", request.command)
    predicted = Machine(PREDICTED, None, cpu.provenance)
    if not request.measure:
        return [predicted]
    return [predicted, look_at("cuda", request.command) if torch.cuda.is_available() else cpu]


def _ledgers(studies: Sequence[EfficiencyStudy], machine: str, results: Path) -> list[Ledger]:
    """One a study that asks something of the machine."""
    grids = {
        study.name: study.predicted() if machine == PREDICTED else study.measured(device_type_of(machine))
        for study in studies
    }
    return [Ledger.open(name, machine, grid, results) for name, grid in grids.items() if grid]


def _asked(ledger: Ledger, request: EfficiencyRequest) -> list[Probe]:
    return list(ledger.probes) if request.force else ledger.missing(request.retry_failed)


def _missing(ledger: Ledger, machine: Machine, request: EfficiencyRequest) -> list[Probe]:
    """What is asked, but of a CPU only what it has the memory for."""
    missing = _asked(ledger, request)
    if machine.device != "cpu":
        return missing
    known = {
        record.probe: record.result
        for record in (read_records(ledger.results, [ledger.study]) if missing else [])
        if record.machine == PREDICTED
    }
    available = available_memory()
    limit = MEMORY_SHARE * available

    @cache
    def needed(memory: Probe) -> int:
        """0 where it cannot be predicted: what becomes of it then shows when it is measured."""
        result = known.get(memory) or _predict(memory).result or {"allocated_bytes": 0}
        return int(result["allocated_bytes"])

    sizes = {probe: needed(_as_memory(probe)) for probe in missing}
    too_large = [size for size in sizes.values() if size >= limit]
    if too_large:
        log(
            f"{ledger.study}: {len(too_large)} probes left out, predicted to take {_gigabytes(min(too_large))} to "
            f"{_gigabytes(max(too_large))}; a CPU measures what takes less than {MEMORY_SHARE:.0%} of its available "
            f"memory, which is {_gigabytes(available)}"
        )
    return [probe for probe, size in sizes.items() if size < limit]


def _gigabytes(size: float) -> str:
    return f"{size / GIGABYTE:.1f} GB"


def _as_memory(probe: Probe) -> Probe:
    """Give the probe of the memory that answering one takes, roughly that of `mise` for every extraction."""
    if probe.phase == "extraction":
        return replace(probe, quantity="memory", extraction="dense" if probe.locations is None else "mise")
    return replace(probe, quantity="memory")


def _answer(ledgers: Sequence[Ledger], machine: Machine, request: EfficiencyRequest) -> None:
    """Answer what is missing; what several studies ask once."""
    missing = [(ledger, _missing(ledger, machine, request)) for ledger in ledgers]
    probes = distinct(missing)
    if not probes:
        return
    if request.force:
        for ledger in ledgers:
            ledger.forget()
    if machine.device is None:
        with ProgressLine("predicting", len(probes)) as line:
            answer(missing, machine, _predict, line.update, log)
    else:
        title = f"measuring on {machine.name}"
        with Prober(machine.device, PROBE_LIMIT_S) as prober, ProgressLine(title, len(probes)) as line:
            answer(missing, machine, prober.answer, line.update, log)


def _predict(probe: Probe, limit_s: float = math.inf) -> Outcome:
    """It takes a second or two, so that no limit is needed."""
    try:
        return Outcome(predict_probe(probe))
    except Exception as error:
        # One model that cannot be predicted must not take the table from the others: it is recorded as a failure.
        return Outcome(failure=f"{type(error).__name__}: {' '.join(str(error).split())}")


def available_memory() -> int:
    """Bytes that a program may take here before others are swapped out, as Linux tells; elsewhere all there are."""
    meminfo = Path("/proc/meminfo")
    if meminfo.exists():
        fields = dict(line.split(":", 1) for line in meminfo.read_text(encoding="ascii").splitlines())
        return 1024 * int(fields["MemAvailable"].removesuffix("kB"))
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
