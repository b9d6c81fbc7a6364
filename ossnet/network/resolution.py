"""Sizes of the occupancy networks for volumes of any resolution; it is imported without torch."""

LAST_CHANNELS = 128
LOWEST_EDGE = 8
"""On both of the paper's data sets the encoder ends with so many channels and a lowest grid of about this edge."""


def encoder_channels(shape: tuple[int, int, int]) -> tuple[int, ...]:
    """Return encoder filters for a volume of any resolution, by what the paper does for 256 and 512 voxels a side.

    Each doubling of the resolution takes one block more, whose filters are half of the next one's.
    """
    blocks = 1
    while max(shape) // 2 ** (blocks + 2) >= LOWEST_EDGE:
        blocks += 1
    return tuple(LAST_CHANNELS // 2**below for below in reversed(range(blocks)))
