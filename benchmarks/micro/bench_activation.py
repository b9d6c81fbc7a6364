"""The learned activation compared with the same formula differentiated by autograd, and with ReLU."""

import pytest
import torch
from torch import Tensor, nn

from benchmarks.micro.measure import Measure
from benchmarks.micro.passes import PASSES
from ossnet.network.activation import PadeActivationUnit

SHAPE = (1, 16, 64, 64, 16)
"""A feature map of 2^20 elements."""


class PadeByAutograd(PadeActivationUnit):
    """The Padé activation unit written as its formula P(x) / Q(x), which autograd differentiates."""

    def forward(self, x: Tensor) -> Tensor:
        """Return P(x) / Q(x)."""
        numerator = sum(a * x**i for i, a in enumerate(self.numerator))
        denominator = 1 + sum(b.abs() * x.abs() ** j for j, b in enumerate(self.denominator, start=1))
        return numerator / denominator


ACTIVATIONS: dict[str, type[nn.Module]] = {
    "pau": PadeActivationUnit,
    "pau by autograd": PadeByAutograd,
    "relu": nn.ReLU,
}


@pytest.mark.parametrize("direction", PASSES)
@pytest.mark.parametrize("name", ACTIVATIONS)
def bench_activation(
    measure: Measure, device: torch.device, generator: torch.Generator, name: str, direction: str
) -> None:
    """Time a pass of an activation."""
    activation = ACTIVATIONS[name]().to(device)
    x = torch.randn(SHAPE, generator=generator, device=device, requires_grad=True)
    work = PASSES[direction](activation, lambda: activation(x), [x])
    measure(f"activation, {direction}", SHAPE, "elements", x.numel(), work)
