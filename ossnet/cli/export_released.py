"""The command `ossnet export-released`."""

import argparse
from pathlib import Path

from ossnet.cli.options import Commands
from ossnet.files import require_writable


def add(commands: Commands) -> None:
    """Add the command."""
    exporting = commands.add_parser(
        "export-released",
        help="write a run's weights in the naming of the paper's released code",
        description="Write the weights of a run as a plain state dict, saved by torch, with the names of the paper's "
        "released code. The network has to be one of that code's, in the paper's size.",
    )
    exporting.add_argument("run", type=Path, metavar="RUN", help="folder of the trained or imported model")
    exporting.add_argument("-o", "--output", required=True, type=Path, metavar="FILE", help="file for the checkpoint")
    exporting.set_defaults(command=_export)


def _export(arguments: argparse.Namespace) -> None:
    from ossnet.training.released_run import export_released

    require_writable(arguments.output)
    export_released(arguments.run, arguments.output)
    print(f"written to {arguments.output}")
