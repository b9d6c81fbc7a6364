"""MONAI's SegResNet with its sliding-window inference: a maintained voxelised network, taken as it is.

The network, its loss and its inference are MONAI's (Myronenko 2018 without the autoencoder); only the choice of windows
is here. MONAI is imported when a model is made, since that takes seconds.
"""

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ossnet.checks import STRICT, Field, checked
from ossnet.losses import mean_over_regions, probabilities
from ossnet.model import Batch, Edge, ModelConfig, VoxelisedModel
from ossnet.network.valueless import has_no_values

STEP = 8
"""Edges of a window are multiples of it: the network halves them three times."""


@checked(frozen=True, kw_only=True, config=STRICT)
class SegResNetConfig(ModelConfig):
    """Sizes of a SegResNet; blocks, norms and up-sampling are MONAI's defaults.

    Attributes:
        init_filters: number of filters of the first level, a multiple of the 8 groups of its norms; MONAI's default is
            8, its example for BraTS takes 16.
        window: edges (H, W, D) in voxels of the windows that a training step draws and that inference slides over the
            volume, multiples of 8. Along a shorter axis, the window is the axis, padded with zeros to a multiple of 8.
        overlap: share of a window that overlaps with the next one.
    """

    init_filters: int = Field(default=16, ge=8, multiple_of=8)
    window: tuple[Edge, Edge, Edge] = (128, 128, 128)
    overlap: float = Field(default=0.25, ge=0, lt=1)

    def __post_init__(self) -> None:
        if any(edge % STEP for edge in self.window):
            raise ValueError(f"window is {self.window}; its edges must be multiples of {STEP}")


class SegResNet(VoxelisedModel):
    """MONAI's SegResNet, trained on windows of volumes by MONAI's sum of Dice loss and cross-entropy."""

    config_type: ClassVar[type[ModelConfig]] = SegResNetConfig
    family: ClassVar[str] = "segresnet"
    repeats_passes: ClassVar[bool] = True
    nests_regions: ClassVar[bool] = True
    config: SegResNetConfig

    def __init__(self, config: SegResNetConfig) -> None:
        from monai.losses import DiceCELoss
        from monai.networks.nets import SegResNet as Network

        super().__init__()
        self.config = config
        self.network: nn.Module = Network(
            init_filters=config.init_filters, in_channels=config.modalities, out_channels=config.outputs
        )
        one = config.nested or config.outputs == 1
        self.criterion = DiceCELoss(sigmoid=one, softmax=not one, to_onehot_y=not one)

    def forward(self, windows: Tensor) -> Tensor:
        """Return logits [B, outputs, h, w, d] of windows [B, C, h, w, d], whose edges are multiples of 8."""
        logits: Tensor = self.network(windows)
        return logits

    def window(self, shape: Sequence[int]) -> tuple[int, ...]:
        """Return the edges of the windows in a volume of a shape (H, W, D)."""
        pairs = zip(self.config.window, shape, strict=True)
        return tuple(min(edge, math.ceil(size / STEP) * STEP) for edge, size in pairs)

    def learned_per_case(self, locations: int) -> int:
        """Return the number of voxels of a window."""
        return math.prod(self.window(self.config.shape))

    def loss(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """Return MONAI's `DiceCELoss` of a window of each case, for nested regions its mean over the regions.

        Its place is drawn uniformly, once for the whole batch, so that processes which share a batch draw the same.
        """
        starts = self.draw_starts(batch.images, generator)
        images, labels = (self.cut(volumes, starts) for volumes in (batch.images, batch.labels[:, None]))
        if self.config.nested:
            return mean_over_regions(self.criterion, self(images), labels[:, 0])
        loss: Tensor = self.criterion(self(images), labels.long())
        return loss

    def draw_starts(self, images: Tensor, generator: torch.Generator) -> list[int]:
        """Draw the first voxel of a window along each axis of images [B, C, H, W, D]."""
        shape = images.shape[2:]
        return [
            # Without values, nothing can be drawn, and every window takes the same memory.
            0 if size <= edge or has_no_values(images) else int(torch.randint(size - edge + 1, (), generator=generator))
            for size, edge in zip(shape, self.window(shape), strict=True)
        ]

    def cut(self, volumes: Tensor, starts: Sequence[int]) -> Tensor:
        """Return windows [B, c, h, w, d] of volumes [B, c, H, W, D], which are padded with zeros if smaller."""
        shape = volumes.shape[2:]
        window = self.window(shape)
        places = (slice(start, start + edge) for start, edge in zip(starts, window, strict=True))
        missing = [max(edge - size, 0) for size, edge in zip(shape, window, strict=True)]
        padding = [amount for gap in reversed(missing) for amount in (gap // 2, gap - gap // 2)]  # as MONAI pads
        return F.pad(volumes[(slice(None), slice(None), *places)], padding)

    @torch.no_grad()
    def predict(self, image: Tensor) -> Tensor:
        """Return probabilities of an image [C, H, W, D]; see `VoxelisedModel.predict`.

        Logits of overlapping windows are averaged with equal weights, MONAI's default.
        """
        from monai.inferers import sliding_window_inference

        window = self.window(image.shape[1:])
        weights = torch.ones(window, device=image.device)  # Without them, MONAI looks at values of the same map.
        logits: Any = sliding_window_inference(
            image[None], window, 1, self.network, overlap=self.config.overlap, roi_weight_map=weights
        )
        return probabilities(logits, dim=1, classes=self.config.classes)[0]
