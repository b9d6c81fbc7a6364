"""`python -m benchmarks.commands.gpu`: every measurement of memory and runtime that needs a GPU.

It needs torch, numpy, pandas and nvidia-ml-py, but no data: models are untrained and volumes have closed forms. The
module itself imports none of these packages, so that it can name those that are missing.
"""

import argparse
import shlex
import sys
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from ossnet.command import run_command
from ossnet.errors import UserError
from ossnet.files import require_writable_folder

if TYPE_CHECKING:
    from benchmarks.probes.runner import ProbeOptions, ProbeRunner
    from benchmarks.study import Study

PROGRAM = "python -m benchmarks.commands.gpu"

PACKAGES = {"torch": "torch", "numpy": "numpy", "pandas": "pandas", "pynvml": "nvidia-ml-py"}
"""Packages that must be installed, by the module that is imported from each."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure every study's probes on this machine's GPU.

    Args:
        arguments: the command line's arguments; None for those of this process.

    Returns:
        The exit status: 0 if every probe has a result or ran out of memory, 1 if one is missing or failed, 2 without a
        GPU or after a user's mistake, 130 after an interrupt.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Measure memory and runtime on this machine's GPU. The same command continues where the last call "
        "has ended.",
    )
    parser.add_argument(
        "--results", type=Path, default=Path("results"), help="folder for the records (default: %(default)s)"
    )
    parser.add_argument(
        "--limit-minutes",
        type=float,
        default=10.0,
        help="time limit of this call in minutes; the next call measures what is left (default: %(default)g)",
    )
    parser.add_argument("--retry-failed", action="store_true", help="measure again what has failed before")
    parser.add_argument("--shared", action="store_true", help="measure even if other processes use the GPU's memory")
    options = parser.parse_args(given)
    command = shlex.join([*PROGRAM.split(), *given])

    def measure() -> int:
        if not options.limit_minutes > 0:
            raise UserError(f"--limit-minutes {options.limit_minutes:g}: give a number above 0")
        require_writable_folder(options.results)
        check_packages()
        check_gpu()
        from benchmarks.probes.runner import ProbeOptions
        from benchmarks.studies.registry import STUDIES

        request = GpuRequest(
            options.results,
            60 * options.limit_minutes,
            command,
            ProbeOptions(options.retry_failed, False, options.shared),
        )
        return 0 if measure_studies("cuda:0", list(STUDIES.values()), request) else 1

    return run_command(PROGRAM, measure)


@dataclass(frozen=True)
class GpuRequest:
    """Options of a call.

    Attributes:
        results: folder for the records.
        limit_s: time limit of the call in seconds.
        command: the command line, for the provenance of records.
        options: choice of the probes to measure.
    """

    results: Path
    limit_s: float
    command: str
    options: "ProbeOptions"


def measure_studies(device: str, studies: "Sequence[Study]", request: GpuRequest) -> bool:
    """Measure the missing probes of studies on a device within a time limit, in the order of the studies.

    A probe that is not done when the time is over stays missing, like those after it.

    Args:
        device: name of the device in torch, such as `cuda:0`.
        studies: studies whose probes are measured.
        request: options of the call.

    Returns:
        Whether every probe has a result or ran out of memory.

    Raises:
        UserError: the device cannot be used or is in use by others, or the records cannot be read or written.
    """
    from benchmarks.probes.machine import detect
    from benchmarks.probes.runner import ProbeRunner

    deadline = time.monotonic() + request.limit_s
    machine = detect(device, request.command, request.limit_s)
    runner = ProbeRunner(studies, machine, request.results, request.options, log)
    runner.refuse_shared_gpu()
    runner.answer(partial(PlainProgress, deadline=deadline), deadline)
    return _summarise(runner, request)


class PlainProgress:
    """Display of progress on standard error that needs only the standard library.

    On a terminal it is one line that changes, elsewhere a line per probe.

    Args:
        title: unused, since each line names its probe.
        total: number of probes.
        deadline: end of the call, on the clock of `time.monotonic`.
    """

    def __init__(self, title: str, total: int, deadline: float) -> None:
        self.total, self.deadline = total, deadline
        self.begin = time.monotonic()

    def __enter__(self) -> "PlainProgress":
        return self

    def __exit__(self, *_: object) -> None:
        if sys.stderr.isatty():
            _show("")

    def update(self, done: float, note: str = "") -> None:
        """Show the number of probes that are done, the remaining time, and the name of the next probe.

        Args:
            done: number of probes that are done.
            note: name of the next probe.
        """
        now = time.monotonic()
        to_go = "time to go not known yet"
        if done:
            seconds = round(min((now - self.begin) / done * (self.total - done), self.deadline - now))
            to_go = f"{seconds // 60}:{seconds % 60:02} to go"
        _show(f"{done}/{self.total} done, {to_go}: {note}")


def log(text: str) -> None:
    """Print a line on standard error; on a terminal it replaces the line of progress, which continues below."""
    print(f"{_start_of_line()}{text}", file=sys.stderr, flush=True)


def check_packages() -> None:
    """Raise a UserError if a package is missing."""
    missing = [package for module, package in PACKAGES.items() if find_spec(module) is None]
    if missing:
        raise UserError(
            f"this Python lacks {', '.join(missing)}; use `{sys.executable} -m pip install {' '.join(missing)}`, or "
            "another Python (make gpu PYTHON=...)"
        )


def check_gpu() -> None:
    """Raise a UserError if torch cannot use a GPU, with torch's reason if it has one."""
    import torch

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        available = torch.cuda.is_available()
    if available:
        return
    if caught:
        reason = str(caught[0].message)
    elif torch.version.cuda is None and torch.version.hip is None:
        reason = f"torch {torch.__version__} is built without CUDA; install a build with CUDA"
    else:
        reason = "the driver shows none; check nvidia-smi and CUDA_VISIBLE_DEVICES"
    raise UserError(f"torch finds no GPU: {reason}")


def _show(line: str) -> None:
    """Print a line on standard error; on a terminal it replaces the last one."""
    print(f"{_start_of_line()}{line}", end="" if sys.stderr.isatty() else "\n", file=sys.stderr, flush=True)


def _start_of_line() -> str:
    return "\r\033[K" if sys.stderr.isatty() else ""


def _summarise(runner: "ProbeRunner", request: GpuRequest) -> bool:
    """Print the state of the probes; return whether every probe has a result or ran out of memory."""
    from benchmarks.probes.records import FOLDER

    for ledger in runner.ledgers:
        print("\n".join(ledger.describe()))
    if any(ledger.records for ledger in runner.ledgers):
        collect = f"python -m benchmarks collect --results {request.results}"
        print(f"the records are in {request.results / FOLDER}; use `{collect}` to make tables of them")
    missing = {probe for ledger in runner.ledgers for probe in ledger.missing()}
    if missing:
        limit = f"{request.limit_s / 60:g} minutes"
        print(f"{len(missing)} probes did not fit in {limit}; use the same command to continue")
    failed = runner.failed()
    if failed:
        print(f"{len(failed)} probes have failed; use --retry-failed to try them again")
    return not missing and not failed


if __name__ == "__main__":
    sys.exit(main())
