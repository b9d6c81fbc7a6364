"""A machine answers what is missing of several studies; every record is written as soon as it is there."""

import math
import time
from collections.abc import Callable, Collection, Sequence
from itertools import chain

from benchmarks.machine.subprocess_worker import Outcome
from benchmarks.probes.ledger import Ledger, name_of
from benchmarks.probes.machine import Machine
from benchmarks.probes.records import ProbeRecord
from benchmarks.study import Probe

Missing = Sequence[tuple[Ledger, Collection[Probe]]]
"""Of each study, what it has and what is to be answered."""


def distinct(missing: Missing) -> list[Probe]:
    """What is to be answered, in order, and what several studies ask once."""
    return list(dict.fromkeys(chain.from_iterable(probes for _, probes in missing)))


def answer(
    missing: Missing,
    machine: Machine,
    ask: Callable[[Probe, float], Outcome],
    show: Callable[[int, str], None],
    tell: Callable[[str], None],
    deadline: float = math.inf,
) -> None:
    """Answer what is missing, one probe after the other.

    Args:
        ask: answers a probe within so many seconds.
        show: is told before each probe how many are done, and what it is.
        tell: is told what has failed, and why.
        deadline: on the clock of `time.monotonic`. The probe that is then at work stays missing, like those after it.

    Raises:
        UserError: a record cannot be written.
    """
    for done, probe in enumerate(distinct(missing)):
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            return
        show(done, name_of(probe))
        outcome = ask(probe, left_s)
        if outcome.failure is not None:
            if time.monotonic() >= deadline:
                return
            tell(f"{name_of(probe)}: {outcome.failure}")
        for ledger, probes in missing:
            if probe in probes:
                ledger.add(
                    ProbeRecord(ledger.study, probe, machine.name, outcome.result, outcome.failure, machine.provenance)
                )
