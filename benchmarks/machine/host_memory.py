"""Memory of the machine that is not on a GPU."""

import psutil


def available_memory() -> int:
    """Return how many bytes processes can take before others are swapped out."""
    return int(psutil.virtual_memory().available)
