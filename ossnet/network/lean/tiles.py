"""First half of a residual block of the encoder (convolution, batch norm, activation, pooling), tile by tile.

In full, its layers are the largest of the network: 0.34 GB of a BraTS volume, 2.1 GB of a LiTS volume. The pooled
result is an eighth of one of them and is kept; the rest is computed again in the backward pass.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.grad import conv3d_weight

from ossnet.network.execution import BatchNorm, Execution
from ossnet.network.lean.gradients import Gradients, RecordedActivation
from ossnet.network.lean.host import to_device
from ossnet.network.lean.moments import Moments, Normalization
from ossnet.network.valueless import representative

if TYPE_CHECKING:
    from ossnet.network.encoder import ResidualBlock

TILED_ELEMENTS = 2**23
"""Number of elements of a block's first layer from which on the block is tiled."""

TILE_ELEMENTS = 2**20
"""Number of elements of that layer in a tile, as far as two planes do not have more."""


def run_block(block: "ResidualBlock", x: Tensor, execution: Execution) -> Tensor:
    """Return the output [B, out, H/2, W/2, D/2] of a block in training; its running statistics follow.

    Of a block that is not large, and of the second half of a large one, only inputs are kept.

    Args:
        block: residual block.
        x: input [B, in, H, W, D], which for a large block may be in host memory if it needs no gradient.
        execution: execution with checkpointing.
    """
    if not is_large(block, x):
        return execution.run(block, x)
    norm = block.main[1]
    tensors = [x, _kernel(block), norm.weight, norm.bias, *block.main[2].parameters()]
    pooled, shortcut = _Tiled.apply(block, *tensors)
    return execution.run(_SecondHalf(block), pooled, shortcut)


def _kernel(block: "ResidualBlock") -> Tensor:
    convolution = block.main[0]
    assert isinstance(convolution, nn.Conv3d)
    return convolution.weight


def is_large(block: "ResidualBlock", x: Tensor) -> bool:
    """Return whether the first layer of a block is large enough to be tiled, for an input [B, in, H, W, D]."""
    return len(_kernel(block)) * x[:, 0].numel() >= TILED_ELEMENTS


class _SecondHalf(nn.Module):
    """Second half of a residual block, made of the block's own modules."""

    def __init__(self, block: "ResidualBlock") -> None:
        super().__init__()
        self.main = block.main[4:]
        self.skip = block.skip
        self.activation = block.activation

    def forward(self, pooled: Tensor, shortcut: Tensor) -> Tensor:
        """Return the block's output for the result of its first half and for its pooled input."""
        # In place: no backward pass needs the sum's operands.
        result: Tensor = self.activation(self.main(pooled).add_(self.skip(shortcut)))
        return result


