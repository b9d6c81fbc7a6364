"""Run the studies of the suite, make their tables, and check the paper's claims and the printed numbers."""

import argparse
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.claims.report import print_claims
from benchmarks.commands.claims import judge_claims
from benchmarks.commands.collect import collect_studies
from benchmarks.commands.request import Request
from benchmarks.commands.run import dry_run, run
from benchmarks.commands.status import print_status
from benchmarks.names import REFERENCE
from benchmarks.report.transfer_table import collect_transfers
from benchmarks.studies.registry import find_studies
from ossnet.command import run_command
from ossnet.errors import UserError
from ossnet.files import require_writable_folder

EXECUTORS = ("local", "slurm")

WRITTEN_FOLDERS = (
    "cache",
    "efficiency",
    "plans",
    "records",
    "runs",
    "slurm",
    "studies",
    "tables",
    "trainings",
    "transfer",
    "trials",
)
"""Folders in a results folder to which `run` writes."""


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


def _check_numbers(options: argparse.Namespace) -> None:
    for option in ("workers", "threads"):
        value = getattr(options, option)
        if value is not None and value < 1:
            raise UserError(f"--{option} {value}: give a whole number above 0")


def _run(options: argparse.Namespace) -> int:
    _check_numbers(options)
    if options.study:
        studies = find_studies(options.study, options.results)
    else:
        studies = [study for study in find_studies([]) if not study.only_by_name]
    request = Request(
        studies,
        options.results,
        options.command_line,
        options.profile,
        options.data,
        options.executor,
        options.workers,
        options.threads,
        options.retry_failed,
        options.force,
        # Measurements take minutes, so that only named studies are measured; and a machine that submits jobs to a
        # cluster is not the one to measure.
        measure=options.executor == "local" and bool(options.study),
        shared=options.shared,
        models=options.models,
    )
    if options.dry_run:
        return dry_run(request)
    _check_results(options.results, with_jobs=any(study.has_points for study in studies))
    return run(request)


def _check_results(results: Path, with_jobs: bool) -> None:
    """Raise a UserError if results could not be written.

    Args:
        results: the results folder.
        with_jobs: whether runs are made as jobs, whose logs are in the results folder.
    """
    if with_jobs and "%" in str(results.absolute()):
        # SLURM and submitit replace `%j` by a job's number, and similar patterns.
        raise UserError(f"--results {results}: {results.absolute()} contains a '%'; choose a folder without one")
    for folder in (results, *(results / name for name in WRITTEN_FOLDERS)):
        if folder == results or folder.exists():
            require_writable_folder(folder)


def _status(options: argparse.Namespace) -> int:
    print_status(find_studies(options.study, options.results), options.results, options.profile)
    return 0


def _collect(options: argparse.Namespace) -> int:
    studies = find_studies(options.study, options.results)
    tables = collect_studies(studies, options.results, None if options.no_reference else REFERENCE)
    if not options.study:
        tables += collect_transfers(options.results)
    if not tables:
        names = ", ".join(study.name for study in studies)
        raise UserError(f"{options.results} has no results of {names}; make them with `python -m benchmarks run`")
    for table in tables:
        print(table)
    return 0


def _claims(options: argparse.Namespace) -> int:
    profile = Path(options.profile).name.removesuffix(".toml")
    print_claims(judge_claims(options.results, profile, options.data))
    print(options.results / "tables" / "claims.md")
    return 0


def _simulate(options: argparse.Namespace) -> int:
    import numpy as np

    from benchmarks.markup import markdown
    from benchmarks.report.simulation import simulate, simulation_table, write_simulation

    if options.studies < 1:
        raise UserError(f"--studies {options.studies}: give a whole number above 0")
    frame = simulate(np.random.default_rng(options.seed), options.studies)
    write_simulation(frame, options.results / "tables" / "simulation")
    print(markdown(simulation_table(frame)))
    print(options.results / "tables" / "simulation.md")
    return 0


def _transfer(options: argparse.Namespace) -> int:
    # This imports torch, and commands that only read records do without it.
    from benchmarks.commands.transfer import TransferRequest, transfer

    _check_numbers(options)
    _check_results(options.results, with_jobs=True)
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


def _verify(options: argparse.Namespace) -> int:
    # This imports torch, and commands that only read records do without it.
    from benchmarks.commands.verify import VerifyRequest, verify
    from ossnet.cli.options import settings

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


