"""3-D residual U-Net, the paper's voxelised performance baseline (Section 4.1)."""

from typing import Annotated, Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor

from baselines.blocks import Filters, ResidualUNet, UNetConfig
from ossnet.config import STRICT
from ossnet.field import VoxelField, labels_of
from ossnet.losses import class_loss, probabilities
from ossnet.model import Batch, Edge, ModelConfig, SegmentationModel


@dataclass(frozen=True, kw_only=True, config=STRICT)
class UNet3dConfig(UNetConfig):
    """Sizes; the defaults are the paper's for BraTS 2020.

    Attributes:
        training_shape: the grid that images are resized to, in training and at inference; None for their own. The paper
            takes (224, 224, 224) for LiTS and up-samples the prediction to the images' grid (Section 4.2).
    """

    encoder_channels: Filters = (8, 32, 128, 384)
    decoder_channels: Filters = (128, 32, 8)
    training_shape: tuple[Edge, Edge, Edge] | None = None


class UNet3d(SegmentationModel):
    """A residual U-Net on whole volumes, trained on the (binary) cross-entropy of all voxels."""

    config_type: ClassVar[type[ModelConfig]] = UNet3dConfig

    def __init__(self, config: UNet3dConfig) -> None:
        super().__init__()
        self.config = config
        self.unet = ResidualUNet(3, config.modalities, config.outputs, config)

    def forward(self, images: Tensor) -> Tensor:
        """Logits [B, outputs, h, w, d] on the training grid for images [B, C, H, W, D]."""
        return self.unet(self._resized(images, "trilinear"))
