"""U-Nets that differ from this suite's in what the paper leaves open, to see which of them its Table 3 may be of.

They are for the account of memory alone: they are counted and never trained.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from baselines.unet import Dimensions, ResidualBlock, ResidualUNet, UNetConfig
from benchmarks.workload import Implementation

AVERAGE_POOLING = {2: F.avg_pool2d, 3: F.avg_pool3d}
TRANSPOSED_CONVOLUTION: dict[Dimensions, type[nn.ConvTranspose2d] | type[nn.ConvTranspose3d]] = {
    2: nn.ConvTranspose2d,
    3: nn.ConvTranspose3d,
}


@dataclass(frozen=True)
class UNetChoices:
    """Choices that the paper leaves open about its U-Nets; the defaults are this suite's (`baselines.unet`).

    Attributes:
        activation_after_sum: whether blocks are convolution, norm, ReLU, convolution, norm, and a ReLU of the sum with
            the shortcut (He et al., CVPR 2016), where pre-activation blocks norm and rectify before each convolution.
        relu_in_place: whether a ReLU writes over its input.
        average_pooling: whether features are pooled by their average, which keeps no indices, unlike max-pooling.
        transposed_convolution: whether a transposed convolution up-samples to the filters of the skip-connection, as in
            the U-Net of Ronneberger et al. (MICCAI 2015), where interpolation keeps those of the level below.
        another_axis: whether the slicing U-Net takes slices across the axis that follows its own.
    """

    activation_after_sum: bool = False
    relu_in_place: bool = True
    average_pooling: bool = False
    transposed_convolution: bool = False
    another_axis: bool = False


CHOICES: Mapping[Implementation, UNetChoices] = {
    "released": UNetChoices(),
    "activation after the sum": UNetChoices(activation_after_sum=True),
    "ReLU not in place": UNetChoices(relu_in_place=False),
    "average pooling": UNetChoices(average_pooling=True),
    "transposed convolution": UNetChoices(transposed_convolution=True),
    "slices across another axis": UNetChoices(another_axis=True),
    "activation after the sum, average pooling": UNetChoices(activation_after_sum=True, average_pooling=True),
}
"""Choices by implementation: one change at a time, and the two together that come closer in 3-D inference and in 2-D
training on BraTS."""


class VariedUNet(ResidualUNet):
    """A `ResidualUNet` with other choices; transposed convolutions need a grid that every level halves."""

    def __init__(self, dimensions: Dimensions, config: UNetConfig, choices: UNetChoices) -> None:
        super().__init__(dimensions, config)
        self.choices = choices
        if choices.transposed_convolution:
            self._learn_upsampling(config)
        if choices.activation_after_sum:
            for module in list(self.modules()):
                for name, block in module.named_children():
                    if isinstance(block, ResidualBlock):
                        setattr(module, name, _PostActivationBlock(block, config.groups))
        for module in self.modules():
            if isinstance(module, nn.ReLU):
                module.inplace = choices.relu_in_place

    def _learn_upsampling(self, config: UNetConfig) -> None:
        skips = config.encoder_channels[-2::-1]
        below = (config.encoder_channels[-1], *config.decoder_channels[:-1])
        convolution = TRANSPOSED_CONVOLUTION[self.dimensions]
        first, *others = (convolution(channels, skip, 2, stride=2) for channels, skip in zip(below, skips, strict=True))
        blocks = (
            ResidualBlock(self.dimensions, 2 * skip, after, config.groups)
            for skip, after in zip(skips, config.decoder_channels, strict=True)
        )
        # Each stands at the end of the block below, so that all that is left to do between levels is to join.
        self.encoder[-1] = nn.Sequential(self.encoder[-1], first)
        self.decoder = nn.ModuleList(map(nn.Sequential, blocks, [*others, nn.Identity()]))

    def _pool(self, x: Tensor) -> Tensor:
        if self.choices.average_pooling:
            return AVERAGE_POOLING[self.dimensions](x, 2, ceil_mode=True)
        return super()._pool(x)

    def _join(self, x: Tensor, skip: Tensor) -> Tensor:
        return torch.cat([x, skip], dim=1) if self.choices.transposed_convolution else super()._join(x, skip)


class _PostActivationBlock(nn.Module):
    """Residual block of the same convolutions and shortcut, normed and rectified after them."""

    def __init__(self, block: ResidualBlock, groups: int) -> None:
        super().__init__()
        first, second = (layer for layer in block.main if isinstance(layer, nn.Conv2d | nn.Conv3d))
        self.main = nn.Sequential(
            first,
            nn.GroupNorm(groups, first.out_channels),
            nn.ReLU(inplace=True),
            second,
            nn.GroupNorm(groups, second.out_channels),
        )
        self.shortcut = block.shortcut
        self.activation = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        summed: Tensor = self.activation(self.main(x) + self.shortcut(x))
        return summed
