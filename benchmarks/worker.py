"""A process of its own for one run: train, segment the test cases, score them, leave the records."""

import argparse
import fcntl
import json
import os
import sys
import time
from pathlib import Path

import torch

from benchmarks.jobs import Job
from benchmarks.scoring import evaluate
from ossnet.data.sources import open_dataset
from ossnet.errors import UserError
from ossnet.files import write_text
from ossnet.memory import is_out_of_memory
from ossnet.profile import load_profile
from ossnet.run import load_run, read_spec, train_run
from ossnet.training import best_epoch


def run(job: Job, cache: Path) -> None:
    """Make the run; what it comes to is in its folder."""
    start = time.monotonic()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    dataset = open_dataset(job.source, load_profile(job.profile).generator(job.source), cache, workers=1)
    history = train_run(job.spec, dataset, job.folder, cache, device, lambda *_: None)
    model, _ = load_run(job.folder, device)
    evaluation = evaluate(model, job, dataset)
    best = best_epoch(history)
    result = {
        **evaluation,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "training_s": sum(epoch.seconds for epoch in history),
        "worker_s": time.monotonic() - start,
        "best_validation_dice": best.dice if best is not None else None,
        "validation_protocol": job.spec.recipe.validation.protocol,
    }
    write_text(job.folder / "result.json", json.dumps(result, indent=2) + "\n")


def main() -> int:
    """`python -m benchmarks.worker FOLDER --cache DIR --threads N`; 0, or 1 with `failure.json` in the folder."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--threads", type=int, required=True)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if hasattr(os, "nice"):
        os.nice(5)
    settings = json.loads((arguments.folder / "job.json").read_text(encoding="utf-8"))
    job = Job(read_spec(arguments.folder), settings["source"], settings["profile"], arguments.folder)
    try:
        with (arguments.folder / "lock").open("w") as lock:
            # Another worker may still be at this run, one that outlived its sweep: let it finish.
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not job.done:
                run(job, arguments.cache)
    except UserError as error:
        job.fail(str(error))
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        job.fail("OOM")
    return 0 if job.done else 1


if __name__ == "__main__":
    sys.exit(main())
