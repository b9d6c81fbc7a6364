"""The compiled loops of the Padé activation, which are loaded when this module is imported.

It is for a server that processes are forked from. The first call of a loop takes each process about a second, in which
numba prepares itself and reads what it has compiled; processes that are forked afterwards have it already.
"""

import numpy as np

from ossnet.network.pade_kernels import differentiate, evaluate, evaluate_rows


def _load() -> None:
    """Call every loop once with arrays like those of a training in float32."""
    x, result, bias = (np.zeros((1, 1), np.float32) for _ in range(3))
    a, b = np.zeros(6, np.float32), np.zeros(4, np.float32)
    evaluate(x[0], a, b, result[0])
    evaluate_rows(x, bias, a, b)
    differentiate(x[0], x[0], a, b, result[0], np.zeros(10))


_load()
