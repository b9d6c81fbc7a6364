"""Batch norm over values that come in parts: its statistics, what it normalises, and its gradient."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ossnet.network.execution import BatchNorm


class Moments:
    """Mean and variance of values that come in parts, merged without cancellation (Chan et al. 1983).

    Args:
        dims: axes of a part over which the statistics are taken.
    """

    def __init__(self, dims: tuple[int, ...]) -> None:
        self._dims = dims
        self._parts: list[tuple[int, Tensor, Tensor]] = []

    def add(self, part: Tensor) -> None:
        """Add a part."""
        # On a CPU this takes a tenth of the time of `torch.var_mean`.
        mean = part.mean(self._dims, keepdim=True)
        variance = (part - mean).square_().mean(self._dims, keepdim=True)
        self._parts.append((part.numel() // mean.numel(), mean, variance))

    def normalization(self, norm: BatchNorm) -> "Normalization":
        """Return the normalisation by the statistics of all parts, which the running statistics of `norm` follow."""
        count = sum(size for size, _, _ in self._parts)
        mean = torch.stack([mean * (size / count) for size, mean, _ in self._parts]).sum(0)
        variances = [(variance + (m - mean) ** 2) * (size / count) for size, m, variance in self._parts]
        variance = torch.stack(variances).sum(0)
        _follow(norm, mean.flatten(), variance.flatten(), count)
        return Normalization(mean, (variance + norm.eps).rsqrt(), count)


def _follow(norm: BatchNorm, mean: Tensor, variance: Tensor, count: int) -> None:
    """Move running statistics towards those of a batch, whose variance is made unbiased, as torch's batch norms do."""
    if norm.running_mean is None or norm.running_var is None or norm.num_batches_tracked is None:
        return
    norm.num_batches_tracked.add_(1)
    momentum = norm.momentum or 0.0
    norm.running_mean.mul_(1 - momentum).add_(mean, alpha=momentum)
    norm.running_var.mul_(1 - momentum).add_(variance, alpha=momentum * count / (count - 1))


@dataclass(frozen=True, eq=False)
class Normalization:
    """Normalisation x_hat = (x - mean) / sqrt(variance + eps) by the statistics of a whole batch.

    Attributes:
        mean: mean, in a form that broadcasts to a part of the batch.
        scale: 1 / sqrt(variance + eps), likewise.
        count: number of values over which each mean is taken.
    """

    mean: Tensor
    scale: Tensor
    count: int

    def __call__(self, x: Tensor) -> Tensor:
        """Return x_hat for a part x of the batch."""
        return (x - self.mean).mul_(self.scale)

    def input_gradient(self, x_hat: Tensor, gradient: Tensor, total: Tensor, total_x_hat: Tensor) -> Tensor:
        """Return the gradient with respect to a part of x; `x_hat` and `gradient` are overwritten.

        Args:
            x_hat: normalised values of the part.
            gradient: gradient with respect to x_hat there.
            total: sum of that gradient over the whole batch, in the form of the mean.
            total_x_hat: sum over the whole batch of that gradient times x_hat.
        """
        gradient.sub_(x_hat.mul_(total_x_hat / self.count)).sub_(total / self.count)
        return gradient.mul_(self.scale)
