"""Host memory, which is the device's own on a CPU.

In predictions of memory the meta device stands for a GPU. What is in host memory is then on the meta device, too, and
`ossnet.memory.accounting` is told what it does not have to count.
"""

import torch
from torch import Tensor


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """Return a tensor in host memory on a device; there it takes memory, unless the device is the CPU."""
    return tensor.clone() if tensor.is_meta else tensor.to(device, non_blocking=True)


def to_host(tensor: Tensor) -> Tensor:
    """Return a tensor on a device in host memory; the tensor itself if it is there."""
    return tensor.clone() if tensor.is_meta else tensor.cpu()
