"""Running out of memory, whichever memory it was."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether Python or torch ran out of memory, on a GPU or on the CPU (where torch has no exception of its own)."""
    # Torch's exception is told by its name, since commands that only read records do without importing torch.
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or "DefaultCPUAllocator" in str(error)
    )
