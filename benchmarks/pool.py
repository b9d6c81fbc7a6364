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

    def seconds(self, now: float) -> float | None:
        """What the whole run would take at its pace so far; None before the first epoch."""
        part = self.job.trained() - self.trained_before
        return (now - self.start) / part if part > 0 else None


def run_jobs(jobs: Sequence[Job], cache: Path, workers: int, threads: int, label: str) -> None:
    """Make all runs that have no result, `workers` at a time with `threads` CPU threads each.

    A run that fails leaves `failure.json` and the others go on. Interrupted, the workers are ended; called again, each
    run goes on from its last epoch.
    """
    waiting = [job for job in jobs if not job.done]
    if not waiting:
        return
    total, running = len(waiting), list[_Running]()
    seconds: dict[str, float] = {}
    with ProgressLine(label, total) as line:
        try:
            while waiting or running:
                while waiting and len(running) < workers:
                    running.append(_start(waiting.pop(0), cache, threads))
                time.sleep(POLL_S)
                now = time.monotonic()
                for item in running:
                    pace = item.seconds(now)
                    if pace is not None:
                        seconds[item.job.spec.model] = pace
                for item in [item for item in running if item.process.poll() is not None]:
                    running.remove(item)
                    _finish(item)
                done = total - len(waiting) - sum(1 - item.job.trained() for item in running)
                note = ", ".join(f"{item.job.name} {100 * item.job.trained():.0f} %" for item in running)
                line.update(done, note, _remaining_s(waiting, running, seconds, workers))
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
    return _Running(job, process, time.monotonic(), job.trained())


def _finish(item: _Running) -> None:
    job = item.job
    if not job.done and job.failure is None:
        job.fail(f"the process ended with status {item.process.returncode}; see {job.folder / 'log.txt'}")
    state = f"failed: {job.failure}" if job.failure else "done"
    print(f"{job.name}: {state} after {time.monotonic() - item.start:.0f} s", file=sys.stderr, flush=True)


def _remaining_s(
    waiting: Sequence[Job], running: Sequence[_Running], seconds: dict[str, float], workers: int
) -> float | None:
    """By the pace of each model, and for a model that has not started the mean of the others; None before any epoch."""
    if not seconds:
        return None
    mean = sum(seconds.values()) / len(seconds)
    of_waiting = sum(seconds.get(job.spec.model, mean) for job in waiting)
    of_running = [seconds.get(item.job.spec.model, mean) * (1 - item.job.trained()) for item in running]
    return max([(of_waiting + sum(of_running)) / workers, *of_running])
