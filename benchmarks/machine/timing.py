"""Timing of repeated steps with an interval of the median, and rates of operations to compare it with.

`torch.utils.benchmark.Timer` does not serve here: it has no limit of time for its warm-up, so that a step of minutes
would be run again and again, it takes statements as text, and it averages blocks of runs, of which no interval by order
statistics can be made.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.machine.median import median_interval

Clock = Callable[[], float]
"""A clock that returns seconds since some moment."""

MIN_REPEATS = 3
"""Number of repeats that are run even when the time limit is over."""

LONG_STEP = 5.0
"""A step that takes so many times the limit is run once: compared with that, the overhead of a first run is small."""

MATRIX_SIZES = {"cpu": (512, 1024), "cuda": (2048, 4096, 8192)}
"""Edges of the square matrices that are multiplied, by device: large enough for full speed in some milliseconds."""

PRODUCT_REPEATS = 5
"""Number of repeats of each matrix product."""


@dataclass(frozen=True)
class Timing:
    """Seconds of the repeats of one step.

    Attributes:
        seconds: seconds of each repeat, in the order of the repeats.
        median_s: median of the seconds.
        low_s: lower bound of the median's interval, see `median_interval`; None for a single repeat.
        high_s: upper bound; None for a single repeat.
    """

    seconds: tuple[float, ...]
    median_s: float
    low_s: float | None
    high_s: float | None

    @classmethod
    def of(cls, seconds: Sequence[float]) -> "Timing":
        """Return the timing of some repeats.

        Raises:
            ValueError: there is no repeat.
        """
        if not seconds:
            raise ValueError("a timing needs at least one repeat")
        low, high = median_interval(seconds) or (None, None)
        return cls(tuple(seconds), median(seconds), low, high)


def clock_of(device: torch.device | str) -> Clock:
    """Return a clock of wall time, which on a GPU first waits for the work that was submitted to it.

    Wall time around synchronised steps, rather than CUDA events, is the time that a user waits, including Python's work
    between kernels, and it is the same clock on every device. Synchronising takes microseconds, a step milliseconds.
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
    """Time a step repeatedly.

    Args:
        step: the step.
        device: device that the step runs on.
        repeats: highest number of runs that count.
        warm_up: highest number of runs before them, in which libraries load, algorithms are chosen, and the allocator's
            pool fills.
        limit_s: time limit in seconds, warm-up included. When it is over, the warm-up ends after the present run, and
            the repeats end once there are `MIN_REPEATS`, or one if the first took longer than the limit. A run of the
            warm-up that takes `LONG_STEP` times the limit counts itself, and is the only run.
        clock: clock to use; None for that of the device, see `clock_of`.

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
        if limit_s is not None and took >= LONG_STEP * limit_s:
            return Timing.of([took])
        if late():
            break
    seconds: list[float] = []
    while len(seconds) < repeats:
        seconds.append(timed())
        fewest = 1 if limit_s is not None and seconds[0] > limit_s else MIN_REPEATS
        if len(seconds) >= fewest and late():
            break
    return Timing.of(seconds)


def time_in_turns(
    steps: Mapping[str, Callable[[], object]],
    device: torch.device | str,
    rounds: int = 7,
    limit_s: float | None = None,
    clock: Clock | None = None,
) -> dict[str, Timing]:
    """Time several steps in turns, so that what else the machine does slows all of them alike.

    Args:
        steps: the steps by name.
        device: device that the steps run on.
        rounds: highest number of rounds that count. Each runs every step once.
        limit_s: time limit in seconds. A first round does not count, as it warms up, unless it takes longer than the
            limit: then it is the only one. Later rounds end when the limit is over, but there are at least
            `MIN_REPEATS`.
        clock: clock to use; None for that of the device, see `clock_of`.

    Returns:
        Timings by name, with equally many repeats.

    Raises:
        ValueError: `rounds` is below 1.
    """
    clock = clock or clock_of(device)
    begin = clock()

    def round_of_all() -> dict[str, float]:
        took = {}
        for name, step in steps.items():
            start = clock()
            step()
            took[name] = clock() - start
        return took

    def late() -> bool:
        return limit_s is not None and clock() - begin >= limit_s

    first = round_of_all()
    counted = [first] if late() else []
    while not counted or (len(counted) < rounds and first is not counted[0]):
        counted.append(round_of_all())
        if len(counted) >= MIN_REPEATS and late():
            break
    return {name: Timing.of([took[name] for took in counted]) for name in steps}


def matmul_rate(
    device: torch.device | str, dtype: torch.dtype = torch.float32, sizes: Sequence[int] | None = None
) -> float:
    """Measure the machine's rate of matrix products in operations/s, a multiplication and an addition being two.

    It is the highest rate of several square products, each repeated. By default, torch on a GPU computes float32
    products in float32, but float32 convolutions in TF32, whose rate is several times higher. A network with
    convolutions may therefore do more operations per second than this rate.

    Args:
        device: device of the products.
        dtype: dtype of the matrices.
        sizes: edges of the matrices; None for `MATRIX_SIZES` of the device.
    """
    device = torch.device(device)
    generator = torch.Generator(device).manual_seed(0)
    best = 0.0
    for size in sizes or MATRIX_SIZES["cuda" if device.type == "cuda" else "cpu"]:
        # Random, since on equal numbers a GPU draws less power, and so runs faster.
        left, right = torch.rand(2, size, size, device=device, generator=generator).to(dtype)
        product = partial(torch.mm, left, right, out=torch.empty_like(left))
        timing = time_repeated(product, device, PRODUCT_REPEATS, warm_up=1)
        best = max(best, 2 * size**3 / min(timing.seconds))
    return best


def count_flops(step: Callable[[], object]) -> int:
    """Count the operations of one run of a step with torch's counter, a multiplication and an addition being two.

    It counts matrix products, convolutions and attention, forward and backward. It does not count activations,
    normalisation, pooling, interpolation, reading patches, losses or the optimiser, though they take time.
    """
    with FlopCounterMode(display=False) as counter:
        step()
    return counter.get_total_flops()
