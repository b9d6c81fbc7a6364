"""Loops over the elements of a Padé activation P(x) / Q(|x|) and its derivatives, compiled for the CPU.

Compiled, because the arithmetic of an element is a hundred operations in registers, whereas tensor operations read and
write memory for each of them: a single pass takes the place of about fifty, and an eighth of the time.

Coefficients are p = (a_0, ..., a_5) and q = (1, |b_1|, ..., |b_4|), and those of the polynomials' derivatives, p_slope
(5 of them) and q_slope (4). Arrays and coefficients are of one dtype. Results are the same from call to call. The
compiler may fuse and reorder sums and products, but not assume that there is no NaN and no infinity.
"""

from collections.abc import Callable
from typing import Any

import numba

RUN = 4096
"""Number of elements whose derivatives are summed in the dtype of the arrays, before sums are added in float64."""


def _compiled(function: Callable[..., Any]) -> Any:
    """Compile a function when it is first called; the result is kept on disk where a folder for it can be written."""
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": {"contract", "reassoc", "nsz"}}
    try:
        return numba.njit(cache=True, **options)(function)
    except RuntimeError:  # There is no such folder.
        return numba.njit(**options)(function)


@_compiled
def _polynomial5(x, c):  # type: ignore[no-untyped-def]
    return ((((c[5] * x + c[4]) * x + c[3]) * x + c[2]) * x + c[1]) * x + c[0]


@_compiled
def _polynomial4(x, c):  # type: ignore[no-untyped-def]
    return (((c[4] * x + c[3]) * x + c[2]) * x + c[1]) * x + c[0]


@_compiled
def _polynomial3(x, c):  # type: ignore[no-untyped-def]
    return ((c[3] * x + c[2]) * x + c[1]) * x + c[0]


@_compiled
def evaluate(x, p, q, out):  # type: ignore[no-untyped-def]
    """Write P(x) / Q(|x|) to `out`, for x [n]."""
    # As tuples the coefficients stay in registers.
    p, q = (p[0], p[1], p[2], p[3], p[4], p[5]), (q[0], q[1], q[2], q[3], q[4])
    for i in range(x.size):
        out[i] = _polynomial5(x[i], p) / _polynomial4(abs(x[i]), q)


@_compiled
def evaluate_rows(x, bias, p, q):  # type: ignore[no-untyped-def]
    """Replace x [m, n] by P / Q at x + bias, for a bias [m, 1]."""
    p, q = (p[0], p[1], p[2], p[3], p[4], p[5]), (q[0], q[1], q[2], q[3], q[4])
    for row in range(x.shape[0]):
        values, shift = x[row], bias[row, 0]
        for i in range(values.size):
            value = values[i] + shift
            values[i] = _polynomial5(value, p) / _polynomial4(abs(value), q)


@_compiled
def differentiate(x, upstream, p, q, p_slope, q_slope, grad_x, sums):  # type: ignore[no-untyped-def]
    """Write the gradient of x [n], and add those of the coefficients to `sums` [10] in float64.

    With y = P / Q and u = upstream / Q they are

    - u (P' - y Q' sign(x)) for x, where P' and Q' are the polynomials' derivatives;
    - the sums of u x^i for a_i and of -u y |x|^j for |b_j|.
    """
    p, q = (p[0], p[1], p[2], p[3], p[4], p[5]), (q[0], q[1], q[2], q[3], q[4])
    p_slope = (p_slope[0], p_slope[1], p_slope[2], p_slope[3], p_slope[4])
    q_slope = (q_slope[0], q_slope[1], q_slope[2], q_slope[3])
    one, zero = q[0], q[0] - q[0]  # In the dtype of the arrays, which literals would widen.
    for start in range(0, x.size, RUN):
        a0 = a1 = a2 = a3 = a4 = a5 = b1 = b2 = b3 = b4 = zero
        for i in range(start, min(start + RUN, x.size)):
            value = x[i]
            size = abs(value)
            sign = one if value > 0 else (-one if value < 0 else zero)
            over_q = one / _polynomial4(size, q)
            y = _polynomial5(value, p) * over_q
            u = upstream[i] * over_q
            grad_x[i] = u * (_polynomial4(value, p_slope) - y * _polynomial3(size, q_slope) * sign)
            term = u
            a0 += term
            term *= value
            a1 += term
            term *= value
            a2 += term
            term *= value
            a3 += term
            term *= value
            a4 += term
            a5 += term * value
            term = u * y * size
            b1 -= term
            term *= size
            b2 -= term
            term *= size
            b3 -= term
            b4 -= term * size
        sums[0] += a0
        sums[1] += a1
        sums[2] += a2
        sums[3] += a3
        sums[4] += a4
        sums[5] += a5
        sums[6] += b1
        sums[7] += b2
        sums[8] += b3
        sums[9] += b4
