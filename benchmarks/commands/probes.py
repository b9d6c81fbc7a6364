"""Probes of studies: their predictions, and their measurements on this machine."""

from collections.abc import Sequence

import torch

from benchmarks.commands.request import Request
from benchmarks.probes.ledger import name_of
from benchmarks.probes.machine import Machine, describe, detect
from benchmarks.probes.records import PREDICTED
from benchmarks.probes.runner import ProbeOptions, ProbeRunner, log_to_stderr
from benchmarks.study import Study
from ossnet.progress import ProgressLine


def answer_probes(studies: Sequence[Study], request: Request) -> bool:
    """Predict and measure the missing probes of studies; return whether none failed except by a lack of memory.

    Raises:
        UserError: records cannot be read or written, or the GPU cannot be used or is in use by others.
    """
    runners = _runners(studies, request)
    for runner in runners:
        runner.refuse_shared_gpu()
    for runner in runners:
        runner.answer(ProgressLine)
    failed = [probe for runner in runners for probe in runner.failed()]
    if failed:
        total = sum(len(ledger.probes) for runner in runners for ledger in runner.ledgers)
        log_to_stderr(f"{len(failed)} of {total} probes have failed; use --retry-failed to try them again")
    return not failed


def list_probes(studies: Sequence[Study], request: Request) -> None:
    """Print the probes of studies with their states; measure and change nothing.

    Raises:
        UserError: records cannot be read.
    """
    missing = 0
    for runner in _runners(studies, request):
        for ledger, to_answer in runner.missing():
            missing += len(to_answer)
            print(ledger.describe()[0])
            for probe in ledger.probes:
                print(f"  {name_of(probe)}: {ledger.state(probe)}{', to be answered' if probe in to_answer else ''}")
    print(f"{missing} probes to answer")


def _runners(studies: Sequence[Study], request: Request) -> list[ProbeRunner]:
    """Return the runner of the predictions and, if measurements are requested, those of this machine's GPU and CPU.

    The CPU measures what the GPU does not: all studies, or those without any measurement on a GPU.
    """
    cpu = describe("cpu", request.command)
    by_machine = [(Machine(PREDICTED, None, cpu.provenance), list(studies))]
    if request.measure:
        on_gpu = [study for study in studies if study.measured("cuda")] if torch.cuda.is_available() else []
        if on_gpu:
            by_machine.append((detect("cuda", request.command), on_gpu))
        by_machine.append((cpu, [study for study in studies if study not in on_gpu]))
    options = ProbeOptions(request.retry_failed, request.force, request.shared)
    return [ProbeRunner(of_machine, machine, request.results, options) for machine, of_machine in by_machine]
