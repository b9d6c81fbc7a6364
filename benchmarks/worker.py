"""A process of its own for one run: whatever becomes of it is in its folder when the process ends."""

import os
import time
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from benchmarks.measurement import Job, Outcome
from benchmarks.measurements import read_measurement
from benchmarks.provenance import provenance
from benchmarks.runs import lock, read_json, write_json
from ossnet.config import build
from ossnet.errors import UserError
from ossnet.memory import is_out_of_memory


def work(folder: str) -> None:
    """Make the run of a folder that `Run.prepare` has prepared, or go on with it; leave it where it is done.

    Waits for another process that is at work on it, such as one that has outlived its sweep.
    """
    path = Path(folder)
    with lock(path):
        if (path / "result.json").exists():
            return
        job = build(Job, read_json(path / "job.json"), str(path / "job.json"))
        torch.set_num_threads(job.threads)
        try:
            os.nice(5)
            _make(path, job)
        except UserError as error:
            _fail(path, " ".join(str(error).split()))
        except Exception as error:
            # Anything else is a defect or a broken machine: it is recorded as the failure that it is.
            traceback.print_exc()
            _fail(path, "OOM" if is_out_of_memory(error) else f"{type(error).__name__}: {error}")


def _make(folder: Path, job: Job) -> None:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    start = time.monotonic()
    attempt: dict[str, Any] = {"started": datetime.now(UTC).isoformat(timespec="seconds")}
    attempt |= provenance(job.command, device)
    before = _attempts(folder)

    def record(outcome: Outcome | None) -> None:
        attempt["seconds"] = time.monotonic() - start
        attempts = [*before, attempt]
        timing = outcome.timing if outcome is not None else {}
        total = sum(past["seconds"] for past in attempts)
        write_json(folder / "provenance.json", {"attempts": attempts, "seconds": total, "timing": timing})

    record(None)
    outcome = read_measurement(folder).measure(job, folder, device)
    record(outcome)
    # Last of all: where it is, the run is done.
    write_json(folder / "result.json", outcome.result)


def _attempts(folder: Path) -> list[dict[str, Any]]:
    """Earlier processes that were at work on the run; of those that were killed the time is not known, and is 0."""
    try:
        attempts: list[dict[str, Any]] = read_json(folder / "provenance.json")["attempts"]
    except FileNotFoundError:
        return []
    return attempts


def _fail(folder: Path, reason: str) -> None:
    write_json(folder / "failure.json", {"reason": reason})
