"""3-D residual U-Net, the paper's voxelised performance baseline (Section 4.1)."""

import math
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from baselines.unet import Filters, ResidualUNet, UNetConfig
from ossnet.checks import STRICT, checked
from ossnet.losses import class_loss, probabilities
from ossnet.model import Batch, Edge, ModelConfig, VoxelisedModel


@checked(frozen=True, kw_only=True, config=STRICT)
class UNet3dConfig(UNetConfig):
    """Sizes of a 3-D residual U-Net; the defaults are the paper's for BraTS 2020.

    Attributes:
        training_shape: grid (H, W, D) in voxels that images are resized to, in training and at inference; None for
            their own grid. The paper takes (224, 224, 224) for LiTS and up-samples the prediction to the images' grid
            (Section 4.2).
    """

    encoder_channels: Filters = (8, 32, 128, 384)
    decoder_channels: Filters = (128, 32, 8)
    training_shape: tuple[Edge, Edge, Edge] | None = None


class UNet3d(VoxelisedModel):
    """3-D residual U-Net on whole volumes, trained on the cross-entropy of all voxels.

    The paper up-samples its LiTS prediction; here the probabilities are up-sampled, before they become classes.
    """

    config_type: ClassVar[type[ModelConfig]] = UNet3dConfig
    family: ClassVar[str] = "unet3d"
    nests_regions: ClassVar[bool] = True
    config: UNet3dConfig

    def __init__(self, config: UNet3dConfig) -> None:
        super().__init__()
        self.config = config
        self.unet = ResidualUNet(3, config)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits [B, outputs, h, w, d], on the training grid if there is one, of images [B, C, H, W, D]."""
        if self.config.training_shape is not None:
            images = F.interpolate(images, self.config.training_shape, mode="trilinear", align_corners=False)
        return self.unet(images)

    def learned_per_case(self, locations: int) -> int:
        """Return the number of voxels of the training grid, or else of the images'."""
        return math.prod(self.config.training_shape or self.config.shape)

    def loss(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """Return the mean cross-entropy over all voxels; nothing is drawn.

        Labels are resized to the training grid by the nearest voxel.
        """
        labels = batch.labels
        if self.config.training_shape is not None:
            labels = F.interpolate(labels[:, None], self.config.training_shape, mode="nearest-exact")[:, 0]
        return class_loss(self(batch.images), labels, classes=self.config.classes)

    @torch.no_grad()
    def predict(self, image: Tensor) -> Tensor:
        """Return probabilities of an image [C, H, W, D]; see `VoxelisedModel.predict`."""
        predicted = probabilities(self(image[None]), dim=1, classes=self.config.classes)
        if self.config.training_shape is None:
            return predicted[0]
        volumes = predicted.reshape(1, self.config.outputs, *self.config.training_shape)
        resized = F.interpolate(volumes, image.shape[1:], mode="trilinear", align_corners=False)[0]
        return resized.squeeze(0) if self.config.classes == 2 else resized
