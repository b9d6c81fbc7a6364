"""`python -m benchmarks.efficiency.gpu`: all that only a GPU can tell of memory and runtime, in one go.

It needs torch, numpy, pandas and nvidia-ml-py, and no data: models are made for it, volumes have closed forms.
"""

import argparse
import shlex
import sys
import time
import warnings
from collections.abc import Sequence
from pathlib import Path

import torch

from benchmarks.efficiency.ledger import Ledger, device_type_of, name_of
from benchmarks.efficiency.measuring import OOM, describe_machine, in_own_process, measure_probe
from benchmarks.efficiency.records import ProbeRecord
from benchmarks.efficiency.studies import EFFICIENCY_STUDIES
from benchmarks.efficiency.study import EfficiencyStudy
from ossnet.command import run_command
from ossnet.errors import UserError

PROGRAM = "python -m benchmarks.efficiency.gpu"

PROBE_LIMIT_S = 90.0
"""A probe that takes longer has failed: one must not use up the time of many."""


def main(arguments: Sequence[str] | None = None) -> int:
    """0; 1 when a probe is missing or failed, 2 where there is no GPU or for a user's mistake, 130 when interrupted."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    parser = argparse.ArgumentParser(prog=PROGRAM, description="Measure memory and runtime on this machine's GPU.")
    parser.add_argument("--results", type=Path, default=Path("results"), help="folder for records (%(default)s)")
    parser.add_argument(
        "--limit-minutes", type=float, default=10.0, help="what is not done by then is left for the next call (10)"
    )
    parser.add_argument("--retry-failed", action="store_true", help="measure again what has failed before")
    options = parser.parse_args(given)
    command = shlex.join([*PROGRAM.split(), *given])

    def measure() -> int:
        if not options.limit_minutes > 0:
            raise UserError(f"--limit-minutes {options.limit_minutes}: give a number above 0")
        check_gpu()
        studies = list(EFFICIENCY_STUDIES.values())
        limit_s = 60 * options.limit_minutes
        return 0 if run_all("cuda:0", studies, options.results, limit_s, command, options.retry_failed) else 1

    return run_command(PROGRAM, measure)


def check_gpu() -> None:
    """Raises UserError where there is no GPU for torch, and says why if torch does."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        available = torch.cuda.is_available()
    if available:
        return
    if told:
        reason = str(told[0].message)
    elif torch.version.cuda is None and torch.version.hip is None:
        reason = f"torch {torch.__version__} is built without CUDA; install a build with it"
    else:
        reason = "its driver shows none; see nvidia-smi and CUDA_VISIBLE_DEVICES"
    raise UserError(f"no GPU that torch can use: {reason}")


def run_all(
    device: str,
    studies: Sequence[EfficiencyStudy],
    results: Path,
    limit_s: float,
    command: str,
    retry_failed: bool = False,
) -> bool:
    """Measure what is missing of some studies on a device, the first study first, and write it after every probe.

    A probe that several studies ask is measured once. It ends within `limit_s`: the probe that is at work then stays
    missing, like those after it.

    Args:
        retry_failed: whether to measure again what failed in an earlier call, out of memory included.

    Returns:
        Whether every probe has a result, or ran out of memory.

    Raises:
        UserError: the device cannot be used, or `results` not be read or written.
    """
    deadline = time.monotonic() + limit_s
    described = in_own_process(describe_machine, device, command, limit_s=limit_s)
    if described.failure is not None:
        raise UserError(f"cannot use device {device}: {described.failure}")
    machine, provenance = described.result
    ledgers = [Ledger.open(study.name, machine, study.measured(device_type_of(machine)), results) for study in studies]
    missing = list(dict.fromkeys(probe for ledger in ledgers for probe in ledger.missing(retry_failed)))
    begin = time.monotonic()
    for done, probe in enumerate(missing):
        now = time.monotonic()
        if now >= deadline:
            break
        pace = (now - begin) / done if done else None
        _show(f"{done}/{len(missing)} done, {_to_go(pace, len(missing) - done, deadline - now)}: {name_of(probe)}")
        outcome = in_own_process(measure_probe, probe, device, limit_s=min(PROBE_LIMIT_S, deadline - now))
        if outcome.failure is not None and time.monotonic() >= deadline:
            break
        for ledger in ledgers:
            if probe in ledger.probes:
                ledger.add(ProbeRecord(ledger.study, probe, machine, outcome.result, outcome.failure, provenance))
    return _summarise(ledgers, limit_s)


def _to_go(pace_s: float | None, probes: int, left_s: float) -> str:
    if pace_s is None:
        return "time to go not known yet"
    seconds = round(min(pace_s * probes, left_s))
    return f"{seconds // 60}:{seconds % 60:02} to go"


def _show(line: str) -> None:
    """On standard error: on a terminal in the place of the last line, elsewhere below it."""
    start, end = ("\r\033[K", "") if sys.stderr.isatty() else ("", "\n")
    print(f"{start}{line}", end=end, file=sys.stderr, flush=True)


def _summarise(ledgers: Sequence[Ledger], limit_s: float) -> bool:
    """Print what has become of the probes; whether all have a result, or ran out of memory."""
    if sys.stderr.isatty():
        _show("")
    for ledger in ledgers:
        print("\n".join(ledger.describe()))
    missing = sum(len(ledger.missing()) for ledger in ledgers)
    if missing:
        print(f"{missing} probes did not fit in {limit_s / 60:g} minutes; the same command goes on with them")
    failed = any(record.failure not in (None, OOM) for ledger in ledgers for record in ledger.records.values())
    return not missing and not failed


if __name__ == "__main__":
    sys.exit(main())
