"""Sizes of the occupancy networks for volumes of any resolution; importable without torch."""

LAST_CHANNELS = 128
LOWEST_EDGE = 8
"""Channels that both of the paper's encoders end with, and about the longest edge, in voxels, of their last grid."""


def encoder_channels(shape: tuple[int, int, int]) -> tuple[int, ...]:
    """Return the encoder's channels for volumes of any resolution, as the paper has them for 256 and 512 voxels a side.

    Each doubling of the resolution takes one block more, with half as many channels as the next one.
    """
    blocks = 1
    while max(shape) // 2 ** (blocks + 2) >= LOWEST_EDGE:
        blocks += 1
    return tuple(LAST_CHANNELS // 2**below for below in reversed(range(blocks)))
