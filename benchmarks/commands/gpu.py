"""`python -m benchmarks.commands.gpu`: all that only a GPU can tell of memory and runtime, in one go.

It needs torch, numpy, pandas and nvidia-ml-py, and no data: models are made for it, volumes have closed forms. It is
imported without them, to tell which are missing.
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
"""What must be installed, by the module that is imported of it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """0; 1 when a probe is missing or failed, 2 where there is no GPU or for a user's mistake, 130 when interrupted."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    parser = argparse.ArgumentParser(prog=PROGRAM, description="Measure memory and runtime on this machine's GPU.")
    parser.add_argument("--results", type=Path, default=Path("results"), help="folder for records (%(default)s)")
    parser.add_argument(
        "--limit-minutes", type=float, default=10.0, help="what is not done by then is left for the next call (10)"
    )
    parser.add_argument("--retry-failed", action="store_true", help="measure again what has failed before")
    parser.add_argument("--shared", action="store_true", help="measure although others use memory of the GPU")
    options = parser.parse_args(given)
    command = shlex.join([*PROGRAM.split(), *given])

    def measure() -> int:
        if not options.limit_minutes > 0:
            raise UserError(f"--limit-minutes {options.limit_minutes}: give a number above 0")
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
    """What to measure with.

    Attributes:
        results: folder for records.
        limit_s: seconds after which the call ends.
        command: the command line, for the provenance of records.
    """

    results: Path
    limit_s: float
    command: str
    options: "ProbeOptions"


def measure_studies(device: str, studies: "Sequence[Study]", request: GpuRequest) -> bool:
    """Measure what is missing of the probes of studies on a device, the first study first, within the limit.

    The probe at work when the time is over stays missing, like those after it.

    Returns:
        Whether every probe has a result, or ran out of memory.

    Raises:
        UserError: the device cannot be used or is used by others, or `results` cannot be read or written.
    """
    from benchmarks.probes.machine import look_at
    from benchmarks.probes.runner import ProbeRunner

    deadline = time.monotonic() + request.limit_s
    machine = look_at(device, request.command, request.limit_s)
    runner = ProbeRunner(studies, machine, request.results, request.options, log)
    runner.refuse_shared_gpu()
    runner.answer(partial(PlainProgress, deadline=deadline), deadline)
    return _summarise(runner, request)


class PlainProgress:
    """Progress by the standard library alone: one line on a terminal, elsewhere a line per probe. On standard error.

    Args:
        title: unused, as each line names its probe.
        total: number of probes.
        deadline: on the clock of `time.monotonic`, when the work ends whatever is left.
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
        """Show the number of probes that are done, the time to go, and the name of the next."""
        now = time.monotonic()
        to_go = "time to go not known yet"
        if done:
            seconds = round(min((now - self.begin) / done * (self.total - done), self.deadline - now))
            to_go = f"{seconds // 60}:{seconds % 60:02} to go"
        _show(f"{done}/{self.total} done, {to_go}: {note}")


def log(text: str) -> None:
    """Print a line on standard error, on a terminal in the place of the line of progress, which then goes on below."""
    print(f"{_start_of_line()}{text}", file=sys.stderr, flush=True)


def check_packages() -> None:
    """Raises UserError where a package is missing."""
    missing = [package for module, package in PACKAGES.items() if find_spec(module) is None]
    if missing:
        raise UserError(
            f"this Python has no {', '.join(missing)}: {sys.executable} -m pip install {' '.join(missing)}, or name "
            "another Python that has all of them (make gpu PYTHON=...)"
        )


def check_gpu() -> None:
    """Raises UserError where there is no GPU for torch, and says why if torch does."""
    import torch

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


def _show(line: str) -> None:
    """Print a line on standard error: on a terminal in the place of the last one, elsewhere below it."""
    print(f"{_start_of_line()}{line}", end="" if sys.stderr.isatty() else "\n", file=sys.stderr, flush=True)


def _start_of_line() -> str:
    return "\r\033[K" if sys.stderr.isatty() else ""


def _summarise(runner: "ProbeRunner", request: GpuRequest) -> bool:
    """Print what has become of the probes; return whether all have a result, or ran out of memory."""
    from benchmarks.probes.records import FOLDER

    for ledger in runner.ledgers:
        print("\n".join(ledger.describe()))
    if any(ledger.records for ledger in runner.ledgers):
        collect = f"python -m benchmarks collect --results {request.results}"
        print(f"the records are in {request.results / FOLDER}; `{collect}` makes tables of them")
    missing = {probe for ledger in runner.ledgers for probe in ledger.missing()}
    if missing:
        limit = f"{request.limit_s / 60:g} minutes"
        print(f"{len(missing)} probes did not fit in {limit}; the same command goes on with them")
    failed = runner.failed()
    if failed:
        print(f"{len(failed)} probes have failed; --retry-failed tries them again")
    return not missing and not failed


if __name__ == "__main__":
    sys.exit(main())
