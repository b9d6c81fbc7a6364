"""Running out of memory, whichever memory it was."""

from contextlib import suppress

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
    "CUBLAS_STATUS_",
    "CUDNN_STATUS_",
)
"""Parts of errors that come of a full GPU, where a library finds no room for its handle, and of other things too."""

FULL_BYTES = 256 * 2**20
"""A GPU with less free memory is full: it has no room for what a library takes when it starts."""


def is_out_of_memory(error: BaseException, refused_before: int = 0) -> bool:
    """Whether Python, torch or a library under it ran out of memory, on a GPU or on the CPU.

    An error that may come of a full GPU is told by a look at the GPU; ask while what failed still holds its memory.

    Args:
        refused_before: `refused_allocations` before what failed began.
    """
    message = str(error)
    # Torch's exception is told by its name, since commands that only read records do without importing torch.
    certain = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
    if certain or any(part in message for part in MESSAGES):
        return True
    ambiguous = any(part in message for part in AMBIGUOUS_MESSAGES)
    return ambiguous and (refused_allocations() > refused_before or _is_gpu_full())


def refused_allocations() -> int:
    """How often torch was refused memory of its GPU in this process; 0 where it does not tell.

    The caller, such as cuDNN, may have done with less.
    """
    import torch

    refused = 0
    # An error that broke the process's use of the GPU is raised again by whatever asks the GPU next.
    with suppress(RuntimeError):
        refused = torch.cuda.memory_stats().get("num_ooms", 0)
    return refused


def _is_gpu_full() -> bool:
    import torch

    full = False
    # As above. Where no GPU was used, to ask would be to start one.
    with suppress(RuntimeError):
        full = torch.cuda.is_initialized() and torch.cuda.mem_get_info()[0] < FULL_BYTES
    return full
