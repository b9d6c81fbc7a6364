"""The command `ossnet import-released`."""

import argparse
from pathlib import Path
from typing import get_args

from ossnet.cli.options import Commands
from ossnet.files import require_writable_folder
from ossnet.network.released import ReleasedDataset, ReleasedVariant


def add(commands: Commands) -> None:
    """Add the command."""
    importing = commands.add_parser(
        "import-released",
        help="make a run of a checkpoint of the paper's released code",
        description="Write a folder with the weights of a checkpoint in the naming of the paper's released code and "
        "with their specification, which evaluate, segment and fits take like the folder of a training.",
    )
    importing.add_argument("file", type=Path, metavar="FILE", help="checkpoint: a plain state dict, saved by torch")
    importing.add_argument(
        "--variant",
        choices=get_args(ReleasedVariant),
        help="network of the checkpoint (default: recognised by its entries)",
    )
    importing.add_argument(
        "--dataset",
        choices=get_args(ReleasedDataset),
        help="data set that it was trained on (default: recognised by its entries)",
    )
    importing.add_argument("-o", "--output", required=True, type=Path, metavar="RUN", help="folder of the run")
    importing.set_defaults(command=_import)


def _import(arguments: argparse.Namespace) -> None:
    from ossnet.training.released_run import import_released

    require_writable_folder(arguments.output)
    spec = import_released(arguments.file, arguments.output, arguments.variant, arguments.dataset)
    print(f"{arguments.output}: model {spec.model}, trained on {spec.dataset} ({', '.join(spec.modalities)})")
