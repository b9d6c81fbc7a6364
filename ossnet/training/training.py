"""Training of any model by its recipe, from wherever it was interrupted."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from pydantic import Field
from pydantic.dataclasses import dataclass as checked

from ossnet.checks import STRICT
from ossnet.config import newer
from ossnet.data.prepared import Cases
from ossnet.errors import UserError
from ossnet.evaluation.metrics import valid_mean
from ossnet.files import replacing
from ossnet.model import SegmentationModel
from ossnet.network.execution import Execution, Precision, set_execution
from ossnet.sampling import Sampling
from ossnet.training.augmentation import Augmentation
from ossnet.training.batches import READERS, BatchMaker
from ossnet.training.checkpoint import load_checkpoint, load_weights, save_checkpoint, save_weights
from ossnet.training.confidence import ConfidenceMemory
from ossnet.training.optimization import Optimization, make_optimizer, set_learning_rates
from ossnet.training.validation import Validation, score


@checked(frozen=True, config=STRICT)
class Recipe:
    """How a model is trained; the defaults are the paper's for function-space models on BraTS 2020 (Sec. 4.1).

    Attributes:
        batch_size: cases in a step.
        steps_per_epoch: batches of an epoch; None for one pass over the cases. For the slicing U-Net, which learns
            from a few slices of a case in a step, and for very few cases.
        checkpointing: compute the networks' blocks again for the backward pass, see `Execution`. It is a part of a
            run's identity where it is used, although it changes no number on a CPU: on a GPU, kernels may be chosen
            anew and sum in another order.
        precision: of the networks' blocks, in training and whenever the trained model is used, see `Execution`.
    """

    epochs: int = Field(default=50, ge=1)
    batch_size: int = Field(default=8, ge=1)
    steps_per_epoch: int | None = Field(default=None, ge=1)
    optimization: Optimization = Field(default_factory=Optimization)
    sampling: Sampling = Field(default_factory=Sampling)
    augmentation: Augmentation = Field(default_factory=Augmentation)
    validation: Validation = Field(default_factory=Validation)
    checkpointing: bool = newer(False)
    precision: Precision = newer("float32")

    @property
    def execution(self) -> Execution:
        return Execution(self.checkpointing, self.precision)

    def steps(self, cases: int) -> int:
        """Steps of an epoch over so many training cases."""
        return -(-cases // self.batch_size) if self.steps_per_epoch is None else self.steps_per_epoch

    def cases_per_epoch(self, cases: int) -> int:
        """Cases in all steps of an epoch over so many training cases, which may come in several."""
        return cases if self.steps_per_epoch is None else self.steps_per_epoch * self.batch_size


@dataclass(frozen=True)
class EpochReport:
    """What is known after an epoch; validation scores are None where there was none."""

    epoch: int
    loss: float
    seconds: float
    dice: float | None
    iou: float | None


def best_epoch(history: Sequence[EpochReport]) -> EpochReport | None:
    """The first epoch of the highest validation IoU; None where none was validated.

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
) -> None:
    """Train `model` in place and leave it with the weights of its best epoch, or the last one without validation.

    Everything that the training needs to go on is in `folder/checkpoint.pt` after each epoch; called again with the
    same arguments it goes on from there and, on a CPU, ends with the same weights as one that was never interrupted.
    The best weights by validation IoU, as the released code chooses them, are in `folder/model.safetensors`, the course
    of the training in `folder/history.csv`, its scores with their protocol.

    Args:
        cases: at least one.
        seed: of everything random here: order, augmentation, locations. (The initial weights are the caller's.)
        identity: of the run; a checkpoint of another is refused.
        report: called after each epoch, for those of an earlier call at once.

    Raises:
        UserError: the checkpoint is damaged or another run's, the disk is full, the loss is no longer finite, or the
            model has not the recipe's checkpointing or precision.
    """
    set_execution(model, recipe.execution)
    device = next(model.parameters()).device
    optimizer = make_optimizer(model, recipe.optimization)
    generator = torch.Generator().manual_seed(seed)
    # A case is known to it by its index in `cases`, whose order is part of the run.
    by_confidence = recipe.sampling.strategy == "confidence"
    memory = ConfidenceMemory(len(cases), model.config.shape, recipe.sampling) if by_confidence else None
    history: list[EpochReport] = []
    checkpoint = folder / "checkpoint.pt"
    if checkpoint.exists():
        history = _restore(load_checkpoint(checkpoint), model, optimizer, generator, memory, identity, checkpoint)
        for past in history:
            report(past)
    for epoch in range(len(history), recipe.epochs):
        start = time.monotonic()
        loss = _train_epoch(model, cases, recipe, epoch, optimizer, generator, memory, device)
        dice = iou = None
        if len(validation_cases) and ((epoch + 1) % recipe.validation.every == 0 or epoch + 1 == recipe.epochs):
            scores = score(model, validation_cases, model.config.classes, recipe.validation)
            dice, iou = (valid_mean(s[quantity] for s in scores.values())[0] for quantity in ("dice", "iou"))
        history.append(EpochReport(epoch, loss, time.monotonic() - start, dice, iou))
        if not len(validation_cases) or best_epoch(history) is history[-1]:
            save_weights(folder / "model.safetensors", model.state_dict())
        with replacing(folder / "history.csv") as temporary:
            pd.DataFrame(history).assign(protocol=recipe.validation.protocol).to_csv(temporary, index=False)
        # Last of the three: interrupted before it, the epoch is made again and comes to the same.
        save_checkpoint(
            checkpoint,
            {
                "identity": identity,
                "model": model.state_dict(),
                "optimizer": optimizer.state_dict(),
                "generator": generator.get_state(),
                "unsureness": None if memory is None else memory.unsureness,
                "history": [asdict(past) for past in history],
            },
        )
        report(history[-1])
    model.load_state_dict(load_weights(folder / "model.safetensors"))


