"""An image's occupancy as a function of location, and grids of voxels over it: what extraction evaluates, and where."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor


class OccupancyField(Protocol):
    """f_theta(., x, .) of Equation 1 for one fixed image x."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """The image's grid (H, W, D) in voxels."""
        ...

    @property
    def device(self) -> torch.device:
        """Where it answers; locations are given there too."""
        ...

    @property
    def classes(self) -> int:
        """Number of classes with the background; 2 is inside or outside."""
        ...

    @property
    def prior(self) -> Tensor | None:
        """The encoder's low-resolution segmentation: probabilities [h, w, d] (two classes) or [k, h, w, d]; or None."""
        ...

    def __call__(self, locations: Tensor) -> Tensor:
        """Probabilities [n] (two classes) or [n, k] at voxel coordinates [n, 3], integer or between, float32."""
        ...


@dataclass(frozen=True)
class Grid:
    """The voxels to segment.

    Attributes:
        shape: (H, W, D).
        locate: voxel indices [n, 3] int64 of this grid to voxel coordinates [n, 3] of the field's image.
    """

    shape: tuple[int, int, int]
    locate: Callable[[Tensor], Tensor]

    @classmethod
    def over(cls, field: OccupancyField, shape: tuple[int, int, int] | None = None) -> "Grid":
        """A grid of any resolution over the whole of the field's image; by default the image's own voxels.

        Both grids cover the same space and voxels are cells of it, so centres meet at (t + 1/2) / T = (x + 1/2) / S.
        """
        if shape is None or tuple(shape) == tuple(field.shape):
            return cls(field.shape, lambda indices: indices)

        def locate(indices: Tensor) -> Tensor:
            scale = torch.tensor(field.shape, device=indices.device) / torch.tensor(shape, device=indices.device)
            return (indices + 0.5) * scale - 0.5

        return cls(shape, locate)


def evaluate(field: OccupancyField, locations: Tensor, max_locations: int) -> Tensor:
    """Probabilities at locations [n, 3], at most `max_locations` of them a pass."""
    return torch.cat([field(part) for part in locations.split(max_locations)])


def labels_of(probabilities: Tensor, classes: int) -> Tensor:
    """Class indices, uint8, from probabilities [...] (two classes: above one half) or [..., k] (the largest)."""
    return (probabilities > 0.5 if classes == 2 else probabilities.argmax(-1)).to(torch.uint8)


class VoxelField:
    """The field of a voxelised prediction: its value at a voxel, trilinear in between, the nearest beyond the border.

    Args:
        probabilities: [H, W, D], of the foreground, for two classes; [k, H, W, D] for k > 2.
    """

    prior = None

    def __init__(self, probabilities: Tensor) -> None:
        self.probabilities = probabilities if probabilities.ndim == 4 else probabilities[None]
        height, width, depth = self.probabilities.shape[1:]
        self.shape = (height, width, depth)
        self.classes = max(2, len(self.probabilities))
        self.device = self.probabilities.device

    def __call__(self, locations: Tensor) -> Tensor:
        size = torch.tensor(self.shape, device=locations.device)
        if not locations.is_floating_point():
            i, j, k = locations.long().clamp(min=0).minimum(size - 1).unbind(-1)
            values = self.probabilities[:, i, j, k]
        else:
            # grid_sample wants coordinates in [-1, 1] and the axes in reverse order.
            grid = (2 * locations / (size - 1).clamp(min=1) - 1).flip(-1).to(self.probabilities.dtype)
            values = F.grid_sample(
                self.probabilities[None], grid[None, None, None], padding_mode="border", align_corners=True
            )[0, :, 0, 0]
        return values[0] if self.classes == 2 else values.T
