"""How a run is made, by whichever process holds its lock."""

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
from benchmarks.runs import read_json, write_failure, write_json
from ossnet.config import build
from ossnet.errors import UserError
from ossnet.memory import is_out_of_memory


def make(folder: Path) -> None:
    """Measure what the folder's `spec.json` says as its `job.json` says; leave `result.json` or `failure.json`."""
    try:
        job = build(Job, read_json(folder / "job.json"), str(folder / "job.json"))
        torch.set_num_threads(job.threads)
        os.nice(5)
        _measure(folder, job)
    except UserError as error:
        write_failure(folder, " ".join(str(error).split()))
    except Exception as error:
        # Anything else is a defect or a broken machine: it is recorded as the failure that it is.
        traceback.print_exc()
        write_failure(folder, "OOM" if is_out_of_memory(error) else f"{type(error).__name__}: {error}")


def _measure(folder: Path, job: Job) -> None:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if job.gpu and device.type == "cpu":
        raise UserError("a GPU was asked for and torch sees none; mend the node or its driver, and use --retry-failed")
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
    """Earlier processes that were at work on the run; one that was killed counts up to its last epoch."""
    path, history = folder / "provenance.json", folder / "training" / "history.csv"
    if not path.exists():
        return []
    attempts: list[dict[str, Any]] = read_json(path)["attempts"]
    if history.exists():
        started = datetime.fromisoformat(attempts[-1]["started"]).timestamp()
        attempts[-1]["seconds"] = max(attempts[-1]["seconds"], history.stat().st_mtime - started)
    return attempts
