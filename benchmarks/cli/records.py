"""The commands that read records: `status`, `collect`, `reference`, `claims`; and `simulate`, which judges these."""

import argparse
from pathlib import Path

from benchmarks.claims.report import print_claims
from benchmarks.cli.options import Commands, command, with_studies
from benchmarks.commands.claims import judge_claims
from benchmarks.commands.collect import collect_studies, omissions
from benchmarks.commands.reference import copy_to_reference
from benchmarks.commands.status import print_status
from benchmarks.names import REFERENCE
from benchmarks.report.transfer_table import collect_transfers
from benchmarks.studies.registry import find_studies
from ossnet.cli.unused import refuse_unused
from ossnet.errors import UserError


def add(commands: Commands) -> None:
    """Add the commands."""
    status = with_studies(
        command(commands, "status", _status, "Show how many runs and probes are done, failed, running and missing.")
    )
    status.add_argument("--profile", help="name of a profile, to show only runs with it (default: all profiles)")
    collect = with_studies(command(commands, "collect", _collect, "Make the tables of all results so far."))
    collect.add_argument("--no-reference", action="store_true", help="leave the committed reference out of the tables")
    reference = command(
        commands,
        "reference",
        _reference,
        "Copy the records of the suite's studies to a reference, from which `make reference` makes its tables.",
    )
    reference.add_argument(
        "reference", type=Path, metavar="FOLDER", help="folder of the reference, whose records are replaced"
    )

    claims = command(
        commands, "claims", _claims, "Judge the paper's claims by our records and by the paper's own tables."
    )
    claims.add_argument("--profile", default="laptop", help="profile of the records (default: %(default)s)")
    claims.add_argument(
        "--data", nargs="*", metavar="NAME", help="names of the data sets of the records (default: all data sets)"
    )

    simulation = command(
        commands,
        "simulate",
        _simulate,
        "Simulate studies, and show how often intervals contain the truth and claims are judged correctly. It takes "
        "about a minute.",
    )
    simulation.add_argument(
        "--studies", type=int, default=4_000, help="number of simulated studies of each kind (default: %(default)s)"
    )
    simulation.add_argument("--seed", type=int, default=0, help="seed of the random numbers (default: %(default)s)")


def _status(options: argparse.Namespace) -> int:
    studies = find_studies(options.study, options.results)
    refuse_unused(options, any(study.has_points for study in studies), "studies that train models", "--profile")
    print_status(studies, options.results, options.profile)
    return 0


def _collect(options: argparse.Namespace) -> int:
    studies = find_studies(options.study, options.results)
    transfers = [] if options.study else collect_transfers(options.results)
    tables = collect_studies(studies, options.results, None if options.no_reference else REFERENCE) + transfers
    if not tables:
        names = ", ".join(study.name for study in studies)
        raise UserError(f"{options.results} has no results of {names}; make them with `python -m benchmarks run`")
    for line in [*omissions(studies, options.results), *tables]:
        print(line)
    return 0


def _reference(options: argparse.Namespace) -> int:
    left_out = copy_to_reference(options.results, options.reference)
    if left_out:
        print(f"left out, since these are no studies of the suite: {', '.join(left_out)}")
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
