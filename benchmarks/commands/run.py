"""`python -m benchmarks run`: missing probes and points of studies, and their tables."""

from pathlib import Path

from benchmarks.commands.collect import collect_studies
from benchmarks.commands.request import Request, end_as_interrupted
from benchmarks.runs.plan import read_plans
from benchmarks.study import Study


def run(request: Request) -> int:
    """Answer missing probes, run missing points, and print the table of each study as soon as it is complete.

    Probes come first, since predictions of memory take a minute and trainings take hours. A study that has both is
    complete after its points. Studies that a failure leaves incomplete are printed at the end.

    Returns:
        The exit status: 0 if every point has a result and no probe failed except by a lack of memory, otherwise 1.

    Raises:
        UserError: an option, the data or the results folder cannot be used.
    """
    # Importing torch takes seconds, and commands that only read records do without it.
    from benchmarks.commands.points import check_points, make_points
    from benchmarks.commands.probes import answer_probes

    end_as_interrupted()
    with_points = [study for study in request.studies if study.has_points]
    with_probes = [study for study in request.studies if study.has_probes]
    incomplete = list(request.studies)

    def print_table(study: Study) -> None:
        incomplete.remove(study)
        for path in collect_studies([study], request.results):
            print(f"\n{_first_table(path)}\n\n{path}", flush=True)

    complete = True
    if with_points:
        plans = check_points(with_points, request)
        begun = {plan.stem for plan in read_plans(request.results, [study.name for study in with_points])}
        for plan in plans:
            # Until its trials are made, `status` shows what such a study waits for.
            if plan.unplanned is not None and plan.stem not in begun:
                plan.write(request.results)
    # Only now, so that a file with an error is not found by other commands.
    if any(study.file for study in request.studies):
        from benchmarks.studies.custom.stored import store

        store(request.studies, request.results)
    if with_probes:
        complete &= answer_probes(with_probes, request)
        for study in with_probes:
            if not study.has_points:
                print_table(study)
    if with_points:
        complete &= make_points(with_points, request, print_table)
        for study in list(incomplete):
            print_table(study)
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


def _first_table(path: Path) -> str:
    """Return the caption and the cells of the first table of a Markdown file, without the notes after it."""
    return "\n\n".join(path.read_text(encoding="utf-8").split("\n\n", 2)[:2])
