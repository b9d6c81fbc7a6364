"""`python -m benchmarks`: run studies, see how far they are, make their tables, judge claims, verify numbers."""

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
from benchmarks.studies.registry import find_studies
from ossnet.command import run_command
from ossnet.errors import UserError
from ossnet.files import require_writable_folder

EXECUTORS = ("local", "slurm")

WRITTEN = ("cache", "efficiency", "plans", "records", "runs", "slurm", "tables", "trainings")
"""Folders of a results folder that `run` writes in."""


def main(arguments: Sequence[str] | None = None) -> int:
    """0; 1 when a run that was asked for failed, 2 for a user's mistake, 130 when interrupted."""
    given = list(sys.argv[1:] if arguments is None else arguments)

    def command() -> int:
        options = _parser().parse_args(given)
        options.command_line = shlex.join(["python", "-m", "benchmarks", *given])
        status: int = options.carry_out(options)
        return status

    return run_command("benchmarks", command)


def _run(options: argparse.Namespace) -> int:
    for option in ("workers", "threads"):
        value = getattr(options, option)
        if value is not None and value < 1:
            raise UserError(f"--{option} {value}: give a whole number above 0")
    studies = [study for study in find_studies(options.study) if options.study or not study.only_by_name]
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
        # Measuring takes minutes, so it is for those who name the study; nor is the machine that hands jobs to a
        # cluster the one to measure.
        measure=options.executor == "local" and bool(options.study),
        shared=options.shared,
    )
    if options.dry_run:
        return dry_run(request)
    _check_results(options.results, with_jobs=any(study.has_points for study in studies))
    return run(request)


def _check_results(results: Path, with_jobs: bool) -> None:
    """Raise a UserError where the work would end in a folder that cannot hold it.

    Args:
        with_jobs: whether runs are made as jobs, whose logs are in the results folder.
    """
    if with_jobs and "%" in str(results.absolute()):
        # SLURM and submitit would put a job's number in place of `%j`, and so on.
        raise UserError(f"--results {results}: {results.absolute()} has a '%'; choose a folder without one")
    for folder in (results, *(results / name for name in WRITTEN)):
        if folder == results or folder.exists():
            require_writable_folder(folder)


def _status(options: argparse.Namespace) -> int:
    print_status(find_studies(options.study), options.results, options.profile)
    return 0


def _collect(options: argparse.Namespace) -> int:
    studies = find_studies(options.study)
    tables = collect_studies(studies, options.results, None if options.no_reference else REFERENCE)
    if not tables:
        names = ", ".join(study.name for study in studies)
        raise UserError(f"nothing of {names} has been made in {options.results}; start with `python -m benchmarks run`")
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
    from benchmarks.report.simulation import simulate, simulation_grid, write_simulation

    if options.studies < 1:
        raise UserError(f"--studies {options.studies}: give a whole number above 0")
    frame = simulate(np.random.default_rng(options.seed), options.studies)
    write_simulation(frame, options.results / "tables" / "simulation")
    print(markdown(simulation_grid(frame)))
    print(options.results / "tables" / "simulation.md")
    return 0


def _verify(options: argparse.Namespace) -> int:
    # Torch comes with it, which commands that only read records do without.
    from benchmarks.commands.verify import VerifyRequest, verify

    (study,) = find_studies([options.study])
    if not study.has_points:
        with_points = [other.name for other in find_studies([]) if other.has_points]
        raise UserError(f"{study.name} trains no model; give one of {', '.join(with_points)}")
    asked = VerifyRequest(
        study,
        options.row,
        options.quantity,
        options.profile,
        options.data,
        options.results,
        seed=options.seed,
        train=not options.no_train,
        command=options.command_line,
    )
    return verify(asked)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    names = [study.name for study in find_studies([])]

    def command(name: str, carry_out: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text)
        added.set_defaults(carry_out=carry_out)
        added.add_argument(
            "--results", type=Path, default=Path("results"), help="folder for everything made (%(default)s)"
        )
        return added

    def with_studies(added: argparse.ArgumentParser, unnamed: Sequence[str] = ()) -> argparse.ArgumentParser:
        default = ", ".join(unnamed) or "all of them"
        added.add_argument("study", nargs="*", metavar="STUDY", help=f"{', '.join(names)} ({default})")
        return added

    runs = with_studies(
        command("run", _run, "Make what is missing of studies (runs, predictions, measurements), then their tables."),
        [study.name for study in find_studies([]) if not study.only_by_name],
    )
    runs.add_argument("--profile", default="laptop", help="laptop, workstation, paper or a TOML file (%(default)s)")
    runs.add_argument("--data", default="glioma", help="as of `ossnet train` (%(default)s)")
    runs.add_argument(
        "--executor",
        choices=EXECUTORS,
        default="local",
        help="where runs are made (%(default)s); slurm measures nothing",
    )
    runs.add_argument("--workers", type=int, help="runs at a time on this machine (one a GPU, two without a GPU)")
    runs.add_argument("--threads", type=int, help="CPU threads of each run (1; on SLURM those of the job)")
    runs.add_argument("--retry-failed", action="store_true", help="try again what has failed before")
    runs.add_argument(
        "--force",
        action="store_true",
        help="delete what these studies came to, and make it anew: trainings too, and so what other studies came to by "
        "the same trainings, which they have to be run again for",
    )
    runs.add_argument("--shared", action="store_true", help="measure memory and time although others use the GPU")
    runs.add_argument("--dry-run", action="store_true", help="only list what is there and what is missing")

    status = with_studies(command("status", _status, "Tell what is done, failed, running or missing."))
    status.add_argument("--profile", help="only runs of a profile (all of them)")
    collect = with_studies(command("collect", _collect, "Make tables of what is done."))
    collect.add_argument("--no-reference", action="store_true", help="leave the committed reference out of the tables")

    claims = command("claims", _claims, "Judge the paper's claims by our records and by its own tables.")
    claims.add_argument("--profile", default="laptop", help="whose records (%(default)s)")
    claims.add_argument("--data", nargs="*", metavar="NAME", help="data sets of the records (all of them)")

    simulation = command(
        "simulate",
        _simulate,
        "Simulate studies, and tell how often intervals hold the truth and claims are judged rightly (a minute).",
    )
    simulation.add_argument("--studies", type=int, default=4_000, help="studies of each kind (%(default)s)")
    simulation.add_argument("--seed", type=int, default=0, help="of the random numbers (%(default)s)")

    verify = command(
        "verify",
        _verify,
        "Tell where a number of a table comes from, work it out again from the records, and train one of its seeds "
        "again. Exit status 0: equal, or within what another machine may make of it; 1: not.",
    )
    verify.add_argument("study", metavar="STUDY", help=", ".join(names))
    verify.add_argument("row", nargs="+", metavar="ROW", help="its columns as records or tables have them: c, 'O-Net'")
    verify.add_argument("quantity", metavar="QUANTITY", help="dice, iou, hausdorff95, surface_dice, ...")
    verify.add_argument("--profile", default="laptop", help="of the records (%(default)s)")
    verify.add_argument("--data", default="glioma", help="as of `ossnet train` (%(default)s)")
    verify.add_argument("--seed", type=int, help="to train again (the first of the cell)")
    verify.add_argument("--no-train", action="store_true", help="only hold the table beside the records")
    return parser


if __name__ == "__main__":
    sys.exit(main())
