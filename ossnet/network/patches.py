"""Local observations z: the patches of a volume around locations (Sec. 3, Eq. 1)."""

from functools import reduce
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ossnet.network.activation import Activation
from ossnet.network.execution import ExecutableModule

Pooling = Literal["average", "max"]

PLANES = 16
"""Of a volume, pooled at a time."""


def has_no_values(tensor: Tensor) -> bool:
    """Tell a meta or fake tensor, which memory is predicted with, from one with values."""
    return tensor.untyped_storage().device.type == "meta"


def validate_locations(locations: Tensor, shape: tuple[int, int, int]) -> Tensor:
    """Locations [n, 3] in voxels of a volume of `shape`: integers as int64, floating-point ones as they are.

    Raises ValueError for a location more than one voxel outside the volume.
    """
    if not locations.is_floating_point():
        locations = locations.long()  # An unsigned type has no -1 to be compared with.
    if has_no_values(locations):
        return locations
    if not bool(((locations >= -1) & (locations <= torch.tensor(shape, device=locations.device))).all()):
        raise ValueError(f"locations reach more than one voxel beyond the volume {shape}")
    return locations


def _pad(image: Tensor, margin: int) -> Tensor:
    """An image [C, H, W, D] as [H, W, D, C] with `margin` zeros before it and one more behind, along each axis."""
    padded = image.new_zeros(*(edge + 2 * margin + 1 for edge in image.shape[1:]), len(image))
    padded[tuple(slice(margin, margin + edge) for edge in image.shape[1:])] = image.permute(1, 2, 3, 0)
    return padded


def _pool_pairs(volume: Tensor, pooling: Pooling) -> Tensor:
    """Each voxel of [H, W, D, C] joined with the next one along each axis: one smaller on each side.

    A few planes at a time, since the steps to the result would else take several times its memory.
    """
    height, width, depth = (edge - 1 for edge in volume.shape[:3])
    pooled = volume.new_empty(height, width, depth, volume.shape[3])
    for start in range(0, height, PLANES):
        joined = volume[start : start + PLANES + 1]
        for axis in range(3):
            size = joined.shape[axis] - 1
            first, second = joined.narrow(axis, 0, size), joined.narrow(axis, 1, size)
            joined = (first + second) / 2 if pooling == "average" else torch.maximum(first, second)
        pooled[start : start + PLANES] = joined
    return pooled


class PatchVolume:
    """A volume made ready for patches to be read from it, at voxels or in between; zero outside the volume.

    Patches come channels last, as the volume is kept in memory: each is read in a few long runs.

    Args:
        image: [C, H, W, D] at full resolution.
        size: odd edge length s of a patch, in voxels.
        larger_context: add a patch of twice the edge, p - s to p + s - 1 around voxel p, pooled by 2 (OSS-Net B and D).
        pooling: how that is pooled. The paper averages; its released code averages in training and takes maxima in its
            inference.
    """

    def __init__(self, image: Tensor, size: int, larger_context: bool = False, pooling: Pooling = "average") -> None:
        self.size = size
        height, width, depth = image.shape[1:]
        self.shape = (height, width, depth)
        # One voxel more than the windows reach: locations may lie up to one voxel outside.
        self.margin = (size if larger_context else size // 2) + 1
        self.sources = [(_pad(image, self.margin), 1, size // 2)]
        if larger_context:
            self.sources.append((_pool_pairs(self.sources[0][0], pooling), 2, size))

    def __call__(self, locations: Tensor) -> Tensor:
        """Patches [n, s, s, s, C] (2 C channels with the larger context) around locations [n, 3] in voxels.

        Between voxels a patch is interpolated trilinearly (Sec. 3.3). Raises ValueError for a location more than one
        voxel outside the volume.
        """
        locations = validate_locations(locations, self.shape)
        if not locations.is_floating_point():
            return self._at_voxels(locations)
        corner = locations.floor()
        fraction = (locations - corner).to(self.sources[0][0].dtype)
        offsets = torch.cartesian_prod(*[torch.arange(2, device=corner.device)] * 3)

        def weighted(offset: Tensor) -> Tensor:
            weight = torch.where(offset.bool(), fraction, 1 - fraction).prod(-1)
            return weight[:, None, None, None, None] * self._at_voxels(corner.long() + offset)

        return reduce(torch.add, map(weighted, offsets))

    def _at_voxels(self, voxels: Tensor) -> Tensor:
        return torch.cat([self._windows(voxels, *source) for source in self.sources], -1)

    def _windows(self, voxels: Tensor, source: Tensor, step: int, reach: int) -> Tensor:
        """Windows [n, s, s, s, C] of every `step`-th voxel, from `reach` before each voxel on."""
        start = self.margin - 1 - reach  # The first window is that of voxel -1.
        grid = [edge - start - step * (self.size - 1) for edge in source.shape[:3]]
        strides = source.stride()
        windows = source.as_strided(
            (*grid, *[self.size] * 3, source.shape[3]),
            (*strides[:3], *(step * stride for stride in strides[:3]), strides[3]),
            source.storage_offset() + start * sum(strides[:3]),
        )
        i, j, k = (voxels + 1).unbind(-1)
        return windows[i, j, k]


class PatchConvolution(nn.Conv3d):
    """A convolution as wide as the patch that it sees, computed as one matrix product.

    On a patch of s^3 positions with zeros around it, a kernel of s^3 is a dense matrix (s^3 C x s^3 C'); as a product
    it runs several times faster than as a convolution, to the same result up to rounding.
    """

    def __init__(self, in_channels: int, out_channels: int, size: int) -> None:
        super().__init__(in_channels, out_channels, size, padding=size // 2)
        self.size = size

    def matrix(self) -> Tensor:
        """The convolution's matrix [s^3 C, s^3 C'], positions before channels on both sides."""
        # Along an axis, input i reaches output o through weight i - o + s // 2: a window over the padded kernel.
        windows = F.pad(self.weight, [self.size // 2] * 6)
        for axis in (2, 3, 4):
            windows = windows.unfold(axis, self.size, 1)
        matrix = windows.flip(2, 3, 4).permute(5, 6, 7, 1, 2, 3, 4, 0)
        return matrix.reshape(self.size**3 * self.in_channels, self.size**3 * self.out_channels)

    def forward(self, patches: Tensor) -> Tensor:
        """[n, s^3 C] to [n, s^3 C'], positions before channels."""
        bias = self.bias.repeat(self.size**3) if self.bias is not None else None
        return F.linear(patches, self.matrix().T, bias)


class PatchEncoder(ExecutableModule):
    """Patches [n, s, s, s, C] to local latent vectors [n, s^3]."""

    def __init__(self, channels: int, size: int, activation: Activation) -> None:
        super().__init__()
        hidden = max(channels // 2, 1)
        self.layers = nn.Sequential(
            PatchConvolution(channels, hidden, size),
            activation(),
            PatchConvolution(hidden, 1, size),
            activation(),
        )

    def forward(self, patches: Tensor) -> Tensor:
        return self.execution.run(self.layers, patches.flatten(1)).to(patches.dtype)
