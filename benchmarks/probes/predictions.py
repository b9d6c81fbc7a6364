"""Predictions of probes, by several processes where there are many."""

import os
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from queue import SimpleQueue

from benchmarks.machine.subprocess_worker import Outcome, Worker
from benchmarks.probes.measure import predict_probe
from benchmarks.workload import Probe

MAX_PROCESSES = 4
PROBES_PER_PROCESS = 16
"""Least number of probes for which a process is worth its start, which takes as long as several predictions."""


def predict(probe: Probe) -> Outcome:
    """Predict a probe, which takes a second or two."""
    try:
        return Outcome(predict_probe(probe))
    except Exception as error:
        # One model that cannot be predicted must not prevent the table of the others: it is recorded as a failure.
        return Outcome(failure=f"{type(error).__name__}: {' '.join(str(error).split())}")


def predictions(probes: Sequence[Probe]) -> Generator[tuple[Probe, Outcome]]:
    """Yield each probe with its prediction as soon as that is made, in any order.

    There is one process per CPU core, up to `MAX_PROCESSES`, or this process alone if the probes are few. All
    processes end with the iteration, even if that is interrupted or closed.
    """
    processes = min(os.cpu_count() or 1, MAX_PROCESSES, len(probes) // PROBES_PER_PROCESS)
    if processes < 2:
        yield from ((probe, predict(probe)) for probe in probes)
        return
    idle: SimpleQueue[Worker] = SimpleQueue()

    def predict_elsewhere(probe: Probe) -> Outcome:
        worker = idle.get()
        try:
            return worker.call(predict_probe, probe)
        finally:
            idle.put(worker)

    with ExitStack() as stack:
        threads = stack.enter_context(ThreadPoolExecutor(processes))
        for _ in range(processes):
            idle.put(stack.enter_context(Worker()))
        # Leaving the stack cancels what waits, then ends the workers, and so the calls that the threads wait for.
        stack.callback(threads.shutdown, wait=False, cancel_futures=True)
        waiting = {threads.submit(predict_elsewhere, probe): probe for probe in probes}
        for future in as_completed(waiting):
            yield waiting[future], future.result()
