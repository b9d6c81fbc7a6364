"""`python -m benchmarks run`: missing points and probes of studies, then their tables."""

from collections.abc import Sequence

from benchmarks.commands.collect import collect_studies
from benchmarks.commands.request import Request, end_as_interrupted
from benchmarks.study import Study


def run(request: Request) -> int:
    """Run missing points, answer missing probes, write the tables of the studies, and print the tables' paths.

    Returns:
        The exit status: 0 if every point has a result and no probe failed except by a lack of memory, otherwise 1.

    Raises:
        UserError: an option, the data or the results folder cannot be used.
    """
    # Importing torch takes seconds, and commands that only read records do without it.
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
    """List the points and probes of studies with their states, change nothing, and return 0.

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
