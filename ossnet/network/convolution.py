"""Convolutions of volumes that keep the grid, by the faster of torch's algorithms on a CPU.

For volumes, torch leaves two parts of the work to algorithms that unfold the volume into a matrix: convolutions of size
1, and the gradient of the kernel where a CPU has no AVX-512. Those for slices are several times faster, and a volume
with its channels last in memory is a batch of slices without being copied.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable


class Conv3d(nn.Conv3d):
    """`torch.nn.Conv3d` with the same parameters and results, up to rounding, in less time on a CPU.

    There, in float32, the result of a convolution that keeps the grid has its channels last in memory, whatever the
    input has. All other convolutions are torch's.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return [B, out, H, W, D] for x [B, in, H, W, D]."""
        if x.device.type != "cpu" or x.dtype != torch.float32 or not self._keeps_grid():
            return super().forward(x)
        x = x.contiguous(memory_format=torch.channels_last_3d)
        if self.kernel_size == (1, 1, 1):
            return _volumes(F.conv2d(_slices(x), self.weight[:, :, 0], self.bias), len(x))
        result: Tensor = _Convolution.apply(x, self.weight)
        return result if self.bias is None else result + self.bias[:, None, None, None]

    def _keeps_grid(self) -> bool:
        size = self.kernel_size[0]
        return (
            size % 2 == 1
            and self.kernel_size == (size,) * 3
            and self.padding == (size // 2,) * 3
            and self.padding_mode == "zeros"
            and self.stride == self.dilation == (1, 1, 1)
            and self.groups == 1
        )


class _Convolution(torch.autograd.Function):
    """Convolution with the gradient of its kernel computed slice by slice."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        return F.conv3d(x, weight, padding=weight.shape[2] // 2)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, Tensor | None]:
        x, weight = ctx.saved_tensors
        of_x, of_weight = ctx.needs_input_grad
        upstream = upstream.contiguous(memory_format=torch.channels_last_3d)
        return (
            _input_gradient(x, weight, upstream) if of_x else None,
            kernel_gradient(x, upstream, weight.shape[2]) if of_weight else None,
        )


def _input_gradient(x: Tensor, weight: Tensor, upstream: Tensor) -> Tensor:
    # Not `torch.nn.grad.conv3d_input`, whose result has its channels first.
    padding, ones, zeros = [weight.shape[2] // 2] * 3, [1] * 3, [0] * 3
    computed = [True, False, False]
    gradient: Tensor = torch.ops.aten.convolution_backward(
        upstream, x, weight, None, ones, padding, ones, False, zeros, 1, computed
    )[0]
    return gradient


def kernel_gradient(x: Tensor, upstream: Tensor, size: int) -> Tensor:
    """Return the gradient [out, in, size, size, size] of a kernel: that of each plane is a sum over pairs of slices.

    Args:
        x: input of the convolution, [B, in, H, W, D], with channels last in memory.
        upstream: gradient of its result, [B, out, H, W, D], with channels last in memory.
        size: edge of the kernel, an odd number.
    """
    height = x.shape[2]
    planes = []
    for offset in range(-(size // 2), size // 2 + 1):
        # Slice h + offset of the input meets slice h of the result.
        first, last = max(0, -offset), min(height, height - offset)
        plane = x.new_zeros(upstream.shape[1], x.shape[1], size, size)
        if first < last:
            for volume, gradient in zip(x, upstream, strict=True):
                plane += torch.nn.grad.conv2d_weight(
                    volume[:, first + offset : last + offset].transpose(0, 1),
                    plane.shape,
                    gradient[:, first:last].transpose(0, 1),
                    padding=size // 2,
                )
        planes.append(plane)
    return torch.stack(planes, dim=2)


def _slices(x: Tensor) -> Tensor:
    """Return a volume [B, c, H, W, D] with its channels last in memory as slices [B H, c, W, D]."""
    return x.transpose(1, 2).flatten(0, 1)


def _volumes(slices: Tensor, batch: int) -> Tensor:
    """Return slices [B H, c, W, D] as volumes [B, c, H, W, D]."""
    return slices.unflatten(0, (batch, -1)).transpose(1, 2)
