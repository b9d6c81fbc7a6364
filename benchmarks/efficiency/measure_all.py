"""Measure what is missing of several studies on one device, within a time."""

import sys
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from benchmarks.efficiency.cells import GIGABYTE
from benchmarks.efficiency.ledger import Ledger, device_type_of, name_of
from benchmarks.efficiency.measuring import describe_machine
from benchmarks.efficiency.prober import Prober
from benchmarks.efficiency.processes import OOM, in_own_process
from benchmarks.efficiency.records import FOLDER, ProbeRecord
from benchmarks.efficiency.study import EfficiencyStudy
from benchmarks.nvml import used_memory
from ossnet.errors import UserError

PROBE_LIMIT_S = 90.0
"""A probe that takes longer has failed: one must not use up the time of many."""

IDLE_BYTES = 2 * 10**9
"""More than this of a GPU's memory in use before the first probe is the work of others.

The driver counts what it keeps for itself as in use: on large cards more than half a gigabyte.
"""


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
    looked = in_own_process(_look_at, device, command, limit_s=limit_s)
    if looked.failure is not None:
        raise UserError(f"cannot use device {device}: {looked.failure}")
    machine, provenance, used_bytes = looked.result
    if not shared:
        _check_idle(device, used_bytes)
    ledgers = [Ledger.open(study.name, machine, study.measured(device_type_of(machine)), results) for study in studies]
    missing = list(dict.fromkeys(probe for ledger in ledgers for probe in ledger.missing(retry_failed)))
    begin = time.monotonic()
    with Prober(device) as prober:
        for done, probe in enumerate(missing):
            now = time.monotonic()
            if now >= deadline:
                break
            pace = (now - begin) / done if done else None
            _show(f"{done}/{len(missing)} done, {_to_go(pace, len(missing) - done, deadline - now)}: {name_of(probe)}")
            outcome = prober.answer(probe, min(PROBE_LIMIT_S, deadline - now))
            if outcome.failure is not None and time.monotonic() >= deadline:
                break
            for ledger in ledgers:
                if probe in ledger.probes:
                    ledger.add(ProbeRecord(ledger.study, probe, machine, outcome.result, outcome.failure, provenance))
    return _summarise(ledgers, results, limit_s)


def _look_at(device: str, command: str) -> tuple[str, dict[str, object], int | None]:
    """See `describe_machine`; and the bytes in use on the device, asked before this process takes some."""
    used_bytes = used_memory(torch.device(device)).device_bytes
    return (*describe_machine(device, command), used_bytes)


def _check_idle(device: str, used_bytes: int | None) -> None:
    """Raises UserError where others use the device, so far as its driver tells."""
    if used_bytes is not None and used_bytes > IDLE_BYTES:
        raise UserError(
            f"others use {used_bytes / GIGABYTE:.1f} GB of device {device}, so that probes which would fit may run out "
            "of memory: end them, choose another GPU by CUDA_VISIBLE_DEVICES, or measure all the same with --shared"
        )


def _to_go(pace_s: float | None, probes: int, left_s: float) -> str:
    if pace_s is None:
        return "time to go not known yet"
    seconds = round(min(pace_s * probes, left_s))
    return f"{seconds // 60}:{seconds % 60:02} to go"


def _show(line: str) -> None:
    """On standard error: on a terminal in the place of the last line, elsewhere below it."""
    start, end = ("\r\033[K", "") if sys.stderr.isatty() else ("", "\n")
    print(f"{start}{line}", end=end, file=sys.stderr, flush=True)


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
    failed = any(record.failure not in (None, OOM) for ledger in ledgers for record in ledger.records.values())
    return not missing and not failed
