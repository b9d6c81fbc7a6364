"""The training of a study's model: it is done once, whatever is measured on the model, and recorded in its folder."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks.experiments.attempts import Attempt
from benchmarks.machine.peak_memory import PeakMemory
from benchmarks.runs.run_folder import write_json
from benchmarks.scoring.scoring import Job
from ossnet.data.case import Dataset
from ossnet.memory.footprint import count
from ossnet.memory.workload import Workload, locations_for
from ossnet.training.loop import EpochReport, best_epoch
from ossnet.training.run import RunSpec, load_run, train_run


def train_and_record(spec: RunSpec, dataset: Dataset, folder: Path, job: Job, device: torch.device) -> None:
    """Train the model of a specification, or go on with an earlier attempt, and leave `result.json` in its folder.

    The seconds and the peak memory in `provenance.json` include validation. Without a GPU, tensors are not counted
    during the training, which would slow it down, but in two separate steps afterwards, without validation and without
    the batch that is prepared ahead.

    Args:
        spec: specification of the training.
        dataset: the data set.
        folder: folder of the training, whose lock this process holds.
        job: how the run is made.
        device: device of the training.

    Raises:
        UserError: see `ossnet.training.run.train_run`.
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
        train_run(spec, dataset, folder, Path(job.cache), device, after_epoch, start=_start(spec, folder))
    if device.type == "cpu":
        peak.add({"allocated_bytes": count(training_step(spec, cases), device).allocated_bytes})
    attempt.record(_timing(history), peak.peaks)
    # Last of all: the training counts as done where this file exists.
    write_json(folder / "result.json", _result(spec, cases, folder, history))


def _start(spec: RunSpec, folder: Path) -> Path | None:
    """Return the folder of the training that a training starts from, which lies beside its own."""
    if spec.start is None:
        return None
    return next(folder.parent.glob(f"*-{spec.start[:12]}"), None)


def training_step(spec: RunSpec, cases: int) -> Workload:
    """Return a step of a training as a workload, whose memory can be counted.

    Args:
        spec: specification of the training.
        cases: number of cases of the split `train`.
    """
    recipe = spec.recipe
    batch = min(recipe.batch_size, cases) if recipe.steps_per_epoch is None else recipe.batch_size
    locations = locations_for(spec.model, recipe.sampling.count)
    lookahead = recipe.optimization.lookahead
    return Workload(spec.model, spec.config, "training", batch, locations, recipe.execution, lookahead)


def _timing(history: Sequence[EpochReport]) -> dict[str, float]:
    """Return the seconds of all epochs; those of earlier attempts are in the history that their checkpoint kept."""
    return {
        "training_s": sum(epoch.seconds for epoch in history),
        "validation_s": sum(epoch.validation_s for epoch in history),
    }


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
