"""Learned and fixed activations of the function-space models."""

from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

LEAKY_RELU_NUMERATOR = (3.35583603e-02, 5.05000375e-01, 1.65343934, 2.01001052, 9.31901999e-01, 1.52424124e-01)
LEAKY_RELU_DENOMINATOR = (3.30847488e-06, 3.98021568, 5.12471206e-07, 3.01830109e-01)

CPU_BLOCK = 2**16
"""Elements worked on together on the CPU, so that the dozen intermediates of a block stay in the core's cache."""


def _blocks(*tensors: Tensor) -> list[tuple[Tensor, ...]]:
    flat = [tensor.reshape(-1) for tensor in tensors]
    size = CPU_BLOCK if flat[0].device.type == "cpu" else max(1, flat[0].numel())
    return list(zip(*(tensor.split(size) for tensor in flat), strict=True))


def _horner(x: Tensor, coefficients: Tensor) -> Tensor:
    """c_0 + c_1 x + c_2 x^2 + ... for coefficients [degree + 1]."""
    *rest, last = coefficients.unbind()
    value = last.expand_as(x)
    for coefficient in reversed(rest):
        value = torch.addcmul(coefficient, value, x)
    return value


class _SafePade(torch.autograd.Function):
    """P(x) / Q(x), derivatives by hand: autograd of the formula is several times slower and keeps every power."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, numerator: Tensor, denominator: Tensor) -> Tensor:
        ctx.save_for_backward(x, numerator, denominator)
        q = torch.cat([torch.ones_like(denominator[:1]), denominator.abs()])
        out = torch.empty_like(x, memory_format=torch.contiguous_format)
        for part, result in _blocks(x, out):
            torch.div(_horner(part, numerator), _horner(part.abs(), q), out=result)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x, numerator, denominator = ctx.saved_tensors
        b = denominator.abs()
        q = torch.cat([torch.ones_like(b[:1]), b])
        p_slope = numerator[1:] * torch.arange(1, len(numerator), device=x.device)
        q_slope = b * torch.arange(1, len(q), device=x.device)
        grad_x = torch.empty_like(x, memory_format=torch.contiguous_format)
        grad_numerator, grad_b = torch.zeros_like(numerator), torch.zeros_like(b)
        for part, upstream, result in _blocks(x, grad, grad_x):
            size = part.abs()
            over_q = upstream / _horner(size, q)
            # d/dx (P/Q) = (P' - (P/Q) Q') / Q, where Q' carries the sign of x.
            value_over_q = over_q * _horner(part, numerator) / _horner(size, q)
            torch.mul(over_q, _horner(part, p_slope), out=result)
            result.addcmul_(value_over_q * part.sign(), _horner(size, q_slope), value=-1)
            power = torch.ones_like(part)
            for i in range(len(numerator)):
                grad_numerator[i] += torch.dot(power, over_q)
                power = power * part
                if i < len(b):
                    grad_b[i] -= torch.dot(power if i % 2 else power.abs(), value_over_q)
        return grad_x, grad_numerator, grad_b * denominator.sign()


class PadeActivationUnit(nn.Module):
    """Safe Padé activation unit, PAU(x) = P(x) / Q(x), one learned pair of polynomials a layer (Molina 2020; Sec. 4.1).

    P(x) = sum_{i=0..5} a_i x^i and Q(x) = 1 + sum_{j=1..4} |b_j| |x|^j. It starts close to leaky ReLU. Takes and gives
    any shape.
    """

    def __init__(self) -> None:
        super().__init__()
        self.numerator = nn.Parameter(torch.tensor(LEAKY_RELU_NUMERATOR))
        self.denominator = nn.Parameter(torch.tensor(LEAKY_RELU_DENOMINATOR))

    def forward(self, x: Tensor) -> Tensor:
        return _SafePade.apply(x, self.numerator, self.denominator)


ActivationName = Literal["pau", "relu", "leaky_relu", "gelu", "silu"]

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "pau": PadeActivationUnit,
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
}
