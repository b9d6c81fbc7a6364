"""Convolutions of volumes that keep the grid, by the faster of torch's algorithms on a CPU.

For volumes, torch leaves two parts of the work to algorithms that unfold the volume into a matrix: convolutions of size
1, and the gradient of the kernel on a CPU without AVX-512. Both take less time with channels last in memory and as
convolutions of slices, and a volume with its channels last in memory is a batch of slices without being copied.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

LARGE = 2**14
"""Smallest number of voxels for which the gradient of a kernel is computed by slices."""


class Conv3d(nn.Conv3d):
    """`torch.nn.Conv3d` with the same parameters and results, up to rounding, in less time on a CPU.

    A convolution that keeps the grid, in float32, takes less time still if its input has channels last in memory; then
    its result has them, too. All other convolutions are torch's.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return [B, out, H, W, D] for x [B, in, H, W, D]."""
        if x.device.type != "cpu" or x.dtype != torch.float32 or not self._keeps_grid():
            return super().forward(x)
        if self.kernel_size != (1, 1, 1):
            result: Tensor = _Convolution.apply(x, self.weight)
            return result if self.bias is None else result + self.bias[:, None, None, None]
        if not x.is_contiguous(memory_format=torch.channels_last_3d):
            return super().forward(x)
        return F.conv2d(_slices(x), self.weight[:, :, 0], self.bias).unflatten(0, (len(x), -1)).transpose(1, 2)

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
    """Torch's convolution with another way to the gradient of its kernel."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        result = F.conv3d(x, weight, padding=weight.shape[2] // 2)
        # Torch does not keep this layout in all of its algorithms, and has others for tensors without values.
        last = x.is_contiguous(memory_format=torch.channels_last_3d)
        return result.contiguous(memory_format=torch.channels_last_3d) if last else result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, Tensor | None]:
        x, weight = ctx.saved_tensors
        of_x, of_weight = ctx.needs_input_grad
        return (
            _gradients(x, weight, upstream, [True, False, False])[0] if of_x else None,
            kernel_gradient(x, weight, upstream) if of_weight else None,
        )


def kernel_gradient(x: Tensor, weight: Tensor, upstream: Tensor) -> Tensor:
    """Return the gradient of a kernel [out, in, s, s, s].

    That of each of its s planes is a sum over pairs of slices, one of the input and one of the result.

    Args:
        x: input of the convolution, [B, in, H, W, D].
        weight: the kernel; s is odd.
        upstream: gradient of the result, [B, out, H, W, D].
    """
    x, upstream = (tensor.contiguous(memory_format=torch.channels_last_3d) for tensor in (x, upstream))
    height, size = x.shape[2], weight.shape[2]
    if x[0, 0].numel() < LARGE:
        return _gradients(x, weight, upstream, [False, True, False])[1]
    gradient = torch.zeros_like(weight)
    for plane, offset in enumerate(range(-(size // 2), size // 2 + 1)):
        # Slice h + offset of the input meets slice h of the result.
        first, last = max(0, -offset), min(height, height - offset)
        for volume, of_result in zip(x, upstream, strict=True) if first < last else ():
            gradient[:, :, plane] += _gradients(
                volume[:, first + offset : last + offset].transpose(0, 1),
                weight[:, :, plane],
                of_result[:, first:last].transpose(0, 1),
                [False, True, False],
            )[1]
    return gradient


def _gradients(x: Tensor, weight: Tensor, upstream: Tensor, computed: list[bool]) -> tuple[Tensor, Tensor, Tensor]:
    """Return the gradients of x, kernel and bias of a convolution that keeps the grid, those that are `computed`."""
    ones, padding, zeros = ([value] * (x.dim() - 2) for value in (1, weight.shape[-1] // 2, 0))
    gradients: tuple[Tensor, Tensor, Tensor] = torch.ops.aten.convolution_backward(
        upstream, x, weight, None, ones, padding, ones, False, zeros, 1, computed
    )
    return gradients


def _slices(x: Tensor) -> Tensor:
    """Return a volume [B, c, H, W, D] with its channels last in memory as slices [B H, c, W, D]."""
    return x.transpose(1, 2).flatten(0, 1)
