"""2-D residual U-Net on slices, the paper's efficiency baseline: one network for each orientation (Section 4.1)."""

from typing import ClassVar

import torch
from torch import Tensor

from baselines.unet import Filters, ResidualUNet, UNetConfig
from ossnet.checks import STRICT, Field, checked
from ossnet.losses import class_loss, probabilities
from ossnet.model import Batch, ModelConfig, VoxelisedModel


@checked(frozen=True, kw_only=True, config=STRICT)
class UNet2dConfig(UNetConfig):
    """Sizes of a 2-D residual U-Net; the defaults are the paper's.

    Attributes:
        slices_per_case: number of slices that a training step takes from each case. The paper's batches have 32 slices
            on BraTS 2020 and 12 on LiTS; it does not say how many cases they come from.
        max_slices: number of slices per pass at inference; it affects the memory but not the result.
    """

    encoder_channels: Filters = (128, 256, 384, 512, 640)
    decoder_channels: Filters = (512, 384, 256, 128)
    slices_per_case: int = Field(default=8, ge=1)
    max_slices: int = Field(default=8, ge=1)


class UNet2d(VoxelisedModel):
    """Residual U-Net on the slices across one axis, at their own resolution.

    This is an abstract class: its three subclasses, one per orientation, set `slice_axis`.
    """

    slice_axis: ClassVar[int]
    repeats_passes: ClassVar[bool] = True
    nests_regions: ClassVar[bool] = True
    config_type: ClassVar[type[ModelConfig]] = UNet2dConfig
    family: ClassVar[str] = "unet2d"
    config: UNet2dConfig

    def __init__(self, config: UNet2dConfig) -> None:
        super().__init__()
        self.config = config
        self.unet = ResidualUNet(2, config)

    def forward(self, slices: Tensor) -> Tensor:
        """Return logits [n, outputs, *grid] of slices [n, C, *grid]."""
        return self.unet(slices)

    def loss(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """Return the mean cross-entropy over all pixels of all slices of the batch; nothing is drawn."""
        slices, labels = (
            torch.cat([self._slices(volume) for volume in volumes]) for volumes in (batch.images, batch.labels)
        )
        return class_loss(self(slices), labels, classes=self.config.classes)

    @torch.no_grad()
    def predict(self, image: Tensor) -> Tensor:
        """Return probabilities of an image [C, H, W, D]; see `VoxelisedModel.predict`."""
        slices = self._slices(image)
        outputs = [self.config.outputs] if self.config.classes > 2 else []
        predicted = slices.new_empty(len(slices), *outputs, *slices.shape[2:])
        for of_pass, probability in zip(*(x.split(self.config.max_slices) for x in (slices, predicted)), strict=True):
            probability.copy_(probabilities(self(of_pass), dim=1, classes=self.config.classes))
        return predicted.movedim(0, self.slice_axis - 3)

    def _slices(self, volume: Tensor) -> Tensor:
        """Return the slices [n, ...] of a volume [..., H, W, D]."""
        return volume.movedim(self.slice_axis - 3, 0)


class UNet2dHeight(UNet2d):
    """2-D residual U-Net on slices across the height, [W, D] each."""

    slice_axis = 0


class UNet2dWidth(UNet2d):
    """2-D residual U-Net on slices across the width, [H, D] each."""

    slice_axis = 1


class UNet2dDepth(UNet2d):
    """2-D residual U-Net on slices across the depth, [H, W] each."""

    slice_axis = 2
