"""Occupancy of an image as a function of location, and the grids of voxels on which extraction evaluates it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from ossnet.nested import class_of, is_nested

SATURATION = 1e-7
"""Smallest probability of which a logit is taken; float32 distinguishes one less it from one."""


class OccupancyField(Protocol):
    """f_theta(., x, .) of Equation 1 for one fixed image x."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Grid (H, W, D) of the image in voxels."""
        ...

    @property
    def device(self) -> torch.device:
        """Device of the locations that it takes and of the probabilities that it returns."""
        ...

    @property
    def classes(self) -> int:
        """Number of classes with the background; 2 means inside or outside."""
        ...

    @property
    def prior(self) -> Tensor | None:
        """Low-resolution segmentation of the encoder, or None.

        Probabilities [h, w, d] (two classes) or [k, h, w, d]; occupancies [k - 1, h, w, d] of nested regions.
        """
        ...

    def __call__(self, locations: Tensor) -> Tensor:
        """Return probabilities, float32, at voxel coordinates [n, 3], integer or in between.

        They are [n], of the foreground, for two classes and [n, k] for k > 2; for nested regions (`ossnet.nested`) the
        occupancies [n, k - 1] of the regions, from the outermost inwards.
        """
        ...

    def logits(self, locations: Tensor) -> Tensor:
        """Return logits, float32, at voxel coordinates [n, 3], integer or in between.

        They are [n], the log-odds of the foreground, for two classes and [n, k], up to a common constant, for k > 2;
        for nested regions the log-odds [n, k - 1] of the regions.
        """
        ...


@dataclass(frozen=True, eq=False)
class SubstituteField:
    """Base of fields that evaluate the field of a network and return other occupancies in place of its predictions.

    Attributes:
        field: field of the network.
    """

    field: OccupancyField

    @property
    def shape(self) -> tuple[int, int, int]:
        """Grid (H, W, D) of the image in voxels."""
        return self.field.shape

    @property
    def device(self) -> torch.device:
        """Device of the network."""
        return self.field.device

    @property
    def classes(self) -> int:
        """Number of classes with the background."""
        return self.field.classes


@dataclass(frozen=True)
class Grid:
    """Grid of the voxels to segment.

    Attributes:
        shape: number of voxels along each axis, (H, W, D).
        locate: function from voxel indices [n, 3] int64 of this grid to voxel coordinates [n, 3] of the field's image.
    """

    shape: tuple[int, int, int]
    locate: Callable[[Tensor], Tensor]

    @classmethod
    def over(cls, field: OccupancyField, shape: tuple[int, int, int] | None = None) -> "Grid":
        """Make a grid of any resolution over the whole image of a field; by default of the image's own voxels.

        Both grids cover the same space and voxels are cells of it. Along an axis of T voxels here and S voxels in the
        image, the centre of voxel t therefore lies at x with (t + 1/2) / T = (x + 1/2) / S.
        """
        if shape is None or tuple(shape) == tuple(field.shape):
            return cls(field.shape, lambda indices: indices)

        def locate(indices: Tensor) -> Tensor:
            scale = torch.tensor(field.shape, device=indices.device) / torch.tensor(shape, device=indices.device)
            return (indices + 0.5) * scale - 0.5

        return cls(shape, locate)


def evaluate(field: OccupancyField, locations: Tensor, max_locations: int) -> Tensor:
    """Return probabilities at locations [n, 3], with at most `max_locations` of them per pass."""
    return torch.cat([field(part) for part in locations.split(max_locations)])


def labels_of(probabilities: Tensor, classes: int) -> Tensor:
    """Return class indices [...] uint8 from probabilities.

    For two classes, probabilities [...] above one half are the foreground; for k > 2 the largest of [..., k] decides.
    Of nested regions [..., k - 1], those above one half are counted.
    """
    if is_nested(probabilities, classes):
        return class_of(probabilities)
    return (probabilities > 0.5 if classes == 2 else probabilities.argmax(-1)).to(torch.uint8)


def labels_of_logits(logits: Tensor, classes: int) -> Tensor:
    """Return class indices [...] uint8 from logits [...] of two classes, [..., k], or [..., k - 1] of nested regions.

    They are those of the probabilities, rounding included: of a foreground that is ahead by less than a probability's
    rounding, both make background.
    """
    of_sigmoids = classes == 2 or is_nested(logits, classes)
    return labels_of(logits.sigmoid() if of_sigmoids else logits.softmax(-1), classes)


def logits_of(probabilities: Tensor, classes: int) -> Tensor:
    """Return finite logits from probabilities [...] of two classes or [..., k], no larger than 16.1 in size.

    Probabilities are first clamped to `SATURATION` and, for two classes or nested regions [..., k - 1], to one less it.
    """
    if classes == 2 or is_nested(probabilities, classes):
        return probabilities.logit(SATURATION)
    return probabilities.clamp(min=SATURATION).log()


class VoxelField:
    """Occupancy field of a voxelised prediction.

    At voxels it has their value, in between it is interpolated trilinearly, and beyond the border it continues with the
    nearest value.

    Args:
        probabilities: probabilities [H, W, D] of the foreground for two classes, or [k, H, W, D] for k > 2; occupancies
            [k - 1, H, W, D] for nested regions.
        classes: number k of classes; None for that of probabilities that are not of nested regions.
    """

    prior = None

    def __init__(self, probabilities: Tensor, classes: int | None = None) -> None:
        self.probabilities = probabilities if probabilities.ndim == 4 else probabilities[None]
        height, width, depth = self.probabilities.shape[1:]
        self.shape = (height, width, depth)
        self.classes = classes or max(2, len(self.probabilities))
        self.device = self.probabilities.device

    def __call__(self, locations: Tensor) -> Tensor:
        """Return probabilities [n], [n, k] or [n, k - 1] at voxel coordinates [n, 3], integer or in between."""
        size = torch.tensor(self.shape, device=locations.device)
        if not locations.is_floating_point():
            i, j, k = locations.long().clamp(min=0).minimum(size - 1).unbind(-1)
            values = self.probabilities[:, i, j, k]
        else:
            # grid_sample takes coordinates in [-1, 1] and the axes in reverse order.
            grid = (2 * locations / (size - 1).clamp(min=1) - 1).flip(-1).to(self.probabilities.dtype)
            values = F.grid_sample(
                self.probabilities[None], grid[None, None, None], padding_mode="border", align_corners=True
            )[0, :, 0, 0]
        return values[0] if self.classes == 2 else values.T

    def logits(self, locations: Tensor) -> Tensor:
        """Return the logits of the probabilities, of the same shape, see `logits_of`."""
        return logits_of(self(locations), self.classes)
