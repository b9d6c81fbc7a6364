"""Recognising that memory ran out, on a GPU or on the CPU."""

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
"""Parts of the messages of out-of-memory errors for which torch has no exception class."""

AMBIGUOUS_MESSAGES = (
    "unable to find an engine to execute this computation",
    "CUBLAS_STATUS_",
    "CUDNN_STATUS_",
)
"""Parts of messages that a full GPU can cause, when a library has no room for its handle, but other faults as well."""

FULL_BYTES = 256 * 2**20
"""Free memory below which a GPU counts as full: a library cannot allocate what it needs to start."""


def is_out_of_memory(error: BaseException, refused_before: int = 0) -> bool:
    """Return whether Python, torch or a library that torch uses ran out of memory, on a GPU or on the CPU.

    Errors with `AMBIGUOUS_MESSAGES` are decided by the state of the GPU, so call this while the failed work still holds
    its memory.

    Args:
        error: the exception of the failed work.
        refused_before: number of `refused_allocations` before the work began.
    """
    message = str(error)
    # Torch's exception is recognised by its name, since commands that only read records do not import torch.
    certain = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
    if certain or any(part in message for part in MESSAGES):
        return True
    ambiguous = any(part in message for part in AMBIGUOUS_MESSAGES)
    return ambiguous and (refused_allocations() > refused_before or _is_gpu_full())


def refused_allocations() -> int:
    """Return how often torch was refused GPU memory in this process; 0 where torch does not count it.

    The caller, such as cuDNN, may have continued with less memory.
    """
    import torch

    refused = 0
    # After an error that leaves the GPU unusable for this process, every later call to it raises that error again.
    with suppress(RuntimeError):
        refused = torch.cuda.memory_stats().get("num_ooms", 0)
    return refused


def _is_gpu_full() -> bool:
    import torch

    full = False
    # As above. `mem_get_info` would initialise a GPU that has not been used.
    with suppress(RuntimeError):
        full = torch.cuda.is_initialized() and torch.cuda.mem_get_info()[0] < FULL_BYTES
    return full