def _reproduce(options: argparse.Namespace) -> int:
    # As for `verify`.
    from benchmarks.commands.reproduce import ReproduceRequest, reproduce
    from ossnet.cli.device import device_of

    for option in ("locations", "max_locations", "threads"):
        value = getattr(options, option)
        if value is not None and value < 1:
            raise UserError(f"--{option.replace('_', '-')} {value}: give a whole number above 0")
    for folder in ("cache", "reproduction", "tables"):
        require_writable_folder(options.results / folder)
    table = reproduce(
        ReproduceRequest(
            options.data,
            options.weights,
            options.results,
            list(dict.fromkeys(options.protocol)),
            options.locations,
            options.extraction,
            options.max_locations,
            device_of(options),
        )
    )
    print(table.read_text(encoding="utf-8"))
    print(table)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    names = [study.name for study in find_studies([])]

    def command(name: str, handler: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text)
        added.set_defaults(handler=handler)
        added.add_argument(
            "--results", type=Path, default=Path("results"), help="results folder (default: %(default)s)"
        )
        return added

    def with_studies(added: argparse.ArgumentParser, default: Sequence[str] = ()) -> argparse.ArgumentParser:
        of_default = ", ".join(default) or "all of them"
        text = (
            f"names of studies: {', '.join(names)}, or of your own, whose TOML file is given to `run` "
            f"(default: {of_default})"
        )
        added.add_argument("study", nargs="*", metavar="STUDY", help=text)
        return added

    def with_profile(added: argparse.ArgumentParser) -> None:
        text = "profile of models and trainings: laptop, workstation, paper, released or a TOML file"
        text += " (default: %(default)s)"
        added.add_argument("--profile", default="laptop", help=text)

    def with_data(added: argparse.ArgumentParser) -> None:
        text = "data set, as `ossnet train` takes it: such as glioma, liver or a CSV file (default: %(default)s)"
        added.add_argument("--data", default="glioma", help=text)

    def with_workers(added: argparse.ArgumentParser) -> None:
        added.add_argument(
            "--workers",
            type=int,
            help="number of runs at a time on this machine (default: one per GPU, or two without a GPU)",
        )
        added.add_argument(
            "--threads", type=int, help="number of CPU threads per run (default: 1, or those of the job on SLURM)"
        )
        added.add_argument("--retry-failed", action="store_true", help="try again what has failed before")

    def names_of(text: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys(text.split(",")))

    runs = with_studies(
        command(
            "run",
            _run,
            "Make the missing runs and predictions of studies, for studies that are named also the missing "
            "measurements on this machine, and then the tables.",
        ),
        [study.name for study in find_studies([]) if not study.only_by_name],
    )
    with_profile(runs)
    with_data(runs)
    runs.add_argument(
        "--executor",
        choices=EXECUTORS,
        default="local",
        help="where runs are made: on this machine, or on a SLURM cluster without any measurements (default: "
        "%(default)s)",
    )
    with_workers(runs)
    runs.add_argument(
        "--models",
        type=names_of,
        default=(),
        metavar="NAMES",
        help="models of the runs, separated by commas, such as mine,c,unet3d (default: those of each study); a model "
        "that a study does not have is run as its first one",
    )
    runs.add_argument(
        "--force",
        action="store_true",
        help="delete the runs, trainings and records of these studies and make them again; runs of other studies that "
        "share these trainings are deleted, too, and need to be run again",
    )
    runs.add_argument(
        "--shared", action="store_true", help="measure memory and runtime even if other processes use the GPU"
    )
    runs.add_argument(
        "--dry-run", action="store_true", help="only list the runs, predictions and measurements with their states"
    )

    transferred = command(
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
        type=names_of,
        default=(),
        metavar="NAMES",
        help="models, separated by commas (default: those of Table 2)",
    )
    transferred.add_argument(
        "--modalities",
        type=names_of,
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

    status = with_studies(
        command("status", _status, "Show how many runs and probes are done, failed, running and missing.")
    )
    status.add_argument("--profile", help="name of a profile, to show only runs with it (default: all profiles)")
    collect = with_studies(command("collect", _collect, "Make the tables of all results so far."))
    collect.add_argument("--no-reference", action="store_true", help="leave the committed reference out of the tables")

    claims = command("claims", _claims, "Judge the paper's claims by our records and by the paper's own tables.")
    claims.add_argument("--profile", default="laptop", help="profile of the records (default: %(default)s)")
    claims.add_argument(
        "--data", nargs="*", metavar="NAME", help="names of the data sets of the records (default: all data sets)"
    )

    simulation = command(
        "simulate",
        _simulate,
        "Simulate studies, and show how often intervals contain the truth and claims are judged correctly. It takes "
        "about a minute.",
    )
    simulation.add_argument(
        "--studies", type=int, default=4_000, help="number of simulated studies of each kind (default: %(default)s)"
    )
    simulation.add_argument("--seed", type=int, default=0, help="seed of the random numbers (default: %(default)s)")

    verify = command(
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

    reproduction = command(
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
    return parser


if __name__ == "__main__":
    sys.exit(main())
