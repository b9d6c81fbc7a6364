"""Host memory, which is the device's own on a CPU, and the weights that an optimiser works on there.

In predictions of memory the meta device stands for a GPU. What is in host memory is then on the meta device, too, and
`ossnet.memory.accounting` is told what it does not have to count.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """Return a tensor in host memory on a device; there it takes memory, unless the device is the CPU."""
    if tensor.is_meta:
        # By `copy_`, since the account of memory takes any other result of a tensor in host memory to be there, too.
        return torch.empty(tensor.shape, dtype=tensor.dtype, device=device).copy_(tensor)
    return tensor.to(device, non_blocking=True)


def to_host(tensor: Tensor) -> Tensor:
    """Return a tensor on a device in host memory; the tensor itself if it is there."""
    return tensor.clone() if tensor.is_meta else tensor.cpu()


class HostWeights:
    """Copies of a model's weights in host memory, which an optimiser updates there with a state of its own.

    As soon as the gradient of a weight is complete, within the backward pass, it goes to the host, and its memory on
    the device is free. On a CPU the copies are the weights themselves.

    Args:
        model: model on its device; from now on its gradients are those of the copies.

    Attributes:
        fetch: function that returns a gradient in host memory.
    """

    def __init__(self, model: nn.Module) -> None:
        self.fetch: Callable[[Tensor], Tensor] = to_host
        self._copies: dict[Tensor, Tensor] = {
            weight: to_host(weight.detach()).requires_grad_() for weight in model.parameters()
        }
        for weight in self._copies:
            weight.register_post_accumulate_grad_hook(self._take_gradient)

    def of(self, weights: Sequence[nn.Parameter]) -> list[Tensor]:
        """Return the copies of some weights."""
        return [self._copies[weight] for weight in weights]

    @torch.no_grad()
    def read(self) -> None:
        """Copy the weights on the device to the host."""
        for weight, copy in self._copies.items():
            copy.copy_(weight)

    @torch.no_grad()
    def write(self) -> None:
        """Copy the weights in host memory to the device."""
        for weight, copy in self._copies.items():
            weight.copy_(copy)

    def _take_gradient(self, weight: Tensor) -> None:
        copy = self._copies[weight]
        assert weight.grad is not None
        gradient = self.fetch(weight.grad)
        copy.grad = gradient if copy.grad is None else copy.grad + gradient
        weight.grad = None
