"""Running out of memory, whichever memory it was."""

MESSAGES = (
    "DefaultCPUAllocator",
    "CUDA out of memory",
    "CUDA error: out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
)
"""Parts of errors for which torch has no exception of their own."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether Python, torch or a library under it ran out of memory, on a GPU or on the CPU."""
    # Torch's exception is told by its name, since commands that only read records do without importing torch.
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or any(message in str(error) for message in MESSAGES)
    )
