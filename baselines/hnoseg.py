"""HNOSeg-XS (IEEE TMI 2025, arXiv 2507.08205): a Hartley neural operator on whole volumes, in 28,248 parameters."""

import math
from collections.abc import Sequence
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ossnet.checks import STRICT, Field, checked
from ossnet.losses import mean_over_regions, probabilities
from ossnet.model import Batch, Edge, ModelConfig, VoxelisedModel
from ossnet.network.execution import ExecutableModule, widened

PRODUCTS = 3
"""Number of products with a matrix that a block makes of its modes."""

SMALLEST_EDGE = 4
"""Fewest voxels along an axis: after the stem there are two, which have a mode at each end."""

SMALLEST_VARIANCE = 1e-12
"""Added to a product of variances, so that the correlation with a constant label is 0 and has a gradient."""


@checked(frozen=True, kw_only=True, config=STRICT)
class HNOSegConfig(ModelConfig):
    """Sizes of an HNOSeg-XS; the defaults are the published ones.

    Attributes:
        filters: number of filters F.
        blocks: number of blocks.
        modes: number of lowest modes (H, W, D) that are kept at each end of each axis, at most half of an axis.
        training_shape: grid (H, W, D) in voxels that images are resized to in training only; None for their own grid.
            The model works on any grid, and the paper trains at half the resolution.
    """

    filters: int = Field(default=24, ge=1)
    blocks: int = Field(default=8, ge=1)
    modes: tuple[Edge, Edge, Edge] = (14, 14, 10)
    training_shape: tuple[Edge, Edge, Edge] | None = None

    def __post_init__(self) -> None:
        for shape in filter(None, (self.shape, self.training_shape)):
            if min(shape) < SMALLEST_EDGE:
                raise ValueError(f"a grid of {shape} is too small; take {SMALLEST_EDGE} or more voxels along each axis")


def pointwise(in_channels: int, out_channels: int, bias: bool = True) -> nn.Conv3d:
    """Make a convolution of size 1: a product with a matrix that all voxels, or modes, share."""
    return nn.Conv3d(in_channels, out_channels, 1, bias=bias)


