"""The command `run`."""

import argparse

from benchmarks.cli.options import (
    Commands,
    comma_separated,
    command,
    require_positive_numbers,
    require_writable_results,
    with_data,
    with_profile,
    with_studies,
    with_workers,
)
from benchmarks.commands.request import Request
from benchmarks.commands.run import dry_run, run
from benchmarks.studies.registry import find_studies
from ossnet.cli.unused import refuse_unused

EXECUTORS = ("local", "slurm")


def add(commands: Commands) -> None:
    """Add the command."""
    runs = with_studies(
        command(
            commands,
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
        type=comma_separated,
        default=(),
        metavar="NAMES",
        help="models of the runs, separated by commas, such as mine,c,unet3d (default: those of each study); in a "
        "study of one model, each takes its place in the rows whose settings it has",
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


def _run(options: argparse.Namespace) -> int:
    require_positive_numbers(options, "workers", "threads")
    if options.study:
        studies = find_studies(options.study, options.results)
    else:
        studies = [study for study in find_studies([]) if not study.only_by_name]
    # Measurements take minutes, so that only named studies are measured; and a machine that submits jobs to a cluster
    # is not the one to measure.
    measure = options.executor == "local" and bool(options.study)
    # The data set, the profile and the number of workers are those of all studies of a `make`, which may train nothing.
    trains, probes = any(study.has_points for study in studies), any(study.has_probes for study in studies)
    refuse_unused(options, trains, "studies that train models", "--models", "--threads")
    refuse_unused(options, options.executor == "local", "--executor local", "--workers")
    refuse_unused(options, measure and probes, "named studies that are measured on this machine", "--shared")
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
        measure=measure,
        shared=options.shared,
        models=options.models,
    )
    if options.dry_run:
        return dry_run(request)
    require_writable_results(options.results, with_jobs=any(study.has_points for study in studies))
    return run(request)
