"""Run studies: make what is missing of their points and probes, then their tables."""

from collections.abc import Sequence

from benchmarks.commands.collect import collect_studies
from benchmarks.commands.request import Request, end_as_interrupted
from benchmarks.study import Study


def run(request: Request) -> int:
    """Make what is missing, and print the tables of each kind of study when they are there.

    Returns:
        0 where every point has a result and no probe failed but for a lack of memory, else 1.

    Raises:
        UserError: an option, the data or the results folder cannot be used.
    """
    # Importing torch takes seconds: commands that only read records do without it.
    from benchmarks.commands.points import make_points
    from benchmarks.commands.probes import answer_probes

    end_as_interrupted()
    with_points = [study for study in request.studies if study.has_points]
    with_probes = [study for study in request.studies if study.has_probes]
    complete = True
    if with_points:
        complete &= make_points(with_points, request)
        _print_tables([study for study in with_points if not study.has_probes], request)
    if with_probes:
        complete &= answer_probes(with_probes, request)
        _print_tables(with_probes, request)
    return 0 if complete else 1


def dry_run(request: Request) -> int:
    """List what there is and what is missing, and change nothing; return 0.

    Raises:
        UserError: an option, the data or the results folder cannot be used.
    """
    from benchmarks.commands.points import list_points
    from benchmarks.commands.probes import list_probes

    with_points = [study for study in request.studies if study.has_points]
    with_probes = [study for study in request.studies if study.has_probes]
    if with_points:
        list_points(with_points, request)
    if with_probes:
        list_probes(with_probes, request)
    return 0


def _print_tables(studies: Sequence[Study], request: Request) -> None:
    for table in collect_studies(studies, request.results):
        print(table)
