"""The commands of `ossnet`, each of which is a module that adds itself to the command line."""

import argparse
import sys
from collections.abc import Sequence

from ossnet.cli import data, evaluate, export_released, fits, import_released, models, pool, segment, train
from ossnet.cli.options import OneLineParser
from ossnet.command import run_command
from ossnet.errors import UserError
from ossnet.training.distributed import is_first_failure, is_launched

EPILOG = """examples:
  ossnet models
  ossnet data check brats:FOLDER
  ossnet train --data cases.csv --model c --out runs/c
  torchrun --standalone --nproc-per-node 2 -m ossnet.cli train --data cases.csv --model c --out runs/c
  ossnet evaluate runs/c --data cases.csv --split test
  ossnet segment flair.nii.gz t1.nii.gz t1ce.nii.gz t2.nii.gz --model runs/c -o mask.nii.gz
  ossnet import-released checkpoint.pt -o runs/released-c
  ossnet evaluate runs/released-c --data brats:FOLDER --protocol paper released dense
  ossnet fits c --shape 256 256 160 --modalities 4 --batch 8 --memory 16GiB
"""


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of `ossnet`.

    The parsed arguments hold the function of the chosen command as `command`, and whether torchrun may start it as
    `in_processes`.
    """
    parser = OneLineParser(
        prog="ossnet",
        description="Train, evaluate and use OSS-Net and its baselines.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(in_processes=False)
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for command in (data, train, evaluate, pool, segment, models, fits, import_released, export_released):
        command.add(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return the exit status.

    It is 0 for success, 1 where `fits` finds that something does not fit or `data` that a case cannot be used, 2 for an
    error that the user can correct, which is printed in one line, and 130 when interrupted.
    """

    def command() -> int:
        arguments = make_parser().parse_args(argv)
        if is_launched() and not arguments.in_processes:
            raise UserError("torchrun is for ossnet train; run the other commands without it")
        return arguments.command(arguments) or 0

    return run_command("ossnet", command, prints=is_first_failure)


if __name__ == "__main__":
    sys.exit(main())
