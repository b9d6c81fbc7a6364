"""Preparation of all cases of a training before it, in several processes."""

import multiprocessing
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch

from ossnet.data.parallel import for_each
from ossnet.data.prepared import PreparedCases
from ossnet.errors import UserError


class _Task(NamedTuple):
    cases: PreparedCases
    name: str


def prepare_all(
    parts: Sequence[PreparedCases], workers: int, report: Callable[[int, int, str], None]
) -> dict[str, str]:
    """Prepare the cases of several splits and return why cases cannot be prepared, by name.

    A case that is prepared already, or that another process is preparing, is not prepared again. A case that cannot be
    prepared does not keep the others from it.

    Args:
        parts: cases of the splits.
        workers: number of processes, each of which has one case in memory, see `for_each`.
        report: called after each case with the number of cases that are done, that of all cases, and the name.
    """
    tasks = [_Task(cases, name) for cases in parts for name in cases.names]
    problems: dict[str, str] = {}
    done = 0

    def receive(outcome: tuple[str, str | None]) -> None:
        nonlocal done
        name, problem = outcome
        if problem is not None:
            problems[name] = problem
        done += 1
        report(done, len(tasks), name)

    for_each(_prepare, tasks, workers, receive)
    return problems


def _prepare(task: _Task) -> tuple[str, str | None]:
    """Prepare a case and return its name and, if it cannot be prepared, the reason."""
    if multiprocessing.parent_process() is not None:
        torch.set_num_threads(1)
    try:
        task.cases.prepare_case(task.name)
    except UserError as error:
        return task.name, str(error)
    return task.name, None
