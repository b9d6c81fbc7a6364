"""The training of a study's model: made once, whatever is measured on the model."""

import math
from collections.abc import Sequence
from pathlib import Path

import torch

from benchmarks.attempts import Attempt
from benchmarks.measurement import Job
from benchmarks.runs import write_json
from ossnet.data.case import Dataset
from ossnet.run import RunSpec, load_run, train_run
from ossnet.training import EpochReport, best_epoch


def train_for(spec: RunSpec, dataset: Dataset, folder: Path, job: Job, device: torch.device) -> None:
    """Train the model of a specification in its folder, or go on with that, and leave `result.json` there.

    Raises:
        UserError: as `train_run` says.
    """
    attempt = Attempt(folder, job.command, device)
    history: list[EpochReport] = []

    def after_epoch(epoch: EpochReport, remaining_s: float) -> None:
        history.append(epoch)
        attempt.record(_timing(history))

    train_run(spec, dataset, folder, Path(job.cache), device, after_epoch)
    attempt.record(_timing(history))
    model, _ = load_run(folder)
    best = best_epoch(history)
    result = {
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "best_validation_dice": None if best is None or best.dice is None or math.isnan(best.dice) else best.dice,
        "validation_protocol": spec.recipe.validation.protocol,
    }
    # Last of all: where it is, the training is done.
    write_json(folder / "result.json", result)


def _timing(history: Sequence[EpochReport]) -> dict[str, float]:
    """Of all attempts: the epochs of an earlier one are those that the checkpoint has kept."""
    return {"training_s": sum(epoch.seconds for epoch in history)}
