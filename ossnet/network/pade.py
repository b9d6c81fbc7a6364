"""Padé activation of tensors on a CPU by compiled loops, the fast path of `ossnet.network.activation`.

Its reference is the same computation by tensor operations there. Results depend neither on the number of threads nor on
how elements lie in memory, except for the order of sums.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from ossnet.network.valueless import has_no_values

PART = 2**16
"""Number of elements whose derivatives are summed by themselves, whatever the number of threads."""

PARTS_PER_THREAD = 4
"""Least number of parts that are worth a thread."""

DTYPES = (torch.float32, torch.float64)
"""Dtypes of elements and coefficients that there are loops for."""


def is_compiled_for(x: Tensor, coefficients: Tensor) -> bool:
    """Return whether there are compiled loops for a tensor and coefficients, and no graph is made by tracing them."""
    tracing = torch.compiler.is_compiling() or torch.jit.is_tracing()
    return x.device.type == "cpu" and x.dtype == coefficients.dtype and x.dtype in DTYPES and not tracing


class CompiledPade(torch.autograd.Function):
    """P(x) / Q(x) and its derivatives, in a single pass over memory each."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, numerator: Tensor, denominator: Tensor) -> Tensor:
        """Return PAU(x) for coefficients a_0, a_1, ... and b_1, b_2, ..."""
        ctx.save_for_backward(x, numerator, denominator)
        out = torch.empty_like(x)
        if not has_no_values(x):
            from ossnet.network import pade_kernels

            a, b = _array(numerator), _array(denominator)
            values, result = _in_memory_order(x, out), _in_memory_order(out, out)
            _in_parts(lambda part: pade_kernels.evaluate(values[part], a, b, result[part]), len(values), PART)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the gradients of x and of both kinds of coefficients, for that of PAU(x)."""
        x, numerator, denominator = ctx.saved_tensors
        grad_x = torch.empty_like(x)
        sums = np.zeros((-(-x.numel() // PART), len(numerator) + len(denominator)))
        if not has_no_values(x):
            from ossnet.network import pade_kernels

            a, b = _array(numerator), _array(denominator)
            values, upstream, result = (_in_memory_order(tensor, grad_x) for tensor in (x, grad, grad_x))

            def differentiate(elements: slice) -> None:
                for start in range(elements.start, elements.stop, PART):
                    part = slice(start, min(start + PART, elements.stop))
                    total = sums[start // PART]
                    pade_kernels.differentiate(values[part], upstream[part], a, b, result[part], total)

            _in_parts(differentiate, len(values), PART)
        gradients = torch.from_numpy(sums.sum(0)).to(numerator.dtype)
        grad_numerator, grad_size = gradients.split([len(numerator), len(denominator)])
        return grad_x, grad_numerator, grad_size.mul_(denominator.sign())


def evaluate_in_place(x: Tensor, bias: Tensor, numerator: Tensor, denominator: Tensor) -> None:
    """Replace a contiguous matrix x [rows, n] by P / Q at x + bias, for a bias [rows, 1]; nothing is recorded."""
    if has_no_values(x):
        return
    from ossnet.network import pade_kernels

    a, b, values, shifts = map(_array, (numerator, denominator, x, bias))
    rows = max(1, PART // max(1, x.shape[1]))
    _in_parts(lambda part: pade_kernels.evaluate_rows(values[part], shifts[part], a, b), len(values), rows)


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.detach().numpy()


def _in_memory_order(x: Tensor, layout: Tensor) -> np.ndarray:
    """Return the elements of x, in the order in which those of `layout`, which has no gaps, lie in memory."""
    if x.stride() != layout.stride():
        x = torch.empty_like(layout).copy_(x)
    return _array(x.as_strided((x.numel(),), (1,)))


def _in_parts(work: Callable[[slice], None], count: int, part: int) -> None:
    """Do the work on `count` elements or rows, in torch's number of threads, each with a multiple of a `part`."""
    parts = -(-count // part)
    threads = min(torch.get_num_threads(), parts // PARTS_PER_THREAD)
    if threads < 2:
        work(slice(0, count))
        return
    size = part * -(-parts // threads)
    slices = [slice(start, min(start + size, count)) for start in range(0, count, size)]
    others = [_pool(os.getpid(), threads - 1).submit(work, each) for each in slices[1:]]
    work(slices[0])
    for other in others:
        other.result()


@cache
def _pool(process: int, threads: int) -> ThreadPoolExecutor:
    """Return the pool of a process: after a fork the threads of the parent are gone."""
    return ThreadPoolExecutor(threads, "pade")
