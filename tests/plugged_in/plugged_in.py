"""Two models of a package of their own: one of all voxels, and one that is evaluated at locations.

`pyproject.toml` lists them in the entry-point group `ossnet.models`. Once the package is installed, every command takes
them by their names, `convolution` and `half-space`.
"""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn

from ossnet.losses import class_loss, probabilities
from ossnet.model import Batch, ModelConfig, SegmentationModel, VoxelisedModel


class Convolution(VoxelisedModel):
    """One convolution of all voxels."""

    config_type = ModelConfig

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.convolution = nn.Conv3d(config.modalities, config.outputs, 3, padding=1)

    def loss(self, batch: Batch, generator: Generator) -> Tensor:
        """Return the mean loss of all voxels of a batch."""
        return class_loss(self.convolution(batch.images), batch.labels)

    @torch.no_grad()
    def predict(self, image: Tensor) -> Tensor:
        """Return the probabilities of the voxels of an image [C, H, W, D]."""
        return probabilities(self.convolution(image[None]), dim=1)[0]


class HalfSpace(SegmentationModel):
    """One linear map of coordinates, which does not look at the image."""

    config_type = ModelConfig
    evaluates_locations = True
    extraction = "mise"

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.linear = nn.Linear(3, config.outputs)

    def loss(self, batch: Batch, generator: Generator) -> Tensor:
        """Return the weighted mean loss of the locations that the recipe draws in each case of a batch."""
        locations, weights = batch.draw_locations(generator)
        targets = torch.stack([label[tuple(p.T)] for label, p in zip(batch.labels, locations, strict=True)])
        return class_loss(self.linear(locations.float()).movedim(-1, 1), targets, weights)

    @torch.no_grad()
    def field(self, image: Tensor) -> "LinearField":
        """Return the field of an image [C, H, W, D], which is the same for all images."""
        self.check_image(image)
        return LinearField(self.linear, self.config.shape, image.device, self.config.classes)


@dataclass
class LinearField:
    """The probabilities of `HalfSpace` at any location, see `ossnet.field.OccupancyField`."""

    linear: nn.Module
    shape: tuple[int, int, int]
    device: torch.device
    classes: int
    prior: None = None

    @torch.no_grad()
    def __call__(self, locations: Tensor) -> Tensor:
        """Return the probabilities at locations [n, 3] in voxels."""
        return probabilities(self.linear(locations.float()), dim=-1)

    @torch.no_grad()
    def logits(self, locations: Tensor) -> Tensor:
        """Return the logits at locations [n, 3] in voxels."""
        outputs: Tensor = self.linear(locations.float())
        return outputs.squeeze(-1) if self.classes == 2 else outputs