@dataclass(frozen=True)
class _Tile:
    """Range of planes across the last axis, which begins at an even plane.

    Attributes:
        first: first plane.
        last: plane behind the last one.
        depth: number of planes of the volume.
    """

    first: int
    last: int
    depth: int

    @property
    def pooled(self) -> slice:
        """Planes of the pooled result that the tile makes."""
        return slice(self.first // 2, self.last // 2)

    @property
    def reach(self) -> slice:
        """Planes of the input that the convolution reads."""
        return slice(max(self.first - 1, 0), min(self.last + 1, self.depth))

    @property
    def padding(self) -> tuple[int, int]:
        """Planes of zeros before and behind these, at the ends of the volume."""
        return int(self.first == 0), int(self.last == self.depth)

    @property
    def inner(self) -> slice:
        """Planes of the tile itself among these."""
        before = self.first - self.reach.start
        return slice(before, before + self.last - self.first)


def _tiles(block: "ResidualBlock", x: Tensor) -> Sequence[_Tile]:
    """Cut the input [B, in, H, W, D] of a block across its last axis.

    Across another axis, torch would convolve on a CPU by a slow algorithm, which it takes if planes are small.
    """
    depth = x.shape[-1]
    plane = len(_kernel(block)) * x[:, 0, :, :, 0].numel()
    planes = max(TILE_ELEMENTS // plane // 2, 1) * 2
    # The last plane of an odd number is not pooled, yet counts in the statistics.
    starts = range(0, depth - depth % 2, planes)
    tiles = [_Tile(start, end, depth) for start, end in zip(starts, [*starts[1:], depth], strict=True)]
    return representative(tiles, x, 3)


@dataclass(eq=False)
class _Half:
    """First half of a block for one tile."""

    DIMS: ClassVar = (0, 2, 3, 4)

    block: "ResidualBlock"
    weight: Tensor
    gamma: Tensor
    beta: Tensor
    normalization: Normalization | None = None

    @property
    def norm(self) -> BatchNorm:
        norm = self.block.main[1]
        assert isinstance(norm, BatchNorm)
        return norm

    @property
    def activation(self) -> nn.Module:
        return self.block.main[2]

    @property
    def normalized(self) -> Normalization:
        assert self.normalization is not None
        return self.normalization

    def read(self, x: Tensor, tile: _Tile) -> Tensor:
        """Return what the convolution reads of x, on the device of the weights."""
        return to_device(x[..., tile.reach], self.weight.device)

    def convolve(self, read: Tensor, tile: _Tile, weight: Tensor | None = None) -> Tensor:
        return F.conv3d(F.pad(read, tile.padding), self.weight if weight is None else weight, padding=(1, 1, 0))

    def finish(self, x_hat: Tensor) -> Tensor:
        """Return the pooled activations of normalised values."""
        result: Tensor = self.block.halve(self.activation(self._y(x_hat)))
        return result

    def finish_gradient(self, x_hat: Tensor, upstream: Tensor, gradients: Gradients | None = None) -> Tensor:
        """Return the gradient of the activation's input, and add those of the activation's coefficients."""
        activated = RecordedActivation(self.activation, self._y(x_hat))
        return activated.backward(unpooled(upstream, x_hat.shape), gradients)

    def kernel_gradient(self, read: Tensor, tile: _Tile, upstream: Tensor) -> Tensor:
        """Return the gradient [c, in, 3, 3, 3] of a kernel whose result has the gradient `upstream`, [B, c, ...]."""
        padded = F.pad(read, tile.padding)
        size = (upstream.shape[1], *self.weight.shape[1:])
        return conv3d_weight(padded, size, upstream, padding=(1, 1, 0))

    def returned(self, gradients: Gradients, x: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of all arguments of the function."""
        tensors = [x, self.weight, self.gamma, self.beta, *self.activation.parameters()]
        return None, *gradients.of_all(tensors)

    def broadcast(self, values: Tensor) -> Tensor:
        """Return values [C] as [1, C, 1, 1, 1]."""
        return values.view(1, -1, 1, 1, 1)

    def _y(self, x_hat: Tensor) -> Tensor:
        return torch.addcmul(self.broadcast(self.beta), x_hat, self.broadcast(self.gamma))


class _Tiled(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, block: "ResidualBlock", x: Tensor, weight: Tensor, gamma: Tensor, beta: Tensor, *coefficients: Tensor
    ) -> tuple[Tensor, Tensor]:
        half = _Half(block, weight, gamma, beta)
        moments = Moments(half.DIMS)
        for tile in _tiles(block, x):
            moments.add(half.convolve(half.read(x, tile), tile))
        half.normalization = moments.normalization(half.norm)
        grid = [size // 2 for size in x.shape[2:]]
        pooled = weight.new_empty(len(x), len(weight), *grid)
        shortcut = weight.new_empty(*x.shape[:2], *grid)
        for tile in _tiles(block, x):
            read = half.read(x, tile)
            pooled[..., tile.pooled] = half.finish(half.normalized(half.convolve(read, tile)))
            shortcut[..., tile.pooled] = block.halve(read[..., tile.inner])
        ctx.block, ctx.normalization = block, half.normalization
        ctx.save_for_backward(x, weight, gamma, beta)
        ctx.set_materialize_grads(False)
        if not x.requires_grad:
            ctx.mark_non_differentiable(shortcut)
        return pooled, shortcut

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, of_pooled: Tensor, of_shortcut: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, gamma, beta = ctx.saved_tensors
        half = _Half(ctx.block, weight, gamma, beta, ctx.normalization)
        gradients = Gradients()
        channels, *kernel = weight.shape
        sums = weight.new_zeros(2 * channels + 1, *kernel)
        for tile in _tiles(half.block, x):
            read = half.read(x, tile)
            x_hat = half.normalized(half.convolve(read, tile))
            of_y = half.finish_gradient(x_hat, of_pooled[..., tile.pooled], gradients)
            gradients.of(beta).add_(of_y.sum(half.DIMS))
            gradients.of(gamma).add_((of_y * x_hat).sum(half.DIMS))
            if not x.requires_grad:
                joined = torch.cat([of_y, x_hat, torch.ones_like(x_hat[:, :1])], 1)
                sums += half.kernel_gradient(read, tile, joined)
                del joined
            del read, x_hat, of_y
        if not x.requires_grad:
            of_beta, of_gamma = (gradients.of(tensor).view(-1, 1, 1, 1, 1) for tensor in (beta, gamma))
            direct, of_hats, of_ones = sums.split([channels, channels, 1])
            direct -= (of_gamma * of_hats + of_beta * of_ones) / half.normalized.count
            gradients.of(weight).add_(direct * (gamma * half.normalized.scale.flatten()).view_as(of_beta))
            return half.returned(gradients, x)
        totals = [half.broadcast(gamma * gradients.of(tensor)) for tensor in (beta, gamma)]
        for tile in _tiles(half.block, x):
            read = half.read(x, tile).detach().requires_grad_()
            kernel = weight.detach().requires_grad_()
            with torch.enable_grad():
                convolved = half.convolve(read, tile, kernel)
                shortcut = half.block.halve(read[..., tile.inner])
            x_hat = half.normalized(convolved.detach())
            of_hat = half.finish_gradient(x_hat, of_pooled[..., tile.pooled]).mul_(half.broadcast(gamma))
            upstream = [half.normalized.input_gradient(x_hat, of_hat, *totals), of_shortcut[..., tile.pooled]]
            of_weight, of_read = torch.autograd.grad([convolved, shortcut], [kernel, read], upstream)
            gradients.of(weight).add_(of_weight)
            gradients.of(x)[..., tile.reach] += of_read
            del read, convolved, shortcut, x_hat, of_hat, upstream, of_weight, of_read
        return half.returned(gradients, x)


def unpooled(upstream: Tensor, shape: torch.Size) -> Tensor:
    """Return the gradient of the input [B, c, H, W, D] of a pooling for that of its result."""
    even = F.interpolate(upstream / 8, scale_factor=2, mode="nearest")
    return F.pad(
        even, [rest for s, e in zip(reversed(shape), reversed(even.shape), strict=True) for rest in (0, s - e)]
    )
