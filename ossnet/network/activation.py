"""Learned and fixed activations of the function-space models."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from ossnet.network.pade import CompiledPade, evaluate_in_place, is_compiled_for
from ossnet.network.valueless import representative

Activation = Callable[[], nn.Module]
"""Function that makes an activation: each layer has its own, whose coefficients may be learned."""

LEAKY_RELU_NUMERATOR = (3.35583603e-02, 5.05000375e-01, 1.65343934, 2.01001052, 9.31901999e-01, 1.52424124e-01)
LEAKY_RELU_DENOMINATOR = (3.30847488e-06, 3.98021568, 5.12471206e-07, 3.01830109e-01)
"""Initial coefficients a_0 to a_5 and b_1 to b_4 of a Padé activation unit, which approximate leaky ReLU."""

CPU_BLOCK = 2**16
"""Number of elements per block on a CPU: the intermediates of a block stay in the core's cache."""

GPU_BLOCK = 2**19
"""Number of elements per block on any other device: it bounds the memory of the intermediates."""


def _block_size(x: Tensor) -> int:
    return CPU_BLOCK if x.device.type == "cpu" else GPU_BLOCK


def _blocks(*tensors: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Split flat tensors of equal length into blocks."""
    size = _block_size(tensors[0])
    return zip(*(representative(tensor.split(size), tensor) for tensor in tensors), strict=True)


def _polynomial(x: Tensor, coefficients: Sequence[Tensor], out: Tensor) -> Tensor:
    """Write c_0 + c_1 x + c_2 x^2 + ... to `out`, by Horner's rule, for at least two coefficients c."""
    *rest, before_last, last = coefficients
    torch.mul(x, last, out=out).add_(before_last)
    for coefficient in reversed(rest):
        torch.addcmul(coefficient, out, x, out=out)
    return out


def _denominator(coefficients: Tensor) -> Tensor:
    """Return the coefficients 1, |b_1|, |b_2|, ... of Q for b_1, b_2, ..."""
    return torch.cat([torch.ones_like(coefficients[:1]), coefficients.abs()])


class SafePade(torch.autograd.Function):
    """P(x) / Q(x) with derivatives by hand, block by block, for tensors of any device and dtype.

    It is the reference for `ossnet.network.pade.CompiledPade`. Autograd of the formula is several times slower and
    keeps every power of x. Computation is in the dtype of the coefficients, so that for x in bfloat16 only the result
    is rounded.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, numerator: Tensor, denominator: Tensor) -> Tensor:
        """Return PAU(x) for coefficients a_0, a_1, ... and b_1, b_2, ..."""
        p, q = numerator.unbind(), _denominator(denominator).unbind()
        flat = x.reshape(-1)
        result = torch.empty_like(flat)
        size, divisor = numerator.new_empty(2, min(_block_size(flat), len(flat)))
        for part, rounded in _blocks(flat, result):
            n = len(part)
            # No copies where the dtypes are equal.
            part, value = part.to(size.dtype), rounded.to(size.dtype)
            torch.abs(part, out=size[:n])
            _polynomial(part, p, value).div_(_polynomial(size[:n], q, divisor[:n]))
            rounded.copy_(value)
        # Keeping the output for the backward pass mostly takes no memory: the layer that follows keeps it, too.
        out = result.view(x.shape)
        ctx.save_for_backward(x, out, numerator, denominator)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the gradients of x and of both kinds of coefficients, for that of PAU(x)."""
        x, out, numerator, denominator = ctx.saved_tensors
        b = denominator.abs()
        q = _denominator(denominator)
        p_slope = numerator[1:] * torch.arange(1, len(numerator), device=x.device)
        q_slope = b * torch.arange(1, len(q), device=x.device)
        flat, values, upstream = x.reshape(-1), out.reshape(-1), grad.reshape(-1)
        grad_x = torch.empty_like(flat)
        grad_numerator, grad_b = torch.zeros_like(numerator), torch.zeros_like(b)
        workspace = numerator.new_empty(5, min(_block_size(flat), len(flat)))
        for parts in _blocks(flat, values, upstream, grad_x):
            part, y, g, result = (t.to(workspace.dtype) for t in parts)
            size, over_q, y_over_q, power, scratch = workspace[:, : len(part)]
            torch.abs(part, out=size)
            torch.div(g, _polynomial(size, q.unbind(), over_q), out=over_q)
            torch.mul(over_q, y, out=y_over_q)
            # d/dx (P/Q) = (P' - (P/Q) Q') / Q, where Q' carries the sign of x.
            _polynomial(part, p_slope.unbind(), result).mul_(over_q)
            _polynomial(size, q_slope.unbind(), scratch).mul_(torch.sign(part, out=power))
            result.addcmul_(y_over_q, scratch, value=-1)
            parts[-1].copy_(result)
            # d/da_i = x^i / Q and d/d|b_j| = -(P/Q) |x|^j / Q, each summed.
            power.fill_(1)
            for i in range(len(numerator)):
                grad_numerator[i] += torch.dot(power, over_q)
                power.mul_(part)
                if i < len(b):
                    grad_b[i] -= torch.dot(power if i % 2 else torch.abs(power, out=scratch), y_over_q)
        return grad_x.view(x.shape), grad_numerator, grad_b * denominator.sign()


class PadeActivationUnit(nn.Module):
    """Safe Padé activation unit: PAU(x) = P(x) / Q(x) with learned polynomials (Molina et al. 2020; Section 4.1).

    P(x) = sum_{i=0..5} a_i x^i and Q(x) = 1 + sum_{j=1..4} |b_j| |x|^j. Each layer learns its own coefficients a and b,
    which start close to leaky ReLU.
    """

    def __init__(self) -> None:
        super().__init__()
        self.numerator = nn.Parameter(torch.tensor(LEAKY_RELU_NUMERATOR))
        self.denominator = nn.Parameter(torch.tensor(LEAKY_RELU_DENOMINATOR))

    def forward(self, x: Tensor) -> Tensor:
        """Return PAU(x) for x of any shape."""
        function = CompiledPade if is_compiled_for(x, self.numerator) else SafePade
        return function.apply(x, self.numerator, self.denominator)


def activate_in_place(activation: nn.Module, x: Tensor, bias: Tensor) -> None:
    """Replace x by `activation(x + bias)` in blocks of rows; nothing is kept for a backward pass.

    The values are those of the activation as a module; what this takes is the intermediates of a block.

    Args:
        activation: one of `ACTIVATIONS`.
        x: contiguous matrix [rows, n].
        bias: what is added to each row first, [rows, 1].
    """
    if isinstance(activation, PadeActivationUnit) and is_compiled_for(x, activation.numerator):
        evaluate_in_place(x, bias, activation.numerator, activation.denominator)
        return
    rows = min(len(x), max(1, _block_size(x) // max(1, x.shape[1])))
    blocks = representative(list(zip(x.split(rows), bias.split(rows), strict=True)), x)
    if not isinstance(activation, PadeActivationUnit):
        for part, shift in blocks:
            part.copy_(activation(part.add_(shift)))
        return
    p, q = activation.numerator.unbind(), _denominator(activation.denominator).unbind()
    workspace = x.new_empty(2, rows, x.shape[1])
    for part, shift in blocks:
        value, divisor = workspace[:, : len(part)]
        _polynomial(part.add_(shift), p, value)
        torch.div(value, _polynomial(part.abs_(), q, divisor), out=part)


ActivationName = Literal["pau", "relu", "leaky_relu", "gelu", "silu"]

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "pau": PadeActivationUnit,
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
}


def by_learning_rate(model: nn.Module) -> dict[str, list[nn.Parameter]]:
    """Return the coefficients of a model's Padé units as `activation`, all its other parameters as `weights`."""
    learned = {
        id(p) for module in model.modules() if isinstance(module, PadeActivationUnit) for p in module.parameters()
    }
    groups: dict[str, list[nn.Parameter]] = {"weights": [], "activation": []}
    for parameter in model.parameters():
        groups["activation" if id(parameter) in learned else "weights"].append(parameter)
    return groups
