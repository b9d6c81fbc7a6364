"""Local observations z of Equation 1: patches of a volume around locations, and their encoder (Sections 3 and 3.1)."""

from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ossnet.network.activation import Activation
from ossnet.network.execution import ExecutableModule
from ossnet.network.valueless import has_no_values

Pooling = Literal["average", "max"]

PLANES = 16
"""Number of planes of a volume that are pooled at a time."""


def validate_locations(locations: Tensor, shape: tuple[int, int, int]) -> Tensor:
    """Return locations [n, 3] in voxels of a volume of `shape`: integers as int64, floating-point ones as they are.

    Raises:
        ValueError: a location is more than one voxel outside the volume.
    """
    if not locations.is_floating_point():
        locations = locations.long()  # Unsigned dtypes cannot be compared with -1.
    if has_no_values(locations):
        return locations  # There is nothing to check.
    if not bool(((locations >= -1) & (locations <= torch.tensor(shape, device=locations.device))).all()):
        raise ValueError(f"locations lie more than one voxel outside the volume {shape}")
    return locations


def _pad(image: Tensor, margin: int) -> Tensor:
    """Return [H, W, D, C] of an image [C, H, W, D], with `margin` zeros before, and `margin + 1` after, each axis."""
    padded = image.new_zeros(*(edge + 2 * margin + 1 for edge in image.shape[1:]), len(image))
    padded[tuple(slice(margin, margin + edge) for edge in image.shape[1:])] = image.permute(1, 2, 3, 0)
    return padded


def _pool_pairs(volume: Tensor, pooling: Pooling) -> Tensor:
    """Pool each voxel of [H, W, D, C] with the next one along each axis: [H - 1, W - 1, D - 1, C], stride 1."""
    # A few planes at a time: the intermediates of the whole volume would take several times the memory of the result.
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
    """Padded copy of a volume from which patches are read, at voxels or in between; zero outside the volume.

    Volume and patches have their channels last, so that a patch is read in a few long runs of memory.

    Args:
        image: normalised image [C, H, W, D] at full resolution.
        size: odd edge s of a patch, in voxels; 7 in the paper (Table 2).
        larger_context: whether to add a patch of twice the edge, from p - s to p + s - 1 around voxel p, pooled by 2 to
            the same size and stacked as C further channels (OSS-Net B and D).
        pooling: pooling of the larger patch. The paper averages; its released code averages in training and takes
            maxima at inference.
    """

    def __init__(self, image: Tensor, size: int, larger_context: bool = False, pooling: Pooling = "average") -> None:
        self.size = size
        height, width, depth = image.shape[1:]
        self.shape = (height, width, depth)
        # One voxel more than a patch reaches, since locations may lie up to one voxel outside.
        self.margin = (size if larger_context else size // 2) + 1
        # Volumes, the step between the voxels of a patch, and how many voxels before its location it begins.
        self.sources = [(_pad(image, self.margin), 1, size // 2)]
        if larger_context:
            self.sources.append((_pool_pairs(self.sources[0][0], pooling), 2, size))

    def __call__(self, locations: Tensor) -> Tensor:
        """Return patches [n, s, s, s, C] around locations [n, 3] in voxels; 2 C channels with the larger context.

        A patch between voxels is interpolated trilinearly (Section 3.3).

        Raises:
            ValueError: a location is more than one voxel outside the volume.
        """
        locations = validate_locations(locations, self.shape)
        if not locations.is_floating_point():
            return torch.cat([self._windows(locations, self.size, *source) for source in self.sources], -1)
        corners = locations.floor()
        shares = (locations - corners).to(self.sources[0][0].dtype)
        return torch.cat([self._between(corners.long(), shares, *source) for source in self.sources], -1)

    def _between(self, corners: Tensor, shares: Tensor, source: Tensor, step: int, reach: int) -> Tensor:
        """Return windows as `_windows` does, at locations that lie `shares` [n, 3] of a voxel after voxels [n, 3]."""
        # One window that holds those of all eight corners, interpolated axis by axis: several times faster.
        patches = self._windows(corners, step * (self.size - 1) + 2, source, 1, reach)
        for axis, share in enumerate(shares.view(-1, 3, 1, 1, 1, 1).unbind(1), start=1):
            before, after = (
                patches[(slice(None),) * axis + (slice(first, patches.shape[axis] - 1 + first, step),)]
                for first in (0, 1)
            )
            patches = torch.lerp(before, after, share)
        return patches

    def _windows(self, voxels: Tensor, size: int, source: Tensor, step: int, reach: int) -> Tensor:
        """Return windows [n, size, size, size, C] of every `step`-th voxel begun `reach` voxels before `voxels`."""
        start = self.margin - 1 - reach  # The first window belongs to voxel -1.
        grid = [edge - start - step * (size - 1) for edge in source.shape[:3]]
        strides = source.stride()
        windows = source.as_strided(
            (*grid, *[size] * 3, source.shape[3]),
            (*strides[:3], *(step * stride for stride in strides[:3]), strides[3]),
            source.storage_offset() + start * sum(strides[:3]),
        )
        i, j, k = (voxels + 1).unbind(-1)
        return windows[i, j, k]


class PatchConvolution(nn.Conv3d):
    """Convolution with a kernel as large as the patch, computed as one matrix product.

    Departure: the released code convolves. On a patch of s^3 positions with zeros around it, a kernel of s^3 is a dense
    matrix [s^3 C, s^3 C']; the product has the same result up to rounding and is several times faster.
    """

    def __init__(self, in_channels: int, out_channels: int, size: int) -> None:
        super().__init__(in_channels, out_channels, size, padding=size // 2)
        self.size = size

    def matrix(self) -> Tensor:
        """Return the convolution's matrix [s^3 C, s^3 C'], positions before channels on both sides."""
        # Along an axis, input i reaches output o through weight i - o + s // 2: a window over the padded kernel.
        windows = F.pad(self.weight, [self.size // 2] * 6)
        for axis in (2, 3, 4):
            windows = windows.unfold(axis, self.size, 1)
        matrix = windows.flip(2, 3, 4).permute(5, 6, 7, 1, 2, 3, 4, 0)
        return matrix.reshape(self.size**3 * self.in_channels, self.size**3 * self.out_channels)

    def forward(self, patches: Tensor) -> Tensor:
        """Return [n, s^3 C'] for patches [n, s^3 C], positions before channels."""
        bias = self.bias.repeat(self.size**3) if self.bias is not None else None
        return F.linear(patches, self.matrix().T, bias)


class PatchEncoder(ExecutableModule):
    """Patch encoder: two 3-D convolutions (Section 3.1), from `channels` to half as many (at least 1) and to 1.

    These numbers and the kernels of s^3 are what the released weights require.
    """

    has_lean: ClassVar[bool] = True

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
        """Return local latent vectors [n, s^3] for patches [n, s, s, s, C]."""
        return self.execution.run(self.layers, patches.flatten(1)).to(patches.dtype)
