"""The command `reproduce`."""

import argparse
from pathlib import Path

from benchmarks.cli.options import Commands, command, require_positive_numbers
from ossnet.cli.unused import refuse_unused
from ossnet.files import require_writable_folder


def add(commands: Commands) -> None:
    """Add the command."""
    reproduction = command(
        commands,
        "reproduce",
        _reproduce,
        "Make Table 2 from checkpoints of the paper's released code, without training: score each of them on the "
        "validation cases by several protocols, next to the paper's numbers.",
    )
    reproduction.add_argument(
        "--data",
        required=True,
        help="data set of the paper: brats:FOLDER (with the split that the released code lists) or lits:FOLDER",
    )
    reproduction.add_argument(
        "--weights",
        required=True,
        type=Path,
        metavar="FOLDER",
        help="folder of the checkpoints, whose contents tell network and data set; those for other data are left out",
    )
    reproduction.add_argument(
        "--protocol",
        nargs="+",
        choices=("paper", "released", "dense"),
        default=["paper", "released", "dense"],
        help="protocols to score by, as `ossnet evaluate` takes them (default: all of them)",
    )
    reproduction.add_argument(
        "--locations",
        type=int,
        default=2**17,
        help="number of locations per volume of the protocol paper, and of released but for LiTS, where it is an "
        "eighth (default: %(default)s)",
    )
    reproduction.add_argument(
        "--extraction", default="mise", help="extraction of the protocol dense (default: %(default)s)"
    )
    reproduction.add_argument(
        "--max-locations", type=int, default=2**14, help="number of locations per pass (default: %(default)s)"
    )
    reproduction.add_argument("--device", help="device to run on: cpu, cuda or cuda:N (default: a GPU if there is one)")
    reproduction.add_argument("--threads", type=int, help="number of CPU threads (default: all cores)")


def _reproduce(options: argparse.Namespace) -> int:
    # This imports torch, and commands that only read records do without it.
    from benchmarks.commands.reproduce import ReproduceRequest, reproduce
    from ossnet.cli.device import device_of

    require_positive_numbers(options, "locations", "max_locations", "threads")
    protocols = list(dict.fromkeys(options.protocol))
    refuse_unused(options, "dense" in protocols, "--protocol dense", "--extraction")
    refuse_unused(options, protocols != ["dense"], "--protocol paper or released", "--locations")
    for folder in ("cache", "reproduction", "tables"):
        require_writable_folder(options.results / folder)
    table = reproduce(
        ReproduceRequest(
            options.data,
            options.weights,
            options.results,
            protocols,
            options.locations,
            options.extraction,
            options.max_locations,
            device_of(options),
        )
    )
    print(table.read_text(encoding="utf-8"))
    print(table)
    return 0
