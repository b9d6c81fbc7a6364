"""Forms in which locations are fed to the decoder: in voxels, scaled, or with Fourier features.

The paper feeds locations p (Equation 1) and does not say in which units. The released weights require voxel
coordinates. The released code has two more forms, which here are ablations: coordinates that are scaled to [-1, 1] over
the volume, and with these the cosine and sine of 2 pi p B, next to p, for a fixed random matrix B (Tancik et al. 2020).
"""

import math
from typing import Literal

import torch
from torch import Tensor

LocationForm = Literal["voxel", "scaled", "fourier"]

FREQUENCIES = 16
"""Number of columns of B: each has a cosine and a sine."""

DEVIATION = 4.0
"""Standard deviation of the normally distributed entries of B."""


def location_size(form: LocationForm) -> int:
    """Return the number of coordinates of a location in a form: 3, or 35 with Fourier features."""
    return 3 + 2 * FREQUENCIES if form == "fourier" else 3


def scale_locations(locations: Tensor, shape: tuple[int, int, int]) -> Tensor:
    """Return voxel coordinates [..., 3] scaled to [-1, 1] from the first to the last voxel of each axis."""
    last = torch.tensor(shape, device=locations.device) - 1
    return 2 * locations / last.clamp(min=1) - 1


def scaling(shape: tuple[int, int, int], like: Tensor) -> tuple[Tensor, Tensor]:
    """Return the factors [3] and the summands [3] of `scale_locations`, on the device and in the dtype of `like`."""
    scale = torch.tensor([2 / max(size - 1, 1) for size in shape], dtype=like.dtype, device=like.device)
    return scale, torch.full_like(scale, -1)


def draw_frequencies() -> Tensor:
    """Draw B, [3, 16] on the CPU, from a generator of its own with the seed of torch's global one.

    Like the weights, B thus depends on the seed of a run, and no draw of a weight depends on it. It is a buffer of the
    network and saved with the weights.
    """
    generator = torch.Generator().manual_seed(torch.initial_seed())
    return DEVIATION * torch.randn(3, FREQUENCIES, generator=generator, device="cpu")


def fourier_features(locations: Tensor, frequencies: Tensor) -> Tensor:
    """Return p, cos(2 pi p B) and sin(2 pi p B), [..., 3 + 2 k], for scaled locations p [..., 3] and B [3, k]."""
    phases = locations @ (2 * math.pi * frequencies)
    return torch.cat([locations, phases.cos(), phases.sin()], -1)
