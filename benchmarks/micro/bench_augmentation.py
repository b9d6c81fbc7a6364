"""Each of the three augmentations of an image."""

import math

import pytest
import torch

from benchmarks.micro.measure import Measure
from benchmarks.micro.volumes import SHAPE
from ossnet.training.augmentation import Augmentation, AugmentationDraw, augment_image

MODALITIES = 4
DRAWS = {
    "flip": AugmentationDraw((0, 1), None, None),
    "brightness": AugmentationDraw((), (0.1, -0.1, 0.05, -0.05), None),
    "noise": AugmentationDraw((), None, 0),
}


@pytest.mark.parametrize("name", DRAWS)
def bench_augmentation(measure: Measure, device: torch.device, generator: torch.Generator, name: str) -> None:
    """Time one augmentation."""
    image = torch.randn(MODALITIES, *SHAPE, generator=generator, device=device)
    measure(
        "augmentation",
        image.shape,
        "voxels",
        math.prod(SHAPE),
        lambda: augment_image(image, Augmentation(), DRAWS[name]),
    )
