"""Training loop of every model, which resumes after the last whole epoch (Sections 3.2 and 4.1)."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from ossnet.data.prepared import Cases
from ossnet.errors import UserError
from ossnet.evaluation.metrics import valid_mean
from ossnet.files import replacing
from ossnet.model import SegmentationModel
from ossnet.network.execution import set_execution
from ossnet.training.batches import MAX_READERS, BatchMaker, reading_threads
from ossnet.training.checkpoint import load_checkpoint, load_weights, save_checkpoint, save_weights
from ossnet.training.confidence import ConfidenceMemory
from ossnet.training.distributed import ALONE, Processes
from ossnet.training.host_memory import keep_released_memory
from ossnet.training.learner import Learner
from ossnet.training.optimization import make_optimizer, set_learning_rates
from ossnet.training.recipe import Recipe
from ossnet.training.validation import score


@dataclass(frozen=True)
class EpochReport:
    """Outcome of one epoch.

    Attributes:
        epoch: index of the epoch, from 0.
        loss: mean of the losses of its steps.
        seconds: duration in seconds, including the validation.
        dice: mean Dice of the validation cases; None for an epoch without validation.
        iou: mean IoU of the validation cases; None for an epoch without validation.
        waiting_s: part of `seconds` in which the training waited for batches: until cases were read, and while they
            were augmented.
        validation_s: part of `seconds` for the validation.
    """

    epoch: int
    loss: float
    seconds: float
    dice: float | None
    iou: float | None
    waiting_s: float = 0.0  # Earlier checkpoints have neither.
    validation_s: float = 0.0


def best_epoch(history: Sequence[EpochReport]) -> EpochReport | None:
    """Return the first epoch of the highest validation IoU, as in the released code; None if none was validated.

    An IoU of NaN (neither prediction nor label at any location) counts as 0: nothing was found.
    """
    validated = [past for past in history if past.iou is not None]
    return max(validated, key=_iou_or_zero, default=None)


def _iou_or_zero(past: EpochReport) -> float:
    return 0.0 if past.iou is None or math.isnan(past.iou) else past.iou


def train(
    model: SegmentationModel,
    cases: Cases,
    validation_cases: Cases,
    recipe: Recipe,
    seed: int,
    folder: Path,
    identity: str,
    report: Callable[[EpochReport], None] = lambda _: None,
    processes: Processes = ALONE,
) -> None:
    """Train a model in place, then load the weights of its best epoch; without validation cases, of its last epoch.

    A second call with the same arguments resumes after the last whole epoch and, on a CPU, ends with the same weights
    as a training that was never interrupted. After each epoch, `folder` holds

    - `model.safetensors`: the weights of the best epoch so far, see `best_epoch`;
    - `history.csv`: an `EpochReport` per row, with the protocol of the validation;
    - `checkpoint.pt`: everything that the training needs to resume.

    Several processes each call this with the same arguments, except for `report` and the device of the model. The first
    writes the files, which the others must be able to read.

    Args:
        model: model with its initial weights, on its device.
        cases: training cases, at least one.
        validation_cases: validation cases; may be empty.
        recipe: recipe of the training.
        seed: seed of every random number drawn here: order of the cases, augmentation and locations. The initial
            weights are the caller's.
        folder: folder of the run.
        identity: identity of the run, see `ossnet.training.run.RunSpec.identity`.
        report: function that is called with the report of each epoch at its end; the epochs of an earlier call are
            reported at the start.
        processes: processes that share the training.

    Raises:
        UserError: the checkpoint is damaged or has another identity, the disk is full, the loss is no longer finite,
            the model does not support the recipe's memory, precision or parts of batch norms, or batches cannot be
            divided among the processes.
    """
    set_execution(model, recipe.execution)
    learner = Learner(model, processes, recipe)
    # Lean training keeps the batches, like its optimiser, in host memory.
    device = torch.device("cpu") if recipe.execution.lean else next(model.parameters()).device
    if next(model.parameters()).device.type == "cpu":
        keep_released_memory()
    optimizer = make_optimizer(model, recipe.optimization, on_host=recipe.execution.lean)
    generator = torch.Generator().manual_seed(seed)
    # The memory knows a case by its index in `cases`, so their order is part of the run.
    by_confidence = recipe.sampling.strategy == "confidence"
    memory = ConfidenceMemory(len(cases), model.config.shape, recipe.sampling) if by_confidence else None
    history: list[EpochReport] = []
    checkpoint = folder / "checkpoint.pt"
    if checkpoint.exists():
        history = _restore(load_checkpoint(checkpoint), learner, optimizer, generator, memory, identity, checkpoint)
        for past in history:
            report(past)
    for epoch in range(len(history), recipe.epochs):
        start = time.monotonic()
        loss, waiting_s = _train_epoch(learner, cases, recipe, epoch, optimizer, generator, memory, device)
        dice = iou = None
        trained = time.monotonic()
        if len(validation_cases) and ((epoch + 1) % recipe.validation.every == 0 or epoch + 1 == recipe.epochs):
            own, config = processes.part(validation_cases), model.config
            scores = processes.merge(score(model, own, config.classes, recipe.validation, config.nested))
            dice, iou = (valid_mean(s[quantity] for s in scores.values())[0] for quantity in ("dice", "iou"))
        end = time.monotonic()
        history.append(EpochReport(epoch, loss, end - start, dice, iou, waiting_s, validation_s=end - trained))
        if processes.is_first:
            best = not len(validation_cases) or best_epoch(history) is history[-1]
            _save(folder, learner, optimizer, generator, memory, identity, history, recipe.validation.protocol, best)
        report(history[-1])
    processes.wait()  # for the last files
    model.load_state_dict(load_weights(folder / "model.safetensors"))


def _train_epoch(
    learner: Learner,
    cases: Cases,
    recipe: Recipe,
    epoch: int,
    optimizer: Any,
    generator: torch.Generator,
    memory: ConfidenceMemory | None,
    device: torch.device,
) -> tuple[float, float]:
    """Train for one epoch and return the mean of its losses, and the seconds of waiting for batches."""
    model, processes = learner.model, learner.processes
    model.train()
    batches = _epoch_order(len(cases), recipe, generator).split(recipe.batch_size)
    losses, waiting_s = [], 0.0
    with reading_threads(min(MAX_READERS, recipe.batch_size)) as readers:
        maker = BatchMaker(
            cases, recipe.sampling, recipe.augmentation, memory, model.slicing, readers, device, processes
        )
        batch = maker.begin(batches[0].tolist(), generator)
        for step in range(len(batches)):
            set_learning_rates(optimizer, recipe.optimization.factor(epoch + step / len(batches), recipe.epochs))
            optimizer.zero_grad()  # First, so that the forward pass can use the memory of the previous gradients.
            start = time.monotonic()
            batch_of_step = batch()
            waiting_s += time.monotonic() - start
            loss = learner.loss(batch_of_step, generator, len(batches[step]))
            if step + 1 < len(batches):
                # All random numbers of this step are drawn: the next batch is read while gradients are computed.
                batch = maker.begin(batches[step + 1].tolist(), generator)
            learner.step(loss, optimizer)
            losses.append(processes.mean(float(loss.detach())))
            if not math.isfinite(losses[-1]):
                raise UserError(
                    f"the loss became {losses[-1]} in epoch {epoch + 1}; lower recipe.optimization.learning_rate "
                    "(the last whole epoch is kept)"
                )
    processes.require_same_draws(generator)
    processes.take(model.buffers())
    return float(np.mean(losses)), waiting_s


def _epoch_order(count: int, recipe: Recipe, generator: torch.Generator) -> torch.Tensor:
    """Draw the order of an epoch's cases: random permutations, one after the other, until its steps have enough."""
    wanted = recipe.cases_per_epoch(count)
    orders = [torch.randperm(count, generator=generator) for _ in range(-(-wanted // count))]
    return torch.cat(orders)[:wanted]


def _save(
    folder: Path,
    learner: Learner,
    optimizer: Any,
    generator: torch.Generator,
    memory: ConfidenceMemory | None,
    identity: str,
    history: Sequence[EpochReport],
    protocol: str,
    is_best: bool,
) -> None:
    """Write the three files of a training after an epoch; the weights only if the epoch is the best so far."""
    if is_best:
        save_weights(folder / "model.safetensors", learner.model.state_dict())
    with replacing(folder / "history.csv") as temporary:
        pd.DataFrame(history).assign(protocol=protocol).to_csv(temporary, index=False)
    # Last of the three files: after an interruption before it, the epoch is repeated with the same result.
    save_checkpoint(
        folder / "checkpoint.pt",
        {
            "identity": identity,
            "model": learner.model.state_dict(),
            "optimizer": optimizer.state_dict(),
            "scaler": learner.scaler.state_dict(),
            "generator": generator.get_state(),
            # The key keeps its name, so that earlier checkpoints can be resumed.
            "unsureness": None if memory is None else memory.uncertainty,
            "history": [asdict(past) for past in history],
        },
    )


def _restore(
    state: dict[str, Any],
    learner: Learner,
    optimizer: Any,
    generator: torch.Generator,
    memory: ConfidenceMemory | None,
    identity: str,
    path: Path,
) -> list[EpochReport]:
    """Restore the state of a training from a checkpoint and return the history that it holds.

    Raises:
        UserError: the checkpoint has another identity.
    """
    if state.get("identity") != identity:
        raise UserError(f"{path} belongs to a run of another configuration; choose another folder or delete it")
    learner.model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    learner.scaler.load_state_dict(state.get("scaler", {}))  # Earlier checkpoints have none.
    generator.set_state(state["generator"])
    if memory is not None:
        memory.uncertainty = state["unsureness"]
    return [EpochReport(**past) for past in state["history"]]
