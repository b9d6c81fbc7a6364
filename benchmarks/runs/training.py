"""The training of a study's model: made once, whatever is measured on the model."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks.machine.peak_memory import PeakMemory
from benchmarks.runs.attempts import Attempt
from benchmarks.runs.run_folder import write_json
from benchmarks.scoring.scoring import Job
from ossnet.data.case import Dataset
from ossnet.memory.footprint import count
from ossnet.memory.workload import Workload, locations_for
from ossnet.training.loop import EpochReport, best_epoch
from ossnet.training.run import RunSpec, load_run, train_run


def train_for(spec: RunSpec, dataset: Dataset, folder: Path, job: Job, device: torch.device) -> None:
    """Train the model of a specification in its folder, or go on with that, and leave `result.json` there.

    The seconds and the peak of memory in `provenance.json` are those of the training with its validation. Without a
    GPU, tensors are not counted while the model trains, which would slow it down, but in two steps of their own after:
    without validation, and without the batch that is prepared ahead.

    Raises:
        UserError: as `train_run` says.
    """
    cases = len(dataset.splits["train"])
    attempt = Attempt(folder, job.command, device)
    history: list[EpochReport] = []
    peak = PeakMemory(device)

    def after_epoch(epoch: EpochReport, remaining_s: float) -> None:
        history.append(epoch)
        peak.note()
        attempt.record(_timing(history), peak.peaks)

    with peak.watch():
        train_run(spec, dataset, folder, Path(job.cache), device, after_epoch)
    if device.type == "cpu":
        peak.add({"allocated_bytes": count(step_of(spec, cases), device).allocated_bytes})
    attempt.record(_timing(history), peak.peaks)
    # Last of all: where it is, the training is done.
    write_json(folder / "result.json", _result(spec, cases, folder, history))


def step_of(spec: RunSpec, cases: int) -> Workload:
    """A step of a training, whose memory can be told.

    Args:
        cases: of the split `train`.
    """
    recipe = spec.recipe
    batch = min(recipe.batch_size, cases) if recipe.steps_per_epoch is None else recipe.batch_size
    locations = locations_for(spec.model, recipe.sampling.count)
    return Workload(spec.model, spec.config, "training", batch, locations, execution=recipe.execution)


def _timing(history: Sequence[EpochReport]) -> dict[str, float]:
    """The seconds of all attempts: the epochs of an earlier one are those that the checkpoint has kept."""
    return {"training_s": sum(epoch.seconds for epoch in history)}


def _result(spec: RunSpec, cases: int, folder: Path, history: Sequence[EpochReport]) -> dict[str, Any]:
    model, _ = load_run(folder)
    recipe = spec.recipe
    best = best_epoch(history)
    drawn = locations_for(spec.model, recipe.sampling.count)
    learned = recipe.epochs * recipe.cases_per_epoch(cases) * model.learned_per_case(recipe.sampling.count)
    return {
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "steps": recipe.epochs * recipe.steps(cases),
        "voxels_seen" if drawn is None else "locations_seen": learned,
        "best_validation_dice": None if best is None or best.dice is None or math.isnan(best.dice) else best.dice,
        "validation_protocol": recipe.validation.protocol,
    }
