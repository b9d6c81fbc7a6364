"""Several runs at a time, each in a process of its own, with the time to go."""

import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.jobs import Job
from ossnet.progress import ProgressLine

POLL_S = 1.0


@dataclass
class _Running:
    job: Job
    process: subprocess.Popen[bytes]
    start: float
    trained_before: float

    def seconds(self) -> float | None:
        """What the whole run would take at its pace up to its last epoch; None before the first."""
        part, at = self.job.trained() - self.trained_before, self.job.trained_at()
        return (at - self.start) / part if part > 0 and at is not None else None


def run_jobs(jobs: Sequence[Job], cache: Path, workers: int, threads: int, label: str) -> None:
    """Make all runs that have no result, `workers` at a time with `threads` CPU threads each.

    A run that fails leaves `failure.json` and the others go on. Interrupted, the workers are ended; called again, each
    run goes on from its last epoch.
    """
    waiting = [job for job in jobs if not job.done]
    if not waiting:
        return
    total, running = len(waiting), list[_Running]()
    pace: dict[str, float] = {}
    with ProgressLine(label, total) as line:
        try:
            while waiting or running:
                while waiting and len(running) < workers:
                    running.append(_start(waiting.pop(0), cache, threads))
                time.sleep(POLL_S)
                for item in running:
                    taken = item.seconds()
                    if taken is not None:
                        pace[item.job.spec.model] = taken / item.job.effort
                for item in [item for item in running if item.process.poll() is not None]:
                    running.remove(item)
                    _finish(item)
                done = total - len(waiting) - sum(1 - item.job.trained() for item in running)
                note = ", ".join(f"{item.job.name} {100 * item.job.trained():.0f} %" for item in running)
                line.update(done, note, _remaining_s(waiting, running, pace, workers))
        finally:
            for item in running:
                item.process.terminate()
            for item in running:
                item.process.wait()


def _start(job: Job, cache: Path, threads: int) -> _Running:
    job.prepare()
    command = [
        sys.executable,
        "-m",
        "benchmarks.worker",
        str(job.folder),
        "--cache",
        str(cache),
        "--threads",
        str(threads),
    ]
    with (job.folder / "log.txt").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
    return _Running(job, process, time.time(), job.trained())


def _finish(item: _Running) -> None:
    job = item.job
    if not job.done and job.failure is None:
        job.fail(f"the process ended with status {item.process.returncode}; see {job.folder / 'log.txt'}")
    state = f"failed: {job.failure}" if job.failure else "done"
    print(f"{job.name}: {state} after {time.time() - item.start:.0f} s", file=sys.stderr, flush=True)


def _remaining_s(
    waiting: Sequence[Job], running: Sequence[_Running], pace: dict[str, float], workers: int
) -> float | None:
    """By each model's pace (seconds a unit of effort), else the mean of the others'; None before any epoch."""
    if not pace:
        return None
    mean = sum(pace.values()) / len(pace)

    def seconds(job: Job) -> float:
        return job.effort * pace.get(job.spec.model, mean)

    of_waiting = sum(seconds(job) for job in waiting)
    of_running = [seconds(item.job) * (1 - item.job.trained()) for item in running]
    return max([(of_waiting + sum(of_running)) / workers, *of_running])
