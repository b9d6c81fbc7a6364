"""The command `transfer`."""

import argparse

from benchmarks.cli.options import (
    Commands,
    comma_separated,
    command,
    require_positive_numbers,
    require_writable_results,
    with_data,
    with_profile,
    with_workers,
)


def add(commands: Commands) -> None:
    """Add the command."""
    transferred = command(
        commands,
        "transfer",
        _transfer,
        "Apply all models that Table 2 trains on a data set to every labelled case of another, without any selection, "
        "and make the table of their Dice. Missing trainings are made.",
    )
    transferred.add_argument("target", metavar="CASES", help="the other data set, such as a CSV file or brats:FOLDER")
    with_profile(transferred)
    with_data(transferred)
    with_workers(transferred)
    transferred.add_argument(
        "--models",
        type=comma_separated,
        default=(),
        metavar="NAMES",
        help="models, separated by commas (default: those of Table 2)",
    )
    transferred.add_argument(
        "--modalities",
        type=comma_separated,
        default=(),
        metavar="NAMES",
        help="modalities that both data sets have and models are trained on, separated by commas, such as flair,t1ce "
        "(default: all of the data set)",
    )
    transferred.add_argument(
        "--train-on-target",
        action="store_true",
        help="also train the models on the split train of CASES, from new weights and from those of the first "
        "training, and score its split test",
    )


def _transfer(options: argparse.Namespace) -> int:
    # This imports torch, and commands that only read records do without it.
    from benchmarks.commands.transfer import TransferRequest, transfer

    require_positive_numbers(options, "workers", "threads")
    require_writable_results(options.results, with_jobs=True)
    request = TransferRequest(
        options.target,
        options.data,
        options.profile,
        options.results,
        options.command_line,
        options.models,
        options.modalities,
        options.train_on_target,
        options.workers,
        options.threads,
        options.retry_failed,
    )
    return transfer(request)
