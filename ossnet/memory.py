"""Running out of memory, whichever memory it was."""

import torch


def is_out_of_memory(error: BaseException) -> bool:
    """Whether Python or torch ran out of memory, on a GPU or on the CPU (where torch has no exception of its own)."""
    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or "DefaultCPUAllocator" in str(error)
