"""The pipeline of a run, in the process that holds its lock: the training, unless that is done, and the scoring."""

import os
import traceback
from pathlib import Path

import torch

from benchmarks.experiments.attempts import Attempt
from benchmarks.experiments.training import train_and_record
from benchmarks.runs.run_folder import lock, read_json, write_failure, write_json
from benchmarks.scoring.registry import read_scoring
from benchmarks.scoring.scoring import Job, training_folder
from benchmarks.scoring.transfer import all_to_test
from ossnet.config import build
from ossnet.data.case import Dataset
from ossnet.data.modalities import with_modalities
from ossnet.data.sources import open_dataset
from ossnet.data.voxels import kept_voxel_digest
from ossnet.errors import UserError
from ossnet.out_of_memory import is_out_of_memory
from ossnet.training.run import RunSpec, load_run


def train_and_measure(folder: Path) -> None:
    """Make the run that a folder's `spec.json` and `job.json` describe, and leave `result.json` or `failure.json`.

    Neither is left where another process is at work on the training.

    Args:
        folder: folder of the run, whose lock this process holds.
    """
    try:
        job = build(Job, read_json(folder / "job.json"), str(folder / "job.json"))
        torch.set_num_threads(job.threads)
        os.nice(5)
        _measure(folder, job)
    except Exception as error:
        # An error that is not the user's comes from a defect or a broken machine, and is a failure of the run, too.
        if not isinstance(error, UserError):
            traceback.print_exc()
        write_failure(folder, failure_reason(error))


def _measure(folder: Path, job: Job) -> None:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if job.gpu and device.type == "cpu":
        raise UserError(
            "this run needs a GPU and torch sees none; repair the node or its driver, and use --retry-failed"
        )
    scoring = read_scoring(folder)
    modalities = scoring.training.modalities
    dataset = with_modalities(open_dataset(job.source, job.generator, Path(job.cache), workers=1), modalities)
    if dataset.fingerprint != scoring.training.fingerprint:
        raise UserError(f"data {job.source} have changed since this run was planned; start the study again")
    training = training_folder(folder.parent.parent, scoring.training)
    scored = dataset
    if job.target is not None:
        target = open_dataset(job.target, job.target_generator, Path(job.cache), workers=1)
        scored = all_to_test(with_modalities(target, modalities))
    _refuse_leakage(dataset, scored, scoring.split_of(scored), Path(job.cache))
    if not _train(scoring.training, dataset, training, job, device):
        return
    # Begun after the training, which has attempts of its own, so that no time is counted twice.
    attempt = Attempt(folder, job.command, device)
    model, _ = load_run(training, device)
    outcome = scoring.score(model, scored, Path(job.cache), folder)
    attempt.record(outcome.timing, outcome.memory)
    # Last of all: the run counts as done where this file exists.
    write_json(folder / "result.json", outcome.result)


def _train(spec: RunSpec, dataset: Dataset, folder: Path, job: Job, device: torch.device) -> bool:
    """Do the training of a folder, unless that is done.

    Returns:
        True if it is done, False if another process is at work on it.

    Raises:
        UserError: the training has failed before, or fails now with a `UserError`.
    """
    if (folder / "result.json").exists():
        return True
    with lock(folder) as acquired:
        if not acquired or (folder / "result.json").exists():
            return acquired
        if (folder / "failure.json").exists():
            raise UserError(read_json(folder / "failure.json")["reason"])
        try:
            train_and_record(spec, dataset, folder, job, device)
        except Exception as error:
            write_failure(folder, failure_reason(error))
            raise
    return True


def _refuse_leakage(dataset: Dataset, scored: Dataset, split: str, cache: Path) -> None:
    """Raise a UserError where a case that is held back for scores has the voxels of a training case.

    Scores of the training cases themselves, which a study may have, are labelled as such.

    Args:
        dataset: data set of the training.
        scored: data set of the scored cases.
        split: split of the scored cases.
        cache: folder that keeps digests of voxels.
    """
    if split == "train":
        return
    training_cases = {kept_voxel_digest(dataset, name, cache): name for name in dataset.splits["train"]}
    for name in scored.splits[split]:
        twin = training_cases.get(kept_voxel_digest(scored, name, cache))
        if twin is not None:
            raise UserError(
                f"data set {scored.name}: case {name} of split {split} has the voxels of the training case {twin}; "
                "leave one of them out"
            )


def failure_reason(error: Exception) -> str:
    """Return why something failed: `OOM`, or a sentence."""
    if isinstance(error, UserError):
        return " ".join(str(error).split())
    return "OOM" if is_out_of_memory(error) else f"{type(error).__name__}: {error}"
