"""Batch norms of the networks, and the choice of the cases from which they take their statistics in training."""

from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ossnet.errors import UserError


class BatchStatistics(Protocol):
    """Choice of the cases that batch norms take their statistics from in training."""

    def normalise(self, norm: "BatchNormalization", x: Tensor) -> Tensor:
        """Return x [B, ...], normalised by `norm` in training, and update the running statistics of `norm`."""


class BatchNormalization(_BatchNorm):
    """Base of the batch norms of the networks. It comes before one of torch's, by which it normalises.

    Attributes:
        statistics: cases that the statistics are taken from in training; None for all cases of the input.
    """

    statistics: BatchStatistics | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Return normalised x [B, ...]."""
        return self.whole(x) if self.statistics is None or not self.training else self.statistics.normalise(self, x)

    def whole(self, x: Tensor) -> Tensor:
        """Return x [B, ...], normalised by the statistics of all its cases, or at inference by the running ones."""
        return super().forward(self.by_feature(x)).view_as(x)

    def by_feature(self, x: Tensor) -> Tensor:
        """Return x [B, ...] as torch's batch norms take it, with one mean and variance for each index of axis 1."""
        return x


class BatchNorm3d(BatchNormalization, nn.BatchNorm3d):
    """Batch normalisation of each channel of volumes [B, channels, H, W, D]."""


@dataclass(frozen=True)
class SeparateParts:
    """Statistics of each of several parts of a batch by itself, as data-parallel training has them on each device.

    The cases are divided in order and as evenly as possible; the first parts take what is left over. Running statistics
    are those of the first part, as `torch.nn.DataParallel`, which the released code trains with, keeps them.

    Attributes:
        count: number of parts.
    """

    count: int

    def normalise(self, norm: BatchNormalization, x: Tensor) -> Tensor:
        """Return x [B, ...], normalised part by part; a batch of fewer cases than parts has a part for each case."""
        first, *others = x.tensor_split(min(self.count, len(x)))
        normalised = [norm.whole(first)]
        for part in others:
            flat = norm.by_feature(part)
            normalised.append(F.batch_norm(flat, None, None, norm.weight, norm.bias, True, 0.0, norm.eps).view_as(part))
        return torch.cat(normalised)


def set_statistics(model: nn.Module, statistics: BatchStatistics | None) -> None:
    """Set the cases that all batch norms of a model take their statistics from in training.

    Raises:
        UserError: the model has batch norms of torch's own classes, for which only None is possible.
    """
    for name, module in model.named_modules():
        if isinstance(module, BatchNormalization):
            module.statistics = statistics
        elif isinstance(module, _BatchNorm) and statistics is not None:
            raise UserError(
                f"batch norm {name} of model {type(model).__name__} cannot divide or join batches; train the model in "
                "one process with recipe.norm_parts = 1, or derive the norm from "
                "ossnet.network.normalization.BatchNormalization"
            )
