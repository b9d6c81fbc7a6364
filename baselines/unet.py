"""Residual U-Net for volumes and for slices, which the voxelised and the slicing baseline share (Section 4.1)."""

from itertools import pairwise
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ossnet.checks import STRICT, Field, checked
from ossnet.model import ModelConfig
from ossnet.network.convolution import Conv3d
from ossnet.network.execution import ExecutableModule
from ossnet.network.group_norm import GroupNorm

Dimensions = Literal[2, 3]
Filters = tuple[Annotated[int, Field(ge=1)], ...]

CONVOLUTION: dict[Dimensions, type[nn.Conv2d] | type[nn.Conv3d]] = {2: nn.Conv2d, 3: Conv3d}
MAX_POOLING = {2: F.max_pool2d, 3: F.max_pool3d}
LINEAR_INTERPOLATION = {2: "bilinear", 3: "trilinear"}
CHANNELS_LAST = {2: torch.channels_last, 3: torch.channels_last_3d}


@checked(frozen=True, kw_only=True, config=STRICT)
class UNetConfig(ModelConfig):
    """Sizes of a residual U-Net.

    Attributes:
        encoder_channels: number of filters of each residual block on the way down, one block per level.
        decoder_channels: number of filters of each residual block on the way up, one block fewer than the encoder has.
        groups: number of groups of every group normalisation; it divides all numbers of filters.
    """

    encoder_channels: Filters
    decoder_channels: Filters
    groups: int = Field(default=8, ge=1)

    def __post_init__(self) -> None:
        if len(self.decoder_channels) != len(self.encoder_channels) - 1:
            raise ValueError(
                f"{len(self.encoder_channels)} encoder_channels need {len(self.encoder_channels) - 1} "
                f"decoder_channels, one for each step up; got {len(self.decoder_channels)}"
            )
        if any(channels % self.groups for channels in (*self.encoder_channels, *self.decoder_channels)):
            raise ValueError(
                f"groups = {self.groups} must divide every number of encoder_channels {self.encoder_channels} "
                f"and decoder_channels {self.decoder_channels}"
            )


class ResidualBlock(nn.Module):
    """Pre-activation residual unit that keeps the grid: [B, in, *grid] to [B, out, *grid].

    Group norm, ReLU and convolution, twice, are added to a shortcut: the identity, or a normalised convolution of size
    1 where the number of channels changes.

    Args:
        first: whether the block reads an image, which is neither normalised nor rectified before the first convolution.
    """

    def __init__(
        self, dimensions: Dimensions, in_channels: int, out_channels: int, groups: int, first: bool = False
    ) -> None:
        super().__init__()
        convolution = CONVOLUTION[dimensions]
        before = () if first else (GroupNorm(groups, in_channels), nn.ReLU(inplace=True))
        self.main = nn.Sequential(
            *before,
            convolution(in_channels, out_channels, 3, padding=1, bias=False),
            GroupNorm(groups, out_channels),
            nn.ReLU(inplace=True),
            convolution(out_channels, out_channels, 3, padding=1, bias=False),
        )
        self.shortcut: nn.Module = nn.Identity()
        if in_channels != out_channels:
            self.shortcut = nn.Sequential(
                convolution(in_channels, out_channels, 1, bias=False), GroupNorm(groups, out_channels)
            )

    def forward(self, x: Tensor) -> Tensor:
        """Return features [B, out, *grid] of features, or of images, [B, in, *grid]."""
        return self.main(x) + self.shortcut(x)


class ResidualUNet(ExecutableModule):
    """Residual U-Net: images [B, C, *grid] to logits [B, outputs, *grid], on a grid of two or three axes of any size.

    The paper gives the filters, group norm and one residual block per level, and cites deep residual U-Nets [27, 40].
    As in these, blocks are pre-activation (He et al. 2016), and a convolution of size 1 reads the last block's sum
    without another normalisation, which also learns fastest. Between levels there are max-pooling by 2, which rounds
    up, and linear interpolation to the grid of the skip-connection, which is concatenated. Weights are initialised as
    He et al. (2015) propose. See `benchmarks.probes.unet_variants` for the memory of other choices.
    """

    def __init__(self, dimensions: Dimensions, config: UNetConfig) -> None:
        super().__init__()
        self.dimensions = dimensions
        encoder, decoder, groups = config.encoder_channels, config.decoder_channels, config.groups
        self.encoder = nn.ModuleList(
            ResidualBlock(dimensions, before, after, groups, first=level == 0)
            for level, (before, after) in enumerate(pairwise((config.modalities, *encoder)))
        )
        self.decoder = nn.ModuleList(
            ResidualBlock(dimensions, below + skip, after, groups)
            for (below, after), skip in zip(pairwise((encoder[-1], *decoder)), encoder[-2::-1], strict=True)
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Conv3d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        self.head = CONVOLUTION[dimensions]((*encoder, *decoder)[-1], config.outputs, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits [B, outputs, *grid] of images [B, C, *grid]."""
        x = self._in_fast_layout(images)
        skips: list[Tensor] = []
        for block in self.encoder:
            if skips:
                x = self._pool(x)
            x = self.execution.run(block, x)
            skips.append(x)
        skips.pop()
        for block in self.decoder:
            # In a statement of its own, so that nothing but the joined tensor is alive while the block runs.
            x = self._join(x, skips.pop())
            x = self.execution.run(block, x)
        return self.execution.run(self.head, x).to(images.dtype)

    def _pool(self, x: Tensor) -> Tensor:
        return MAX_POOLING[self.dimensions](x, 2, ceil_mode=True)

    def _join(self, x: Tensor, skip: Tensor) -> Tensor:
        x = F.interpolate(x, skip.shape[2:], mode=LINEAR_INTERPOLATION[self.dimensions], align_corners=False)
        return torch.cat([x, skip], dim=1)

    def _in_fast_layout(self, x: Tensor) -> Tensor:
        # On a CPU volumes then take about a tenth less time in training, a quarter less at inference.
        return x.contiguous(memory_format=CHANNELS_LAST[self.dimensions]) if x.device.type == "cpu" else x
