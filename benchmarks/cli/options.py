"""What several commands of `python -m benchmarks` share: their options, and checks of these."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from benchmarks.studies.registry import find_studies
from ossnet.errors import UserError
from ossnet.files import require_writable_folder

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


class Commands(Protocol):
    """Collection to which the module of each command adds its parser, as `argparse` makes it."""

    def add_parser(self, name: str, **options: Any) -> argparse.ArgumentParser:
        """Add a command and return its parser."""


def command(
    commands: Commands, name: str, handler: Callable[[argparse.Namespace], int], text: str
) -> argparse.ArgumentParser:
    """Add a command with its help, the function that carries it out, and the option of the results folder."""
    added = commands.add_parser(name, help=text, description=text)
    added.set_defaults(handler=handler, parser=added)
    added.add_argument("--results", type=Path, default=Path("results"), help="results folder (default: %(default)s)")
    return added


def with_studies(added: argparse.ArgumentParser, default: Sequence[str] = ()) -> argparse.ArgumentParser:
    """Add the names of studies to a command, and return it."""
    names = [study.name for study in find_studies([])]
    of_default = ", ".join(default) or "all of them"
    text = (
        f"names of studies: {', '.join(names)}, or of your own, whose TOML file is given to `run` "
        f"(default: {of_default})"
    )
    added.add_argument("study", nargs="*", metavar="STUDY", help=text)
    return added


def with_profile(added: argparse.ArgumentParser) -> None:
    """Add the option of the profile to a command."""
    text = "profile of models and trainings: laptop, workstation, paper, released or a TOML file"
    text += " (default: %(default)s)"
    added.add_argument("--profile", default="laptop", help=text)


def with_data(added: argparse.ArgumentParser) -> None:
    """Add the option of the data set to a command."""
    text = "data set, as `ossnet train` takes it: such as glioma, liver or a CSV file (default: %(default)s)"
    added.add_argument("--data", default="glioma", help=text)


def with_workers(added: argparse.ArgumentParser) -> None:
    """Add the options of runs on this machine to a command."""
    added.add_argument(
        "--workers",
        type=int,
        help="number of runs at a time on this machine (default: one per GPU, or two without a GPU)",
    )
    added.add_argument(
        "--threads", type=int, help="number of CPU threads per run (default: 1, or those of the job on SLURM)"
    )
    added.add_argument("--retry-failed", action="store_true", help="try again what has failed before")


def comma_separated(text: str) -> tuple[str, ...]:
    """Return names that are separated by commas, each once."""
    return tuple(dict.fromkeys(text.split(",")))


def require_positive_numbers(options: argparse.Namespace, *names: str) -> None:
    """Raise a UserError if one of these options is given and is not above 0."""
    for name in names:
        value = getattr(options, name)
        if value is not None and value < 1:
            raise UserError(f"--{name.replace('_', '-')} {value}: give a whole number above 0")


def require_writable_results(results: Path, with_jobs: bool) -> None:
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