def _train_epoch(
    model: SegmentationModel,
    cases: Cases,
    recipe: Recipe,
    epoch: int,
    optimizer: Any,
    generator: torch.Generator,
    memory: ConfidenceMemory | None,
    device: torch.device,
) -> float:
    """One epoch; the mean of its losses."""
    model.train()
    batches = _epoch_order(len(cases), recipe, generator).split(recipe.batch_size)
    losses = []
    with reading_threads(min(READERS, recipe.batch_size)) as readers:
        maker = BatchMaker(cases, recipe.sampling, recipe.augmentation, memory, model.slicing, readers, device)
        batch = maker.begin(batches[0].tolist(), generator)
        for step in range(len(batches)):
            set_learning_rates(optimizer, recipe.optimization.factor(epoch + step / len(batches), recipe.epochs))
            optimizer.zero_grad()  # First, so that the forward pass has the memory of the gradients before.
            loss = model.loss(batch(), generator)
            if step + 1 < len(batches):
                # All draws of this step are made: the next batch is read while gradients are computed.
                batch = maker.begin(batches[step + 1].tolist(), generator)
            loss.backward()
            optimizer.step()
            losses.append(float(loss.detach()))
            if not math.isfinite(losses[-1]):
                raise UserError(
                    f"the loss became {losses[-1]} in epoch {epoch + 1}; lower recipe.optimization.learning_rate "
                    "(the last whole epoch is kept)"
                )
    return float(np.mean(losses))


@contextmanager
def reading_threads(count: int) -> Iterator[ThreadPoolExecutor]:
    """Threads that read; what they have not begun when the block ends, or is interrupted, is given up."""
    readers = ThreadPoolExecutor(count)
    try:
        yield readers
    finally:
        readers.shutdown(cancel_futures=True)


def _epoch_order(count: int, recipe: Recipe, generator: torch.Generator) -> torch.Tensor:
    """Indices of the cases of an epoch: one random order, or as many after each other as its steps need."""
    wanted = recipe.cases_per_epoch(count)
    orders = [torch.randperm(count, generator=generator) for _ in range(-(-wanted // count))]
    return torch.cat(orders)[:wanted]


def _restore(
    state: dict[str, Any],
    model: SegmentationModel,
    optimizer: Any,
    generator: torch.Generator,
    memory: ConfidenceMemory | None,
    identity: str,
    path: Path,
) -> list[EpochReport]:
    if state.get("identity") != identity:
        raise UserError(f"{path} belongs to a run of another configuration; choose another folder or delete it")
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    generator.set_state(state["generator"])
    if memory is not None:
        memory.unsureness = state["unsureness"]
    return [EpochReport(**past) for past in state["history"]]
