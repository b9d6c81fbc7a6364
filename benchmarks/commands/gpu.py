"""`python -m benchmarks.commands.gpu`: all that only a GPU can tell of memory and runtime, in one go.

It needs torch, numpy, pandas and nvidia-ml-py, and no data: models are made for it, volumes have closed forms. It is
imported without them, to tell which are missing.
"""

import argparse
import shlex
import sys
import warnings
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from ossnet.command import run_command
from ossnet.errors import UserError
from ossnet.files import require_writable_folder

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
        from benchmarks.probes.measure_all import run_all
        from benchmarks.studies.probe_registry import EFFICIENCY_STUDIES

        done = run_all(
            "cuda:0",
            list(EFFICIENCY_STUDIES.values()),
            options.results,
            60 * options.limit_minutes,
            command,
            options.retry_failed,
            options.shared,
        )
        return 0 if done else 1

    return run_command(PROGRAM, measure)


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


if __name__ == "__main__":
    sys.exit(main())
