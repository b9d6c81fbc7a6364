"""Volumes in closed form, so that benchmarks need no data."""

import numpy as np

Shape = tuple[int, int, int]

SHAPE: Shape = (96, 96, 64)

TRAINED: Shape = (48, 48, 32)
"""Shape of the volume of a training step."""

BALLS = 320
"""Number of small balls of which a share is found."""


def ball(shape: Shape, radius: float, shift: float = 0.0) -> np.ndarray:
    """Return the mask [H, W, D] (bool) of a ball.

    Args:
        shape: shape of the volume.
        radius: radius in voxels.
        shift: distance from the volume's centre along each axis, in voxels.
    """
    centre = (np.array(shape) - 1) / 2 + shift
    squares = [((np.arange(size) - middle) ** 2) for size, middle in zip(shape, centre, strict=True)]
    height, width, depth = np.ix_(*squares)
    return height + width + depth < radius**2
