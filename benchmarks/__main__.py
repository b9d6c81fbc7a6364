"""Run the studies of the suite, make their tables, and check the paper's claims and the printed numbers."""

import argparse
import shlex
import sys
from collections.abc import Sequence

from benchmarks.cli import records, reproduce, run, transfer, verify
from ossnet.command import run_command


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out a command of `python -m benchmarks`.

    Args:
        arguments: the command line's arguments; None for those of this process.

    Returns:
        The exit status: 0 for success, 1 if a run failed or a number was not confirmed, 2 after a user's mistake, 130
        after an interrupt.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)

    def command() -> int:
        options = _parser().parse_args(given)
        options.command_line = shlex.join(["python", "-m", "benchmarks", *given])
        status: int = options.handler(options)
        return status

    return run_command("benchmarks", command)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for module in (run, transfer, records, verify, reproduce):
        module.add(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
