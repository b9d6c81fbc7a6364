"""Batch norms of several processes with the statistics of all their cases, on any device.

Torch's own `SyncBatchNorm` does not run on CPUs, and would not know the decoder's norms.
"""

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from ossnet.network.execution import widened
from ossnet.network.normalization import BatchNormalization
from ossnet.training.distributed import Processes


@dataclass
class SynchronisedStatistics:
    """Statistics of the cases of all processes; equal to those of one process that has all cases, up to rounding.

    Attributes:
        processes: processes that share each batch.
        counts: whether the cases of this process belong to the current batch, see `ossnet.training.distributed.Share`.
            Other cases are normalised in the same way, but leave no trace in the statistics and gradients.
    """

    processes: Processes
    counts: bool = True

    def normalise(self, norm: BatchNormalization, x: Tensor) -> Tensor:
        """Return this process's x [B, ...], normalised by all processes together, each of which calls this."""
        flat = norm.by_feature(x)
        normalised, mean, variance = _Synchronised.apply(
            flat, norm.weight, norm.bias, norm.eps, self.processes, self.counts
        )
        assert norm.running_mean is not None
        assert norm.running_var is not None
        assert norm.momentum is not None
        with torch.no_grad():
            norm.running_mean.lerp_(mean.to(norm.running_mean.dtype), norm.momentum)
            norm.running_var.lerp_(variance.to(norm.running_var.dtype), norm.momentum)
            if norm.num_batches_tracked is not None:  # It is None where a checkpointed block is computed again.
                norm.num_batches_tracked.add_(1)
        result: Tensor = normalised.view_as(x)
        return result


class _Synchronised(torch.autograd.Function):
    """Batch normalisation of x [N, C, ...] by the mean and variance over all axes but the second, of all processes.

    It returns the normalised x, the mean [C] and the unbiased variance [C], the last two without gradient. Sums are in
    the dtype of the parameters, or in float32 for x of 16 bits. Gradients of the affine map are this process's part.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float, processes: Processes, counts: bool
    ) -> tuple[Tensor, Tensor, Tensor]:
        wide = widened(x)
        variance, mean = torch.var_mean(wide, _summed_axes(x), correction=0)
        # [processes, 3, C] in float64, in which counts are exact.
        number = torch.full_like(mean, counts * (x.numel() // x.shape[1]))
        numbers, means, variances = processes.stack(torch.stack([number, mean, variance]).double()).unbind(1)
        total = numbers.sum(0)
        mean = (numbers * means).sum(0) / total
        squares = (numbers * (variances + (means - mean) ** 2)).sum(0)
        mean, variance = mean.to(wide.dtype), (squares / total).to(wide.dtype)
        ctx.save_for_backward(x, weight, mean, (variance + eps).rsqrt(), total)
        ctx.processes, ctx.counts = processes, counts
        unbiased = (squares / (total - 1)).to(wide.dtype)
        ctx.mark_non_differentiable(mean, unbiased)
        return F.batch_norm(x, mean, variance, weight, bias, False, 0.0, eps), mean, unbiased

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, mean, inverse_deviation, total = ctx.saved_tensors
        axes = _summed_axes(x)

        def along(values: Tensor) -> Tensor:
            return values.view(-1, *[1] * (x.ndim - 2))

        normalised = (x - along(mean)).mul_(along(inverse_deviation))
        grad = grad.to(normalised.dtype)
        grad_bias, grad_weight = grad.sum(axes), (grad * normalised).sum(axes)
        of_all = ctx.processes.sum(torch.stack([grad_bias, grad_weight]).double()) / total
        if ctx.counts:
            grad_bias_mean, grad_weight_mean = of_all.to(grad.dtype)
            scale = inverse_deviation if weight is None else inverse_deviation * weight
            grad_x = normalised.mul_(-along(grad_weight_mean)).add_(grad).sub_(along(grad_bias_mean))
            grad_x = grad_x.mul_(along(scale)).to(x.dtype)
        else:
            grad_x = torch.zeros_like(x)
        affine = (None, None) if weight is None else (grad_weight, grad_bias)
        return grad_x, *affine, None, None, None


def _summed_axes(x: Tensor) -> list[int]:
    return [0, *range(2, x.ndim)]
