"""How a run is made, by whichever process holds its lock: its training, unless that is done, and its measurement."""

import os
import traceback
from pathlib import Path

import torch

from benchmarks.runs.attempts import Attempt
from benchmarks.runs.run_folder import lock, read_json, write_failure, write_json
from benchmarks.runs.training import train_for
from benchmarks.scoring.registry import read_measurement
from benchmarks.scoring.scoring import Job, Measurement, training_folder
from ossnet.config import build
from ossnet.data.case import Dataset
from ossnet.data.sources import open_dataset
from ossnet.data.voxels import kept_voxel_digest
from ossnet.errors import UserError
from ossnet.out_of_memory import is_out_of_memory
from ossnet.training.run import RunSpec, load_run


def make(folder: Path) -> None:
    """Measure what the folder's `spec.json` says as its `job.json` says; leave `result.json` or `failure.json`.

    Neither is left where another process is at work on the training.
    """
    try:
        job = build(Job, read_json(folder / "job.json"), str(folder / "job.json"))
        torch.set_num_threads(job.threads)
        os.nice(5)
        _measure(folder, job)
    except Exception as error:
        # What is no user's mistake is a defect or a broken machine: it is recorded as the failure that it is.
        if not isinstance(error, UserError):
            traceback.print_exc()
        write_failure(folder, _reason(error))


def _measure(folder: Path, job: Job) -> None:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if job.gpu and device.type == "cpu":
        raise UserError("a GPU was asked for and torch sees none; mend the node or its driver, and use --retry-failed")
    measurement = read_measurement(folder)
    dataset = open_dataset(job.source, job.generator, Path(job.cache), workers=1)
    if dataset.fingerprint != measurement.training.fingerprint:
        raise UserError(f"data {job.source} have changed since this run was planned; start the study again")
    training = training_folder(folder.parent.parent, measurement.training)
    _refuse_leakage(dataset, measurement, Path(job.cache))
    if not _train(measurement.training, dataset, training, job, device):
        return
    # The training has attempts of its own: what it took is not counted twice.
    attempt = Attempt(folder, job.command, device)
    model, _ = load_run(training, device)
    outcome = measurement.measure(model, dataset, Path(job.cache), folder)
    attempt.record(outcome.timing, outcome.memory)
    # Last of all: where it is, the run is done.
    write_json(folder / "result.json", outcome.result)


def _train(spec: RunSpec, dataset: Dataset, folder: Path, job: Job, device: torch.device) -> bool:
    """Make the training of a folder unless it is done; False where another process is at work on it.

    Raises:
        UserError: it has failed before, or fails now for one.
    """
    if (folder / "result.json").exists():
        return True
    with lock(folder) as mine:
        if not mine or (folder / "result.json").exists():
            return mine
        if (folder / "failure.json").exists():
            raise UserError(read_json(folder / "failure.json")["reason"])
        try:
            train_for(spec, dataset, folder, job, device)
        except Exception as error:
            write_failure(folder, _reason(error))
            raise
    return True


def _refuse_leakage(dataset: Dataset, measurement: Measurement, cache: Path) -> None:
    """Raise a UserError where a case held back for scores has the voxels of one to train on.

    Scores of the training cases themselves, where a study asks for them, are labelled as such.
    """
    split = measurement.split_of(dataset)
    if split == "train":
        return
    to_learn = {kept_voxel_digest(dataset, name, cache): name for name in dataset.splits["train"]}
    for name in dataset.splits[split]:
        twin = to_learn.get(kept_voxel_digest(dataset, name, cache))
        if twin is not None:
            raise UserError(
                f"data set {dataset.name}: case {name} of split {split} has the voxels of case {twin}, which is to "
                "train on; leave it out of one of them"
            )


def _reason(error: Exception) -> str:
    """Why something failed: `OOM`, or a sentence."""
    if isinstance(error, UserError):
        return " ".join(str(error).split())
    return "OOM" if is_out_of_memory(error) else f"{type(error).__name__}: {error}"
