"""Running out of memory, whichever memory it was."""

MESSAGES = (
    "DefaultCPUAllocator",
    "CUDA out of memory",
    "CUDA error: out of memory",
    "CUDA driver error: out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED",
)
"""Parts of errors for which torch has no exception of their own."""

AMBIGUOUS_MESSAGES = (
    "unable to find an engine to execute this computation",
    "CUBLAS_STATUS_NOT_INITIALIZED",
)
"""Parts of errors that come of a full GPU, and of other things too."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether Python, torch or a library under it ran out of memory, on a GPU or on the CPU."""
    # Torch's exception is told by its name, since commands that only read records do without importing torch.
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or any(message in str(error) for message in MESSAGES)
    )


def may_be_out_of_memory(error: BaseException) -> bool:
    """Whether it takes a look at the GPU to tell if an error is of its memory."""
    return any(message in str(error) for message in AMBIGUOUS_MESSAGES)
