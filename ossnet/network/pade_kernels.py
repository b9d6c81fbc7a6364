"""Loops over the elements of a Padé activation P(x) / Q(|x|) and its derivatives, compiled for the CPU.

Compiled, because the arithmetic of an element is a hundred operations in registers, whereas tensor operations read and
write memory for each of them: a single pass takes the place of about fifty, and an eighth of the time.

Arrays and the coefficients a = (a_0, ..., a_5) and b = (b_1, ..., b_4) are of one dtype, in which Python's numbers are
wrapped, since they would widen it. The compiler may fuse and reorder sums and products, but must not assume that there
is no NaN and no infinity.
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
def _numerator(x, a):  # type: ignore[no-untyped-def]
    return ((((a[5] * x + a[4]) * x + a[3]) * x + a[2]) * x + a[1]) * x + a[0]


@_compiled
def _denominator(size, b):  # type: ignore[no-untyped-def]
    return (((b[3] * size + b[2]) * size + b[1]) * size + b[0]) * size + type(size)(1)


@_compiled
def _coefficients(a, b):  # type: ignore[no-untyped-def]
    """Return a and |b| as tuples, which stay in registers."""
    return (a[0], a[1], a[2], a[3], a[4], a[5]), (abs(b[0]), abs(b[1]), abs(b[2]), abs(b[3]))


@_compiled
def evaluate(x, a, b, out):  # type: ignore[no-untyped-def]
    """Write P / Q at x [n] to `out`."""
    a, b = _coefficients(a, b)
    for i in range(x.size):
        out[i] = _numerator(x[i], a) / _denominator(abs(x[i]), b)


@_compiled
def evaluate_rows(x, bias, a, b):  # type: ignore[no-untyped-def]
    """Replace x [m, n] by P / Q at x + bias, for a bias [m, 1]."""
    a, b = _coefficients(a, b)
    for row in range(x.shape[0]):
        values, shift = x[row], bias[row, 0]
        for i in range(values.size):
            value = values[i] + shift
            values[i] = _numerator(value, a) / _denominator(abs(value), b)


@_compiled
def differentiate(x, upstream, a, b, grad_x, sums):  # type: ignore[no-untyped-def]
    """Write the gradient of x [n], and add those of the coefficients a and |b| to `sums` [10] in float64.

    With y = P / Q and u = upstream / Q they are

    - u (P' - y Q' sign(x)) for x, where P' and Q' are the polynomials' derivatives;
    - the sums of u x^i for a_i and of -u y |x|^j for |b_j|.
    """
    a, b = _coefficients(a, b)
    number = type(a[0])
    zero, one, two, three, four, five = number(0), number(1), number(2), number(3), number(4), number(5)
    a_slope = (a[1], two * a[2], three * a[3], four * a[4], five * a[5])
    b_slope = (b[0], two * b[1], three * b[2], four * b[3])
    for start in range(0, x.size, RUN):
        # Slices, so that no index can be taken for one that counts from the end.
        run, of_result, result = x[start : start + RUN], upstream[start : start + RUN], grad_x[start : start + RUN]
        a0 = a1 = a2 = a3 = a4 = a5 = b1 = b2 = b3 = b4 = zero
        for i in range(run.size):
            value = run[i]
            size = abs(value)
            sign = one if value > 0 else (-one if value < 0 else zero)
            over_q = one / _denominator(size, b)
            y = _numerator(value, a) * over_q
            u = of_result[i] * over_q
            p_slope = (((a_slope[4] * value + a_slope[3]) * value + a_slope[2]) * value + a_slope[1]) * value + a_slope[
                0
            ]
            q_slope = ((b_slope[3] * size + b_slope[2]) * size + b_slope[1]) * size + b_slope[0]
            result[i] = u * (p_slope - y * q_slope * sign)
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
        for place, total in enumerate((a0, a1, a2, a3, a4, a5, b1, b2, b3, b4)):
            sums[place] += total
