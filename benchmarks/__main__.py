"""`python -m benchmarks`: run studies, see how far they are, make their tables, judge the paper's claims."""

import argparse
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.claiming import judge_claims
from benchmarks.collecting import collect_studies
from benchmarks.status import print_status
from benchmarks.studies import STUDIES, find_studies
from benchmarks.verdicts import print_claims
from ossnet.command import run_command
from ossnet.errors import UserError

EXECUTORS = ("local", "slurm")


def main(arguments: Sequence[str] | None = None) -> int:
    """0; 1 when a run that was asked for failed, 2 for a user's mistake, 130 when interrupted."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    options = _parser().parse_args(given)
    options.command_line = shlex.join(["python", "-m", "benchmarks", *given])
    return run_command("benchmarks", lambda: options.carry_out(options))


def _run(options: argparse.Namespace) -> int:
    for option in ("workers", "threads"):
        value = getattr(options, option)
        if value is not None and value < 1:
            raise UserError(f"--{option} {value}: give a whole number above 0")
    # Torch comes with it, which the other commands do without.
    from benchmarks.running import Request, dry_run, run

    request = Request(
        find_studies(options.study),
        options.profile,
        options.data,
        options.results,
        options.executor,
        options.workers,
        options.threads,
        options.retry_failed,
        options.force,
        options.command_line,
    )
    return dry_run(request) if options.dry_run else run(request)


def _status(options: argparse.Namespace) -> int:
    print_status(find_studies(options.study), options.results, options.profile)
    return 0


def _collect(options: argparse.Namespace) -> int:
    for table in collect_studies(find_studies(options.study), options.results, not options.no_reference):
        print(table)
    return 0


def _claims(options: argparse.Namespace) -> int:
    profile = Path(options.profile).name.removesuffix(".toml")
    print_claims(judge_claims(options.results, profile, options.data))
    print(options.results / "tables" / "claims.md")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, carry_out: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text)
        added.set_defaults(carry_out=carry_out)
        added.add_argument(
            "--results", type=Path, default=Path("results"), help="folder for everything made (%(default)s)"
        )
        return added

    def with_studies(added: argparse.ArgumentParser) -> argparse.ArgumentParser:
        added.add_argument("study", nargs="*", metavar="STUDY", help=f"{', '.join(STUDIES)} (all of them)")
        return added

    run = with_studies(command("run", _run, "Make the runs of studies that are missing, then their tables."))
    run.add_argument("--profile", default="laptop", help="laptop, workstation, paper or a TOML file (%(default)s)")
    run.add_argument("--data", default="glioma", help="as of `ossnet train` (%(default)s)")
    run.add_argument("--executor", choices=EXECUTORS, default="local", help="where runs are made (%(default)s)")
    run.add_argument("--workers", type=int, help="runs at a time on this machine (one a GPU, two without a GPU)")
    run.add_argument("--threads", type=int, help="CPU threads of each run (1; on SLURM those of the job)")
    run.add_argument("--retry-failed", action="store_true", help="try runs again that have failed before")
    run.add_argument("--force", action="store_true", help="delete what these runs came to, and make them anew")
    run.add_argument("--dry-run", action="store_true", help="only list the runs, with the hours they would take")

    status = with_studies(command("status", _status, "Tell which runs are done, failed, running or missing."))
    status.add_argument("--profile", help="only those of a profile (all of them)")
    collect = with_studies(command("collect", _collect, "Make records and tables of the runs that are done."))
    collect.add_argument("--no-reference", action="store_true", help="leave the committed reference out of the tables")

    claims = command("claims", _claims, "Judge the paper's claims by our records and by its own tables.")
    claims.add_argument("--profile", default="laptop", help="whose records (%(default)s)")
    claims.add_argument("--data", nargs="*", metavar="NAME", help="data sets of the records (all of them)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
