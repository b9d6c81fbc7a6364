"""The command `verify`."""

import argparse

from benchmarks.cli.options import Commands, command, with_data, with_profile
from benchmarks.studies.registry import find_studies
from ossnet.cli.unused import refuse_unused
from ossnet.errors import UserError


def add(commands: Commands) -> None:
    """Add the command."""
    verify = command(
        commands,
        "verify",
        _verify,
        "Show the records behind a number of a table, compute it from them again, and train one of its seeds again. "
        "The exit status is 0 if everything is equal, or differs by no more than another machine or changed setting "
        "explains, otherwise 1.",
    )
    with_scores = [study.name for study in find_studies([]) if study.has_points]
    verify.add_argument("study", metavar="STUDY", help=f"name of the study: {', '.join(with_scores)}")
    verify.add_argument(
        "row",
        nargs="+",
        metavar="ROW",
        help="columns of the row, as records or tables have them, such as c or 'OSS-Net C'",
    )
    verify.add_argument(
        "quantity", metavar="QUANTITY", help="quantity of the number, such as dice, iou, hausdorff95 or surface_dice"
    )
    with_profile(verify)
    with_data(verify)
    verify.add_argument("--seed", type=int, help="seed to train again (default: the first one of the row)")
    verify.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="change a setting of the training, such as recipe.memory=lean, to see what it does to the scores; can be "
        "repeated",
    )
    verify.add_argument("--no-train", action="store_true", help="only compare the table with its records")


def _verify(options: argparse.Namespace) -> int:
    # This imports torch, and commands that only read records do without it.
    from benchmarks.commands.verify import VerifyRequest, verify
    from ossnet.cli.options import settings

    refuse_unused(options, not options.no_train, "a training, which --no-train leaves out", "--seed", "--set")
    (study,) = find_studies([options.study], options.results)
    if not study.has_points:
        with_points = [other.name for other in find_studies([]) if other.has_points]
        raise UserError(f"study {study.name} trains no model; choose from {', '.join(with_points)}")
    request = VerifyRequest(
        study,
        options.row,
        options.quantity,
        options.profile,
        options.data,
        options.results,
        seed=options.seed,
        train=not options.no_train,
        command=options.command_line,
        settings=settings(options.set),
    )
    return verify(request)
