"""Residual 3-D CNN encoder: global latent vectors and a coarse segmentation of a volume (Section 3.1, Figure 3).

Kernel sizes, poolings and biases are those that the released weights require. Departure: in training, batch norms take
their statistics from the whole batch by default, see `ossnet.network.decoder`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ossnet.network.activation import Activation
from ossnet.network.convolution import Conv3d
from ossnet.network.execution import ExecutableModule, widened
from ossnet.network.lean.host import to_device
from ossnet.network.lean.tiles import is_large, run_block
from ossnet.network.normalization import BatchNorm3d


@dataclass(frozen=True)
class Encoding:
    """Output of the encoder for a batch of volumes.

    Attributes:
        latents: global latent vectors x_l, [B, m, L]; m is 1, or with output skips one more than the decoder has
            blocks.
        segmentation: logits of the auxiliary segmentation f_theta^e(x) on the lowest grid, [B, outputs, h, w, d]; None
            for a network without it.
    """

    latents: Tensor
    segmentation: Tensor | None


class HalfResolution(nn.AvgPool3d):
    """Average pooling of 2x2x2 voxels; the last voxel of an odd axis is left out."""

    def __init__(self) -> None:
        super().__init__(2)

    def forward(self, x: Tensor) -> Tensor:
        """Return [B, c, H/2, W/2, D/2] for x [B, c, H, W, D]."""
        # Torch has no average pooling of 16 bits on a CPU.
        wide = widened(x) if x.device.type == "cpu" else x
        return super().forward(wide).to(x.dtype)


class ResidualBlock(nn.Module):
    """Residual block that halves each edge of the grid, rounding down."""

    def __init__(self, in_channels: int, out_channels: int, activation: Activation) -> None:
        super().__init__()
        self.main = nn.Sequential(
            Conv3d(in_channels, out_channels, 3, padding=1, bias=False),
            BatchNorm3d(out_channels),
            activation(),
            HalfResolution(),
            Conv3d(out_channels, out_channels, 3, padding=1, bias=False),
            BatchNorm3d(out_channels),
        )
        same = in_channels == out_channels
        self.skip = nn.Identity() if same else Conv3d(in_channels, out_channels, 1, bias=False)
        self.halve = HalfResolution()
        self.activation = activation()

    def forward(self, x: Tensor) -> Tensor:
        """Return [B, out, H/2, W/2, D/2] for x [B, in, H, W, D]."""
        # Departure: the released code pools behind the skip connection's convolution. Its kernel has a size of 1:
        # this order has the same result, with an eighth of the voxels to convolve.
        return self.activation(self.main(x) + self.skip(self.halve(x)))


def lowest_grid(shape: tuple[int, int, int], blocks: int) -> tuple[int, int, int]:
    """Return the grid after the last of `blocks` residual blocks, for an encoder input with the grid `shape`."""
    height, width, depth = (size // 2**blocks for size in shape)
    return height, width, depth


class OutputSkip(nn.Module):
    """Output skip-connection (Figure 3): one block's output on the lowest grid, with half as many channels."""

    def __init__(self, channels: int, grid: tuple[int, int, int], activation: Activation) -> None:
        super().__init__()
        self.grid = grid
        self.convolution = Conv3d(channels, channels // 2, 5, padding=2, bias=False)
        self.norm = BatchNorm3d(channels // 2)
        self.activation = activation()

    def forward(self, x: Tensor) -> Tensor:
        """Return [B, c/2, h, w, d] for x [B, c, H, W, D]."""
        return self.activation(self.norm(self.convolution(F.adaptive_max_pool3d(x, self.grid))))


class VolumeEncoder(ExecutableModule):
    """Encoder of a down-scaled volume: residual blocks, a head for the latents and one for the auxiliary segmentation.

    Args:
        shape: grid (H, W, D) of the input.
        in_channels: number of modalities C.
        channels: number of output channels of each residual block.
        latents: number of latent vectors m; their length L is the number of voxels of the lowest grid.
        output_skips: whether features of every block are joined into the latents, instead of the last block's alone.
        segmentation_channels: number of outputs of the auxiliary segmentation, 0 for none.
        activation: function that makes the activation of a layer.
    """

    has_lean: ClassVar[bool] = True

    def __init__(
        self,
        shape: tuple[int, int, int],
        in_channels: int,
        channels: tuple[int, ...],
        latents: int,
        output_skips: bool,
        segmentation_channels: int,
        activation: Activation,
    ) -> None:
        super().__init__()
        grid = lowest_grid(shape, len(channels))
        self.blocks = nn.ModuleList(
            ResidualBlock(before, after, activation)
            for before, after in zip((in_channels, *channels[:-1]), channels, strict=True)
        )
        self.skips = nn.ModuleList(OutputSkip(c, grid, activation) for c in channels) if output_skips else None
        joined = sum(c // 2 for c in channels) if output_skips else channels[-1]
        self.head = nn.Sequential(Conv3d(joined, latents, 5, padding=2), BatchNorm3d(latents), activation())
        self.segmentation = (
            Conv3d(channels[-1], segmentation_channels, 5, padding=2, bias=False) if segmentation_channels else None
        )

    def forward(self, volume: Tensor) -> Encoding:
        """Return the encoding of a volume [B, C, H, W, D], which in lean training may be in host memory."""
        blocks = cast(Sequence[ResidualBlock], self.blocks)
        lean = self.training and self.execution.lean
        features = (
            to_device(volume, next(self.parameters()).device) if lean and not is_large(blocks[0], volume) else volume
        )
        joined = []
        for i, block in enumerate(blocks):
            features = (
                run_block(block, features, self.execution) if lean else self.execution.run(block, features)
            )  # [B, channels[i], H / 2^(i+1), ...]
            if self.skips is not None:
                joined.append(self.execution.run(self.skips[i], features))  # [B, channels[i] / 2, h, w, d]
        return self.join(features.to(volume.dtype), [skipped.to(volume.dtype) for skipped in joined])

    def join(self, features: Tensor, joined: Sequence[Tensor]) -> Encoding:
        """Return the encoding by the last block's features [B, c, h, w, d] and by the output skips of all blocks."""
        latents = self.head(torch.cat(list(joined), 1) if joined else features)  # [B, m, h, w, d]
        segmentation = None if self.segmentation is None else self.segmentation(features)  # [B, outputs, h, w, d]
        return Encoding(latents.flatten(2), segmentation)
