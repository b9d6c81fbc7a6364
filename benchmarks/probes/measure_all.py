"""Measure what is missing of several studies on one device, within a time."""

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.machine.subprocess_worker import OOM
from benchmarks.probes.answering import answer, distinct
from benchmarks.probes.ledger import Ledger, device_type_of
from benchmarks.probes.machine import look_at
from benchmarks.probes.prober import Prober
from benchmarks.probes.records import FOLDER
from benchmarks.study import EfficiencyStudy

PROBE_LIMIT_S = 90.0
"""The most of its time that one probe may take."""


def run_all(
    device: str,
    studies: Sequence[EfficiencyStudy],
    results: Path,
    limit_s: float,
    command: str,
    retry_failed: bool = False,
    shared: bool = False,
) -> bool:
    """Measure what is missing of some studies on a device, the first study first, and write it after every probe.

    A probe that several studies ask is measured once. It ends within `limit_s`: the probe that is at work then stays
    missing, like those after it.

    Args:
        retry_failed: whether to measure again what failed in an earlier call, out of memory included.
        shared: whether to measure although others use the device's memory.

    Returns:
        Whether every probe has a result, or ran out of memory.

    Raises:
        UserError: the device cannot be used or is used by others, or `results` not be read or written.
    """
    deadline = time.monotonic() + limit_s
    machine = look_at(device, command, limit_s)
    device_type = device_type_of(machine.name)
    ledgers = [Ledger.open(study.name, machine.name, study.measured(device_type), results) for study in studies]
    missing = [(ledger, ledger.missing(retry_failed)) for ledger in ledgers]
    if probes := distinct(missing):
        if not shared:
            machine.check_idle()
        with Prober(device, PROBE_LIMIT_S) as prober:
            answer(missing, machine, prober.answer, _line(len(probes), deadline), _tell, deadline)
    return _summarise(ledgers, results, limit_s)


def _line(total: int, deadline: float) -> Callable[[int, str], None]:
    """Shows how many of so many probes are done, the time to go, and which comes next."""
    begin = time.monotonic()

    def show(done: int, name: str) -> None:
        now = time.monotonic()
        to_go = "time to go not known yet"
        if done:
            seconds = round(min((now - begin) / done * (total - done), deadline - now))
            to_go = f"{seconds // 60}:{seconds % 60:02} to go"
        _show(f"{done}/{total} done, {to_go}: {name}")

    return show


def _tell(text: str) -> None:
    """On standard error, on a terminal in the place of the line of progress, which then goes on below."""
    print(f"{_start_of_line()}{text}", file=sys.stderr, flush=True)


def _show(line: str) -> None:
    """On standard error: on a terminal in the place of the last line, elsewhere below it."""
    print(f"{_start_of_line()}{line}", end="" if sys.stderr.isatty() else "\n", file=sys.stderr, flush=True)


def _start_of_line() -> str:
    return "\r\033[K" if sys.stderr.isatty() else ""


def _summarise(ledgers: Sequence[Ledger], results: Path, limit_s: float) -> bool:
    """Print what has become of the probes, and where it is; whether all have a result, or ran out of memory."""
    if sys.stderr.isatty():
        _show("")
    for ledger in ledgers:
        print("\n".join(ledger.describe()))
    if any(ledger.records for ledger in ledgers):
        collect = f"python -m benchmarks collect --results {results}"
        print(f"the records are in {results / FOLDER}; `{collect}` makes tables of them")
    missing = {probe for ledger in ledgers for probe in ledger.missing()}
    if missing:
        print(f"{len(missing)} probes did not fit in {limit_s / 60:g} minutes; the same command goes on with them")
    records = [record for ledger in ledgers for record in ledger.records.values()]
    failed = {record.probe for record in records if record.failure not in (None, OOM)}
    if failed:
        print(f"{len(failed)} probes have failed; --retry-failed tries them again")
    return not missing and not failed
