"""How long a step takes, how sure one may be of it, and how that compares with what the machine can do."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from math import comb
from statistics import median

import torch
from torch.utils.flop_counter import FlopCounterMode

Clock = Callable[[], float]
"""Seconds since some moment."""

CONFIDENCE = 0.95

FEWEST_REPEATS = 3

LONG = 5.0
"""A step that takes so many times the limit is run once: what a first run takes more is little beside that."""

MATRIX_SIZES = {"cpu": (512, 1024), "cuda": (2048, 4096, 8192)}
"""Edges of the square matrices whose products are tried: large enough for full speed, small enough for milliseconds."""

PRODUCTS = 5
"""Repeats of each product."""


@dataclass(frozen=True)
class Timing:
    """Repeats of one step.

    Attributes:
        seconds: of each repeat, in order.
        median_s: their median.
        low_s: lower bound of the median's interval, see `median_interval`; None for a single repeat.
        high_s: upper bound; None for a single repeat.
    """

    seconds: tuple[float, ...]
    median_s: float
    low_s: float | None
    high_s: float | None

    @classmethod
    def of(cls, seconds: Sequence[float]) -> "Timing":
        """Raises ValueError for no repeat at all."""
        if not seconds:
            raise ValueError("a timing needs at least one repeat")
        low, high = median_interval(seconds) or (None, None)
        return cls(tuple(seconds), median(seconds), low, high)


def coverage(count: int, rank: int) -> float:
    """Chance that the true median lies between the `rank`-th smallest (from 1) and the `rank`-th largest of `count`.

    Exact for independent draws of any continuous distribution: the draws below the median are binomial with 1/2, and
    the interval misses it when fewer than `rank` of them fall on one side.
    """
    return 1 - 2 * sum(comb(count, below) for below in range(rank)) / 2**count


def interval_rank(count: int, confidence: float = CONFIDENCE) -> int:
    """Rank of the narrowest interval of `coverage` at least `confidence`; 1, all that there is, where none reaches it.

    At 0.95 that is 1 up to 8 repeats (0.9844 for seven), 2 from 9 on, 3 from 12 on. Up to five repeats cannot reach it:
    smallest to largest covers 0.75 of three, 0.875 of four and 0.9375 of five.
    """
    ranks = range(1, count // 2 + 1)
    return max((rank for rank in ranks if coverage(count, rank) >= confidence), default=1)


def median_interval(values: Sequence[float], confidence: float = CONFIDENCE) -> tuple[float, float] | None:
    """Interval of the median by order statistics, which assumes no distribution; None for fewer than two values.

    See `interval_rank` for what few values can say.
    """
    if len(values) < 2:
        return None
    ordered = sorted(values)
    rank = interval_rank(len(values), confidence)
    return ordered[rank - 1], ordered[-rank]


def clock_of(device: torch.device | str) -> Clock:
    """Wall time, on a GPU once all work that it was given is done.

    Wall time around synchronised steps rather than CUDA events: it is what a user waits for, the work of Python
    between kernels included, and the same clock on every device. Synchronising costs microseconds, a step milliseconds.
    """
    device = torch.device(device)
    if device.type != "cuda":
        return time.perf_counter

    def synchronised() -> float:
        torch.cuda.synchronize(device)
        return time.perf_counter()

    return synchronised


def time_repeated(
    step: Callable[[], object],
    device: torch.device | str,
    repeats: int = 7,
    warm_up: int = 2,
    limit_s: float | None = None,
    clock: Clock | None = None,
) -> Timing:
    """Time a step over and over.

    Args:
        repeats: runs that count.
        warm_up: runs before them that do not: libraries load, algorithms are chosen, the allocator's pool fills.
        limit_s: once so much time was spent, warm-up included, nothing more is run than one warm-up and
            `FEWEST_REPEATS` that count; than one that counts, where that alone takes longer than the limit. A warm-up
            that takes `LONG` times the limit counts itself, and is the only run.
        clock: by default the device's, see `clock_of`.

    Raises:
        ValueError: `repeats` is below 1.
    """
    clock = clock or clock_of(device)
    begin = clock()

    def late() -> bool:
        return limit_s is not None and clock() - begin >= limit_s

    def timed() -> float:
        start = clock()
        step()
        return clock() - start

    for _ in range(warm_up):
        took = timed()
        if limit_s is not None and took >= LONG * limit_s:
            return Timing.of([took])
        if late():
            break
    seconds: list[float] = []
    while len(seconds) < repeats:
        seconds.append(timed())
        fewest = 1 if limit_s is not None and seconds[0] > limit_s else FEWEST_REPEATS
        if len(seconds) >= fewest and late():
            break
    return Timing.of(seconds)


def matmul_rate(
    device: torch.device | str, dtype: torch.dtype = torch.float32, sizes: Sequence[int] | None = None
) -> float:
    """The machine's rate of matrix products in operations/s, a multiplication and an addition being two.

    The best of several square products, each repeated. On a GPU torch computes float32 products in float32, unless told
    otherwise, but float32 convolutions in TF32, whose rate is several times higher. A network that convolves may
    therefore do more operations a second than this rate.

    Args:
        sizes: of the matrices' edges; None for `MATRIX_SIZES` of the device.
    """
    device = torch.device(device)
    generator = torch.Generator(device).manual_seed(0)
    best = 0.0
    for size in sizes or MATRIX_SIZES["cuda" if device.type == "cuda" else "cpu"]:
        # Random, since a GPU draws less power, and so runs faster, on numbers that are all alike.
        left, right = torch.rand(2, size, size, device=device, generator=generator).to(dtype)
        product = partial(torch.mm, left, right, out=torch.empty_like(left))
        timing = time_repeated(product, device, PRODUCTS, warm_up=1)
        best = max(best, 2 * size**3 / min(timing.seconds))
    return best


def count_flops(step: Callable[[], object]) -> int:
    """Operations of one run of a step, a multiplication and an addition being two, as torch's own counter has it.

    It counts matrix products, convolutions and attention, forward and backward. It does not count activations,
    normalisation, pooling, interpolation, reading patches, losses or the optimiser, which take time all the same.
    """
    with FlopCounterMode(display=False) as counter:
        step()
    return counter.get_total_flops()
