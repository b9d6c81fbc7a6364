"""Sampling of training locations: uniform, or half from the label's border (Section 3.2, Table 1).

Sampling by confidence, which the paper leaves to future work, is in `ossnet.training.confidence`.
"""

import math
from typing import Literal

import numpy as np
import torch
from pydantic import Field
from pydantic.dataclasses import dataclass
from scipy import ndimage
from torch import Tensor

from ossnet.checks import STRICT

Protocol = Literal["paper", "released"]

SLAB_VOXELS = 2**24
"""Number of voxels for which distances are computed at once: a label of 512^3 voxels takes 1.3 GB instead of 7."""

FIELDS_OF = {
    "border": ("border_width", "border_share"),
    "confidence": ("confidence_share", "memory_cell", "memory_rate"),
}
"""Fields of `Sampling` that only one strategy reads, by strategy."""


@dataclass(frozen=True, config=STRICT)
class Sampling:
    """Settings for drawing the n locations of one volume.

    Fields of strategies other than the selected one are set to their defaults, so that runs that differ only in them
    are the same run.

    Attributes:
        strategy: `uniform` over the volume; `border`, a share from the border of the label and the rest uniform; or
            `confidence`, a share from where past predictions were unsure and the rest uniform.
        count: number n of locations.
        border_width: width of the border region in voxels, with the hull of the label in its middle; odd. 25 as in
            Section 3.2, "the 25 voxel wide border of the ground truth segmentation hull".
        border_share: share of the locations that `border` draws from the border region; one half in Section 3.2.
        confidence_share: share of the locations that `confidence` draws from where predictions were unsure.
        memory_cell: edge in voxels of the cells in which `confidence` remembers how unsure predictions were. A grid of
            256x256x160 has 2560 cells of 16 voxels, which take 10 KiB of memory and of the checkpoint for each case.
        memory_rate: weight of the newest predictions in a cell's running mean.
        protocol: `paper` as in the paper's text, or `released` as in its code. There, the last index of each axis is
            never drawn, the border is the label's Sobel edge dilated by a 13^3 box, and if the border has fewer voxels
            than should be drawn from it, each of them is taken once.
    """

    strategy: Literal["uniform", "border", "confidence"] = "uniform"
    count: int = Field(default=2**14, ge=1)
    border_width: int = Field(default=25, ge=1)
    border_share: float = Field(default=0.5, ge=0, le=1)
    confidence_share: float = Field(default=0.5, ge=0, lt=1)
    memory_cell: int = Field(default=16, ge=1)
    memory_rate: float = Field(default=0.5, gt=0, le=1)
    protocol: Protocol = "paper"

    def __post_init__(self) -> None:
        if self.border_width % 2 == 0:
            raise ValueError(f"border_width is {self.border_width}; a border around the hull's voxels has an odd width")
        if self.strategy == "confidence" and self.protocol == "released":
            raise ValueError("the released protocol has no strategy confidence; set protocol = paper with it")
        for strategy, fields in FIELDS_OF.items():
            for name in fields if strategy != self.strategy else ():
                object.__setattr__(self, name, self.__dataclass_fields__[name].default.default)


def border_voxels(label: np.ndarray, sampling: Sampling) -> np.ndarray:
    """Return the flat indices [m] int64 (C order) of the voxels in the border region of a label [H, W, D].

    The paper defines neither hull nor distance. Here the hull consists of the foreground voxels that share a face with
    background, and the border region of all voxels within (border_width - 1) / 2 of it, by Euclidean distance between
    voxel centres. Where the hull is flat and the width is 25, the region is 25 voxels thick: the hull's layer and 12 on
    each side. A label without foreground has no border. Departure: the released code has another border, which the
    protocol `released` takes (see `Sampling`).
    """
    foreground = label > 0
    if not foreground.any():
        return np.empty(0, np.int64)
    if sampling.protocol == "released":
        edge = np.zeros(label.shape, bool)
        for axis in range(3):
            edge |= ndimage.sobel(foreground.astype(np.float32), axis) != 0
        return np.flatnonzero(ndimage.maximum_filter(edge, 13))
    reach = (sampling.border_width - 1) // 2
    (box,) = ndimage.find_objects(foreground.astype(np.uint8))
    window = tuple(slice(max(0, part.start - reach - 1), part.stop + reach + 1) for part in box)
    inside = foreground[window]
    # The edge of the volume is not part of the hull: the object is assumed to continue beyond it.
    hull = inside & ~ndimage.binary_erosion(inside, border_value=1)
    border = np.zeros(label.shape, bool)
    if hull.any():
        border[window] = _within(hull, reach)
    return np.flatnonzero(border)


def _within(hull: np.ndarray, reach: int) -> np.ndarray:
    """Return a mask of the voxels within a distance of those of a mask [H, W, D].

    The distances are computed for some slices at a time, with those around them that are close enough to matter, since
    SciPy takes 55 bytes for each voxel.
    """
    near = np.zeros(hull.shape, bool)
    thickness = max(2 * reach, SLAB_VOXELS // math.prod(hull.shape[1:]), 1)
    for start in range(0, len(hull), thickness):
        first, end = max(0, start - reach), start + thickness
        around = hull[first : end + reach]
        if around.any():
            distances = ndimage.distance_transform_edt(~around)
            near[start:end] = distances[start - first : end - first] <= reach
    return near


def draw_locations(
    sampling: Sampling, shape: tuple[int, int, int], border: Tensor | None, generator: torch.Generator
) -> Tensor:
    """Draw voxel indices [n, 3] int64 by the strategy `uniform` or `border`.

    A label without a border (a case without foreground, or one that the foreground fills) is sampled uniformly.

    Args:
        sampling: settings.
        shape: grid (H, W, D) of the volume.
        border: flat indices from `border_voxels`; only the strategy `border` needs them.
        generator: source of all random numbers.

    Raises:
        ValueError: `border` is missing for the strategy `border`, or the strategy is `confidence`, whose locations
            `ossnet.training.confidence.ConfidenceMemory` draws.
    """
    if sampling.strategy == "confidence":
        raise ValueError("confidence sampling draws by what was predicted before: use a ConfidenceMemory")
    if sampling.strategy == "border" and border is None:
        raise ValueError("border sampling needs the voxels of the label's border: see border_voxels")
    if sampling.strategy == "uniform" or border is None or not len(border):
        return uniform_locations(sampling, sampling.count, shape, generator)
    count = round(sampling.border_share * sampling.count)
    if sampling.protocol == "released" and len(border) < count:
        chosen = border
    else:
        chosen = border[torch.randint(len(border), (count,), generator=generator)]
    near = torch.stack(torch.unravel_index(chosen, shape), -1)
    return torch.cat([near, uniform_locations(sampling, sampling.count - len(near), shape, generator)])


def uniform_locations(
    sampling: Sampling, count: int, shape: tuple[int, int, int], generator: torch.Generator
) -> Tensor:
    """Draw voxel indices [count, 3] int64 uniformly over a volume of `shape`, by the protocol."""
    if sampling.protocol == "released":
        last = torch.tensor(shape) - 1
        return (torch.rand(count, 3, generator=generator) * last).floor().long()
    return torch.stack([torch.randint(size, (count,), generator=generator) for size in shape], -1)
