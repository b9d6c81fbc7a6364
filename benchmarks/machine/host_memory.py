"""Memory of the machine beside its GPUs."""

import psutil


def available_memory() -> int:
    """Return how many bytes processes can take before others are swapped out."""
    return int(psutil.virtual_memory().available)
