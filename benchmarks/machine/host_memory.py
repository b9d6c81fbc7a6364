"""Memory of the machine that is not on a GPU."""


def available_memory() -> int:
    """Return how many bytes processes can take before others are swapped out."""
    # A machine that only measures on its GPU need not have psutil.
    import psutil

    return int(psutil.virtual_memory().available)
