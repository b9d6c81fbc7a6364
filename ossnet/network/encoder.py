"""Residual 3-D CNN encoder: a down-scaled volume to latent vectors, and to a coarse segmentation (Sec. 3.1, Fig. 3).

Departure: batch norms take their statistics from whole batches, see `ossnet.network.decoder`.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ossnet.network.activation import Activation
from ossnet.network.execution import ExecutableModule


@dataclass(frozen=True)
class Encoding:
    """What the encoder knows of a batch of volumes.

    Attributes:
        latents: [B, m, L]; m = 1, or one more than the decoder has blocks with output skips.
        segmentation: logits of the auxiliary segmentation on the lowest grid, [B, o, h, w, d]; None without it.
    """

    latents: Tensor
    segmentation: Tensor | None


class HalfResolution(nn.AvgPool3d):
    """Means of 2x2x2 voxels; a last odd voxel is left out."""

    def __init__(self) -> None:
        super().__init__(2)

    def forward(self, x: Tensor) -> Tensor:
        # On a CPU torch has no average pooling of bfloat16.
        wide = x.float() if x.dtype == torch.bfloat16 and x.device.type == "cpu" else x
        return super().forward(wide).to(x.dtype)


class ResidualBlock(nn.Module):
    """Residual block that halves each side, rounding down: [B, in, H, W, D] to [B, out, H/2, W/2, D/2]."""

    def __init__(self, in_channels: int, out_channels: int, activation: Activation) -> None:
        super().__init__()
        self.main = nn.Sequential(
            nn.Conv3d(in_channels, out_channels, 3, padding=1, bias=False),
            nn.BatchNorm3d(out_channels),
            activation(),
            HalfResolution(),
            nn.Conv3d(out_channels, out_channels, 3, padding=1, bias=False),
            nn.BatchNorm3d(out_channels),
        )
        same = in_channels == out_channels
        self.skip = nn.Identity() if same else nn.Conv3d(in_channels, out_channels, 1, bias=False)
        self.halve = HalfResolution()
        self.activation = activation()

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(self.main(x) + self.halve(self.skip(x)))


def lowest_grid(shape: tuple[int, int, int], blocks: int) -> tuple[int, int, int]:
    """The grid that is left of an encoder input of `shape` after each of `blocks` residual blocks has halved it."""
    height, width, depth = (size // 2**blocks for size in shape)
    return height, width, depth


class OutputSkip(nn.Module):
    """Brings one block's output to the lowest grid and half its channels (output skip-connection, Fig. 3)."""

    def __init__(self, channels: int, grid: tuple[int, int, int], activation: Activation) -> None:
        super().__init__()
        self.grid = grid
        self.convolution = nn.Conv3d(channels, channels // 2, 5, padding=2, bias=False)
        self.norm = nn.BatchNorm3d(channels // 2)
        self.activation = activation()

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(self.norm(self.convolution(F.adaptive_max_pool3d(x, self.grid))))


class VolumeEncoder(ExecutableModule):
    """Latents of a down-scaled volume [B, C, H, W, D], and with `segmentation_channels` a segmentation of it.

    Args:
        shape: the input's grid (H, W, D).
        channels: output channels of each residual block.
        latents: how many latent vectors; L is the number of voxels of the lowest grid.
        output_skips: join features of every block into the latents instead of the last block's alone.
        segmentation_channels: outputs of the auxiliary segmentation, 0 for none.
    """

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
        self.head = nn.Sequential(nn.Conv3d(joined, latents, 5, padding=2), nn.BatchNorm3d(latents), activation())
        self.segmentation = (
            nn.Conv3d(channels[-1], segmentation_channels, 5, padding=2, bias=False) if segmentation_channels else None
        )

    def forward(self, volume: Tensor) -> Encoding:
        features = volume
        joined = []
        for i, block in enumerate(self.blocks):
            features = self.execution.run(block, features)
            if self.skips is not None:
                joined.append(self.execution.run(self.skips[i], features))
        features = features.to(volume.dtype)
        latents = self.head(torch.cat(joined, 1).to(volume.dtype) if joined else features)
        segmentation = None if self.segmentation is None else self.segmentation(features)
        return Encoding(latents.flatten(2), segmentation)
