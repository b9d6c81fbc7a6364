"""Group norm whose backward pass is fast on a CPU with channels last in memory."""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

TILE_ELEMENTS = 2**17
"""Elements that are worked on at once, so that they stay in a core's cache from one step to the next."""


class GroupNorm(nn.GroupNorm):
    """`torch.nn.GroupNorm` with the same parameters and results, up to rounding.

    On a CPU, in float32, the result has its channels last in memory and the backward pass is `_GroupNorm`'s.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return normalised x [B, C, *grid]."""
        if x.device.type != "cpu" or x.dtype != torch.float32 or x.dim() not in _CHANNELS_LAST:
            return super().forward(x)
        x = x.contiguous(memory_format=_CHANNELS_LAST[x.dim()])
        result: Tensor = _GroupNorm.apply(x, self.weight, self.bias, self.num_groups, self.eps)
        return result


_CHANNELS_LAST = {4: torch.channels_last, 5: torch.channels_last_3d}


class _GroupNorm(torch.autograd.Function):
    """Torch's forward pass with a backward pass of its own.

    With x_hat = r (x - m) for the mean m and the inverse standard deviation r of a group of n values, and the gradient
    g of y = w x_hat + b, the gradient of x is r (w g - mean(w g) - x_hat mean(w g x_hat)), the means over the group.
    This is a g + c x + d with coefficients for each case and channel, which follow from the sums of g and of g x.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, groups: int, eps: float) -> Tensor:
        batch, channels = x.shape[:2]
        y, mean, inverse = torch.native_group_norm(x, weight, bias, batch, channels, x[0, 0].numel(), groups, eps)
        ctx.save_for_backward(x, weight, mean, inverse)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, mean, inverse = ctx.saved_tensors  # [B, C, *grid], [C], [B, groups], [B, groups]
        upstream = upstream.contiguous(memory_format=_CHANNELS_LAST[x.dim()])
        batch, channels = x.shape[:2]
        rows, gradients = _rows(x), _rows(upstream)  # [B, n, k C]
        of_g, of_gx = x.new_zeros(2, batch, rows.shape[2])
        tile = max(1, TILE_ELEMENTS // rows[:, 0].numel())
        for values, g in zip(rows.split(tile, 1), gradients.split(tile, 1), strict=True):
            of_g += g.sum(1)
            of_gx += (g * values).sum(1)
        # From here on [B, groups, C / groups], or [1, ...] and [..., 1] where that is the same for all.
        of_g, of_gx = (sums.view(batch, -1, channels).sum(1).view(*mean.shape, -1) for sums in (of_g, of_gx))
        w, m, r = weight.view(1, mean.shape[1], -1), mean[..., None], inverse[..., None]
        of_weight = r * (of_gx - m * of_g)
        count = x[0].numel() // mean.shape[1]
        mean_of_g = (w * of_g).sum(2, keepdim=True) / count
        mean_of_g_x_hat = (w * of_weight).sum(2, keepdim=True) / count
        a, c = r * w, -r * r * mean_of_g_x_hat
        d = -c * m - r * mean_of_g
        a, c, d = (
            values.expand_as(of_weight).reshape(batch, 1, channels).repeat(1, 1, rows.shape[2] // channels)
            for values in (a, c, d)
        )
        of_x = torch.addcmul(d, rows, c).addcmul_(gradients, a)
        of_x = of_x.view(batch, *x.shape[2:], channels).movedim(-1, 1)
        return of_x, of_weight.sum(0).flatten(), of_g.sum(0).flatten(), None, None


def _rows(x: Tensor) -> Tensor:
    """Return x [B, C, *grid], whose channels are last in memory, as rows of k voxels, [B, n, k C].

    Torch is slow where rows that it repeats or sums are as short as one voxel's channels.
    """
    voxels = x[0, 0].numel()
    return x.movedim(1, -1).reshape(len(x), -1, math.gcd(voxels, 32) * x.shape[1])
