"""The two ways to run a network or a layer: as in inference, and as in training."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

Pass = Callable[[nn.Module, Callable[[], Tensor], Sequence[Tensor]], Callable[[], object]]
"""Makes a pass that can be timed from a module, a call of it, and the inputs that need gradients."""


def forward(module: nn.Module, call: Callable[[], Tensor], inputs: Sequence[Tensor]) -> Callable[[], Tensor]:
    """Return the call in evaluation mode, without gradients."""
    module.eval()
    return torch.no_grad()(call)


def forward_and_backward(
    module: nn.Module, call: Callable[[], Tensor], inputs: Sequence[Tensor]
) -> Callable[[], tuple[Tensor, ...]]:
    """Return the call in training mode together with the gradients of all parameters and inputs."""
    module.train()
    leaves = [*module.parameters(), *inputs]
    upstream = torch.ones_like(call())
    return lambda: torch.autograd.grad(call(), leaves, upstream)


PASSES: dict[str, Pass] = {"forward": forward, "forward and backward": forward_and_backward}