def ends(x: Tensor, axis: int, count: int) -> Tensor:
    """Return the first and the last `count` places of x along an axis, at most all of them."""
    size = x.shape[axis]
    count = min(count, size // 2)
    return torch.cat([x.narrow(axis, 0, count), x.narrow(axis, size - count, count)], axis)


def between_zeros(x: Tensor, axis: int, size: int) -> Tensor:
    """Return x with zeros in the middle of an axis, so that it has `size` places: the inverse of `ends`."""
    count = x.shape[axis] // 2
    zeros = x.new_zeros([size - 2 * count if i == axis else edge for i, edge in enumerate(x.shape)])
    return torch.cat([x.narrow(axis, 0, count), zeros, x.narrow(axis, count, count)], axis)


def lowest_modes(x: Tensor, modes: Sequence[int]) -> Tensor:
    """Return the lowest modes [B, F, h, w, d] of the discrete Hartley transform of x [B, F, H, W, D].

    The transform is the real minus the imaginary part of Fourier's, divided by the number of voxels. An axis is cut to
    its lowest modes before the next one is transformed, which changes nothing in the others.
    """
    spectrum = widened(x)
    for axis, count in zip((2, 3, 4), modes, strict=True):
        spectrum = ends(torch.fft.fft(spectrum, dim=axis, norm="forward"), axis, count)
    return (spectrum.real - spectrum.imag).to(x.dtype)


def from_lowest_modes(modes: Tensor, grid: Sequence[int]) -> Tensor:
    """Return values [B, F, *grid] by the inverse transform of modes [B, F, h, w, d], all other modes being 0."""
    values = widened(modes)
    for axis, size in zip((2, 3, 4), grid, strict=True):
        values = torch.fft.fft(between_zeros(values, axis, size), dim=axis)
    return (values.real - values.imag).to(modes.dtype)


class HartleyBlock(nn.Module):
    """Block of the operator: products of the lowest modes, joined with what the block gets.

    Args:
        filters: number of filters F.
        modes: number of modes kept at each end of each axis.
        linked: whether the block also takes the output of an earlier one.
    """

    def __init__(self, filters: int, modes: Sequence[int], linked: bool) -> None:
        super().__init__()
        self.modes = modes
        self.link = pointwise(2 * filters, filters) if linked else None
        self.products = nn.ModuleList(pointwise(filters, filters, bias=False) for _ in range(PRODUCTS))
        self.mix = pointwise(2 * filters, filters)

    def forward(self, x: Tensor, earlier: Tensor | None = None) -> Tensor:
        """Return [B, F, *grid] for the outputs [B, F, *grid] of the block before and of an earlier one."""
        if self.link is not None and earlier is not None:
            x = F.selu(self.link(torch.cat([x, earlier], 1)))
        modes = lowest_modes(x, self.modes)
        for product in self.products:
            modes = F.selu(product(modes) + modes)
        values = F.selu(from_lowest_modes(modes, x.shape[2:]))
        return F.selu(self.mix(torch.cat([x, values], 1)))


class HartleyOperator(ExecutableModule):
    """Network from images [B, C, H, W, D] to logits [B, outputs, H, W, D], on a grid of any size from 4 voxels on.

    The stem halves the grid. As in a U-Net, the last blocks also take the outputs of the first ones: of eight blocks,
    counted from 0, blocks 5, 6 and 7 take those of blocks 2, 1 and 0. There is no normalisation; weights are drawn with
    the variance 1 / fan-in that SELU needs, biases are 0.
    """

    def __init__(self, config: HNOSegConfig) -> None:
        super().__init__()
        filters = config.filters
        self.links = (config.blocks - 1) // 2
        self.stem = nn.Sequential(
            nn.Conv3d(config.modalities, filters, 2, stride=2), nn.SELU(), pointwise(filters, filters), nn.SELU()
        )
        self.blocks = nn.ModuleList(
            HartleyBlock(filters, config.modes, linked=block >= config.blocks - self.links)
            for block in range(config.blocks)
        )
        self.head = pointwise(filters, config.outputs, bias=False)
        for module in self.modules():
            if isinstance(module, nn.Conv3d):
                nn.init.normal_(module.weight, std=math.prod(module.weight.shape[1:]) ** -0.5)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits [B, outputs, H, W, D] of images [B, C, H, W, D]."""
        x = self.execution.run(self.stem, images)
        skips: list[Tensor] = []
        for i, block in enumerate(self.blocks):
            linked = i >= len(self.blocks) - self.links
            x = self.execution.run(block, x, *([skips.pop()] if linked else []))
            if i < self.links:
                skips.append(x)
        x = F.interpolate(x, images.shape[2:], mode="trilinear", align_corners=False)
        return self.execution.run(self.head, x).to(images.dtype)


def correlation_loss(probability: Tensor, labels: Tensor) -> Tensor:
    """Return 1 - the mean of Pearson's correlation of prediction and label, over all cases and classes.

    Two classes have one correlation, since the background's is the same.

    Args:
        probability: probabilities [B, *grid] of the foreground, or [B, k, *grid] of k classes.
        labels: class indices [B, *grid].
    """
    if probability.ndim == labels.ndim:
        predicted, target = probability[:, None], labels[:, None].to(probability.dtype)
    else:
        classes = torch.arange(probability.shape[1], device=labels.device)
        predicted = probability
        target = (labels[:, None] == classes[:, None, None, None]).to(probability.dtype)
    x, y = (values.flatten(2) - values.flatten(2).mean(2, keepdim=True) for values in (predicted, target))
    variances = x.square().mean(2) * y.square().mean(2)
    return 1 - ((x * y).mean(2) / (variances + SMALLEST_VARIANCE).sqrt()).mean()


class HNOSegXS(VoxelisedModel):
    """HNOSeg-XS on whole volumes, trained by the correlation of prediction and label."""

    config_type: ClassVar[type[ModelConfig]] = HNOSegConfig
    family: ClassVar[str] = "hnoseg-xs"
    nests_regions: ClassVar[bool] = True
    config: HNOSegConfig

    def __init__(self, config: HNOSegConfig) -> None:
        super().__init__()
        self.config = config
        self.operator = HartleyOperator(config)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits [B, outputs, H, W, D] of images [B, C, H, W, D]."""
        logits: Tensor = self.operator(images)
        return logits

    def learned_per_case(self, locations: int) -> int:
        """Return the number of voxels of the training grid, or else of the images'."""
        return math.prod(self.config.training_shape or self.config.shape)

    def loss(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """Return the loss by Pearson's correlation over all voxels, see `correlation_loss`; nothing is drawn.

        Labels are resized to the training grid by the nearest voxel.
        """
        images, labels = batch.images, batch.labels
        if self.config.training_shape is not None:
            images = F.interpolate(images, self.config.training_shape, mode="trilinear", align_corners=False)
            labels = F.interpolate(labels[:, None], self.config.training_shape, mode="nearest-exact")[:, 0]
        logits = self(images)
        if self.config.nested:
            return mean_over_regions(lambda region, mask: correlation_loss(region.sigmoid(), mask), logits, labels)
        return correlation_loss(probabilities(logits, dim=1), labels)

    @torch.no_grad()
    def predict(self, image: Tensor) -> Tensor:
        """Return probabilities of an image [C, H, W, D]; see `VoxelisedModel.predict`."""
        return probabilities(self(image[None]), dim=1, classes=self.config.classes)[0]
