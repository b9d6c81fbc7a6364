"""The two ways to run a network or a layer: as at inference, and as in training."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

Pass = Callable[[nn.Module, Callable[[], Tensor], Sequence[Tensor]], Callable[[], object]]
"""From a module, a call of it and the inputs that take gradients, one pass that can be timed."""


def forward(module: nn.Module, call: Callable[[], Tensor], inputs: Sequence[Tensor]) -> Callable[[], Tensor]:
    """The call in evaluation mode without gradients."""
    module.eval()
    return torch.no_grad()(call)


def forward_and_backward(
    module: nn.Module, call: Callable[[], Tensor], inputs: Sequence[Tensor]
) -> Callable[[], tuple[Tensor, ...]]:
    """The call in training mode, and the gradients of all parameters and inputs."""
    module.train()
    leaves = [*module.parameters(), *inputs]
    upstream = torch.ones_like(call())
    return lambda: torch.autograd.grad(call(), leaves, upstream)


PASSES: dict[str, Pass] = {"forward": forward, "forward and backward": forward_and_backward}
