"""Losses and steps of batches that one process has for itself or several share, with the whole batch's gradients."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.parallel import DistributedDataParallel

from ossnet.errors import UserError
from ossnet.model import Batch, SegmentationModel
from ossnet.network.normalization import BatchStatistics, SeparateParts, set_statistics
from ossnet.training.distributed import Processes
from ossnet.training.recipe import Recipe
from ossnet.training.synchronised_norm import SynchronisedStatistics


class Learner:
    """Losses of a model for the batches of a training, and its steps.

    With several processes, the parameters and running statistics become those of the first process, and batch norms
    take their statistics as the recipe's `norm_parts` says. A model without such norms, or whose norms are not the
    suite's, is accepted where that changes nothing.

    Args:
        model: model in training.
        processes: processes that share each batch.
        recipe: recipe of the training.

    Attributes:
        scaler: factor of the loss in float16, whose gradients would otherwise be rounded to 0. It is halved where they
            become infinite, which makes no step, and doubled after 2000 steps without that; part of a checkpoint.

    Raises:
        UserError: batches cannot be divided among the processes, or not for the norms of this model.
    """

    def __init__(self, model: SegmentationModel, processes: Processes, recipe: Recipe) -> None:
        processes.require_division(recipe.batch_size, recipe.norm_parts)
        if recipe.norm_parts > 1 and not any(isinstance(module, _BatchNorm) for module in model.modules()):
            raise UserError(f"model {type(model).__name__} has no batch norms; leave recipe.norm_parts at 1")
        self.model = model
        self.processes = processes
        synchronise = processes.count > 1 and recipe.norm_parts == 1
        self._synchronised = SynchronisedStatistics(processes) if synchronise else None
        statistics: BatchStatistics | None = self._synchronised
        if processes.count == 1 and recipe.norm_parts > 1:
            statistics = SeparateParts(recipe.norm_parts)
        set_statistics(model, statistics)
        if statistics is not None and recipe.execution.lean:
            raise UserError(
                f"training with memory = {recipe.memory} takes the statistics of batch norms from all cases of a "
                "process; choose memory = checkpointing, or as many processes as recipe.norm_parts"
            )
        self.scaler = torch.amp.GradScaler(next(model.parameters()).device.type, enabled=recipe.precision == "float16")
        self._loss: nn.Module = _Loss(model)
        # Lean training releases gradients on the device within the backward pass, before they could be exchanged there.
        self._on_host = recipe.execution.lean
        if self._on_host:
            processes.take([*model.parameters(), *model.buffers()])
        elif processes.count > 1:
            # Gradients as views of what is sent take no memory twice.
            self._loss = DistributedDataParallel(self._loss, gradient_as_bucket_view=True)

    def loss(self, batch: Batch, generator: torch.Generator, cases: int) -> Tensor:
        """Return the loss of this process's share of a batch of `cases` cases.

        Its mean over the processes is the loss of the whole batch, if the model's loss is a mean over cases of the same
        size, and `step` gives every process the gradients of that mean.
        """
        share = self.processes.share(cases)
        if self._synchronised is not None:
            self._synchronised.counts = share.weight > 0
        loss: Tensor = self._loss(batch, generator)
        return loss if self.processes.count == 1 else loss * (share.weight * self.processes.count)

    def step(self, loss: Tensor, optimizer: Any) -> None:
        """Compute the gradients of a loss, and update the weights."""
        self.scaler.scale(loss).backward()
        if self._on_host:
            weights = (weight for group in optimizer.param_groups for weight in group["params"])
            self.processes.average(weight.grad for weight in weights if weight.grad is not None)
        self.scaler.step(optimizer)
        self.scaler.update()


class _Loss(nn.Module):
    """Loss of a model as the forward pass of a module, which `DistributedDataParallel` needs."""

    def __init__(self, model: SegmentationModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """Return the model's loss."""
        return self.model.loss(batch, generator)
