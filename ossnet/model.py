"""The one interface of every model: learn from cases, tell the occupancy at locations, segment a volume."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from ossnet.field import OccupancyField, evaluate, labels_of


@dataclass(frozen=True)
class Batch:
    """Cases to learn from in one step.

    Attributes:
        images: [B, C, H, W, D] float32, normalised.
        labels: [B, H, W, D] uint8 class indices.
        draw_locations: voxel indices [B, n, 3] int64 by the run's sampling strategy, for models that learn from
            locations.
    """

    images: Tensor
    labels: Tensor
    draw_locations: Callable[[torch.Generator], Tensor]


class SegmentationModel(nn.Module, ABC):
    """A model of the suite, whatever its kind.

    A concrete model has a frozen `config` and is made by `Model(config)`, weights drawn from torch's global generator
    (seed it with `torch.manual_seed` before).
    """

    @abstractmethod
    def loss(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """The scalar to minimise for `batch`; every random draw is from `generator` (on the CPU)."""

    @abstractmethod
    def field(self, image: Tensor) -> OccupancyField:
        """The occupancy field of a normalised image [C, H, W, D] float32, on the model's device."""

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Parameters by learning rate: `weights`, and `activation` for learned activations (may be empty)."""
        return {"weights": list(self.parameters()), "activation": []}

    @torch.no_grad()
    def occupancy(
        self, image: Tensor | np.ndarray, locations: Tensor | np.ndarray, max_locations: int = 2**14
    ) -> Tensor:
        """Probabilities [n], or [n, k] for k > 2 classes, at voxel coordinates [n, 3] of an image [C, H, W, D].

        The image is at full resolution and normalised; coordinates are in the order of its axes, at voxels or between.
        At most `max_locations` are evaluated a pass, which bounds the memory and leaves the answer as it is.
        """
        device = next(self.parameters()).device
        image = torch.as_tensor(image, dtype=torch.float32, device=device)
        return evaluate(self.field(image), torch.as_tensor(locations, device=device), max_locations)

    @torch.no_grad()
    def segment(self, image: Tensor | np.ndarray, max_locations: int = 2**14) -> Tensor:
        """Class indices [H, W, D] uint8 at every voxel of a normalised image [C, H, W, D]."""
        device = next(self.parameters()).device
        field = self.field(torch.as_tensor(image, dtype=torch.float32, device=device))
        voxels = torch.cartesian_prod(*(torch.arange(size, device=device) for size in field.shape))
        return labels_of(evaluate(field, voxels, max_locations), field.classes).reshape(field.shape)
