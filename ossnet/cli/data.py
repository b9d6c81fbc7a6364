"""The commands `ossnet data check` and `ossnet data prepare`."""

import argparse
import sys
from pathlib import Path

from ossnet.cli.options import (
    Commands,
    cache_option,
    chosen_split,
    data_options,
    modalities_option,
    positive,
    set_option,
    settings,
)
from ossnet.data.modalities import with_modalities
from ossnet.data.sources import EMBEDDED, SOURCE_HELP, list_files, open_with_progress
from ossnet.errors import UserError
from ossnet.files import require_writable, require_writable_folder, write_text

WORKERS = 2


def add(commands: Commands) -> None:
    """Add the commands."""
    data = commands.add_parser("data", help="check a data set, or prepare it for training")
    subcommands = data.add_subparsers(title="commands", required=True, metavar="COMMAND")
    check = subcommands.add_parser(
        "check",
        parents=[cache_option()],
        help="print what the files of a data set hold, and which cases cannot be used",
        description="Read all cases of a data set, one at a time, and print their shapes, spacings, orientations and "
        "labels, and what is wrong with them. The exit status is 1 if a case cannot be used.",
    )
    check.add_argument("data", metavar="SOURCE", help=f"data set: {SOURCE_HELP}")
    check.add_argument("--out", type=Path, metavar="CSV", help="file for the table of cases (default: none)")
    check.set_defaults(command=_check)
    prepare = subcommands.add_parser(
        "prepare",
        parents=[data_options(positional=True), modalities_option(), set_option()],
        help="fill the cache of prepared cases that training uses",
        description="Prepare the cases of the splits train and validation, as the training of a model would, in "
        "several processes. Cases that are prepared already are left as they are, so that the same command continues "
        "after an interruption. The exit status is 1 if a case cannot be prepared.",
    )
    prepare.add_argument("--model", default="c", help="model to prepare for (default: %(default)s)")
    prepare.add_argument(
        "--workers",
        type=positive,
        default=WORKERS,
        metavar="N",
        help="number of processes, each of which has one case in memory (default: %(default)s)",
    )
    prepare.set_defaults(command=_prepare)


def _check(arguments: argparse.Namespace) -> int:
    from ossnet.data.check import check_cases, check_table, summary
    from ossnet.progress import ProgressLine

    if arguments.data in EMBEDDED:
        raise UserError(f"{arguments.data} is synthetic and has no files to check; give a folder or a table")
    if arguments.out:
        require_writable(arguments.out)
    require_writable_folder(arguments.cache)
    listing = list_files(arguments.data)
    with ProgressLine(f"checking {len(listing.cases)} cases", len(listing.cases)) as line:
        checks = check_cases(listing, arguments.cache, line.update)
    table = check_table(checks)
    print(table.drop(columns="remarks").to_string(index=False))
    print("\n".join(summary(listing, checks)))
    for check in checks:
        for note in check.notes:
            print(f"note: case {check.name}: {note}")
    problems = [check.problem for check in checks if check.problem]
    for problem in problems:
        print(f"unusable: {problem}")
    print(f"{len(checks) - len(problems)} of {len(checks)} cases can be used")
    if arguments.out:
        write_text(arguments.out, table.to_csv(index=False))
        print(f"written to {arguments.out}")
    return 1 if problems else 0


def _prepare(arguments: argparse.Namespace) -> int:
    from ossnet.data.preparation import prepare_all
    from ossnet.progress import ProgressLine
    from ossnet.training.given_settings import refuse_replaced
    from ossnet.training.profile import load_profile
    from ossnet.training.run import prepared_cases

    require_writable_folder(arguments.cache)
    profile = load_profile(arguments.profile)
    generator = profile.generator(arguments.data)
    dataset = open_with_progress(arguments.data, generator, arguments.cache, chosen_split(arguments))
    dataset = with_modalities(dataset, arguments.modalities or dataset.modalities)
    changes = settings(arguments.set)
    spec = profile.spec(arguments.model, dataset, 0, changes)
    refuse_replaced(changes, spec)
    parts = prepared_cases(spec, dataset, arguments.cache, spec.make_model())
    count = sum(map(len, parts))
    with ProgressLine(f"preparing {count} cases", count) as line:
        problems = prepare_all(parts, arguments.workers, lambda done, _, name: line.update(done, name))
    for problem in problems.values():
        print(f"not prepared: {problem}", file=sys.stderr)
    print(f"{count - len(problems)} of {count} cases of {dataset.name} are prepared in {arguments.cache}")
    if problems:
        return 1
    for cases in parts:
        cases.prepare()
    return 0
