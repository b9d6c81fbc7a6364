"""A model of several classes whose segmentation is known."""

from typing import Any

import pytest
import torch

from ossnet.field import VoxelField
from ossnet.model import ModelConfig, SegmentationModel


class GradedModel(SegmentationModel):
    """Finds the class whose index is the intensity, by a softmax over classes or by nested regions."""

    config_type = ModelConfig

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.weight = torch.nn.Parameter(torch.ones(()))

    def loss(self, *_: Any) -> torch.Tensor:
        return self.weight

    def field(self, image: torch.Tensor) -> VoxelField:
        classes = self.config.classes
        depths = torch.arange(1, classes).view(-1, 1, 1, 1)
        probabilities = (image >= depths).float()
        if not self.config.nested:
            probabilities = torch.nn.functional.one_hot(image[0].long(), classes).movedim(-1, 0).float()
        return VoxelField(probabilities, classes)


@pytest.fixture(scope="session")
def graded_model() -> type[SegmentationModel]:
    """The class of such models, which are made from a configuration alone."""
    return GradedModel
