"""Intervals against worked answers and the binomial distribution, repeats against a clock that steps set."""

import time
from collections.abc import Callable, Iterable, Iterator

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from benchmarks.machine import timing
from benchmarks.machine.median import CONFIDENCE, coverage, interval_rank, median_interval
from benchmarks.machine.timing import (
    Timing,
    clock_of,
    count_flops,
    matmul_rate,
    time_in_turns,
    time_repeated,
)


class Clock:
    """A clock that only `step` moves, by the given seconds, one of them each time."""

    def __init__(self, seconds: Iterable[float]) -> None:
        self.now = 0.0
        self.seconds: Iterator[float] = iter(seconds)
        self.steps = 0

    def __call__(self) -> float:
        return self.now

    def step(self) -> None:
        self.now += next(self.seconds)
        self.steps += 1


def test_a_timing_by_hand() -> None:
    assert Timing.of([3, 1, 2, 5, 4, 7, 6]) == Timing((3, 1, 2, 5, 4, 7, 6), 4, 1, 7)
    # From nine repeats on the outermost are left out.
    nine = Timing.of([30, 10, 20, 50, 40, 70, 60, 90, 80])
    assert (nine.low_s, nine.high_s) == (20, 80)
    assert Timing.of([2.5]) == Timing((2.5,), 2.5, None, None)
    with pytest.raises(ValueError, match="at least one"):
        Timing.of([])


@given(st.integers(1, 60), st.data())
def test_coverage_is_binomial(count: int, data: st.DataObject) -> None:
    rank = data.draw(st.integers(1, (count + 1) // 2))
    assert coverage(count, rank) == pytest.approx(1 - 2 * binom.cdf(rank - 1, count, 0.5), abs=1e-12)


@pytest.mark.parametrize(("count", "rank"), [(2, 1), (5, 1), (6, 1), (8, 1), (9, 2), (11, 2), (12, 3), (20, 6)])
def test_ranks_as_tables_of_the_sign_test_have_them(count: int, rank: int) -> None:
    assert interval_rank(count) == rank


@given(st.integers(6, 200))
def test_the_interval_is_the_narrowest_that_covers_enough(count: int) -> None:
    rank = interval_rank(count)
    assert coverage(count, rank) >= CONFIDENCE > coverage(count, rank + 1)


@given(st.lists(st.floats(0, 1e6), min_size=2, max_size=30), st.randoms())
def test_the_interval_holds_the_median_and_does_not_depend_on_order(values: list[float], random: object) -> None:
    low, high = median_interval(values) or (None, None)
    shuffled = sorted(values, key=lambda _: random.random())
    assert median_interval(shuffled) == (low, high)
    assert low <= Timing.of(values).median_s <= high


def test_warm_up_does_not_count() -> None:
    clock = Clock([100, 50, 1, 2, 3])
    assert time_repeated(clock.step, "cpu", repeats=3, warm_up=2, clock=clock).seconds == (1, 2, 3)


@pytest.mark.parametrize(
    ("seconds", "limit", "counted"),
    [
        ([1, 1, 1, 1, 1, 1, 1, 1, 1], 5, (1, 1, 1)),  # two of warm-up and three repeats spend it
        ([1, 1, 1, 1, 1, 1, 1, 1, 1], 6, (1, 1, 1, 1)),
        ([6, 3, 3, 3], 5, (3, 3, 3)),  # one of warm-up spends it: three repeats all the same
        ([9, 8], 5, (8,)),  # a step longer than the limit
        ([9, 4, 8, 4], 5, (4, 8, 4)),  # one that is so only now and then
        ([25], 5, (25,)),  # five times as long: the warm-up is all there is
        ([24, 23], 5, (23,)),
        ([1, 1, 1, 1, 1, 1, 1, 1, 1], 100, (1,) * 7),
    ],
)
def test_a_limit_ends_the_repeats(seconds: list[float], limit: float, counted: tuple[float, ...]) -> None:
    clock = Clock(seconds)
    assert time_repeated(clock.step, "cpu", limit_s=limit, clock=clock).seconds == counted


def test_fewer_repeats_than_three_when_so_asked() -> None:
    clock = Clock([9, 9, 9])
    assert time_repeated(clock.step, "cpu", repeats=2, warm_up=0, limit_s=10, clock=clock).seconds == (9, 9)


def test_the_clock_of_a_cpu_is_wall_time() -> None:
    assert clock_of("cpu") is time.perf_counter


def test_the_clock_of_a_gpu_waits_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[torch.device] = []
    monkeypatch.setattr(torch.cuda, "synchronize", waited.append)
    clock = clock_of("cuda:1")
    assert clock() <= clock()
    assert waited == [torch.device("cuda:1")] * 2


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_matmul_rate_is_that_of_the_fastest_size(monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype) -> None:
    # Every look at the clock is a second later than the one before: the largest product has the highest rate.
    ticks = iter(range(1000))
    monkeypatch.setattr(timing, "clock_of", lambda _: lambda: float(next(ticks)))
    monkeypatch.setattr(timing, "MATRIX_SIZES", {"cpu": (4, 16, 8)})
    assert matmul_rate("cpu", dtype) == 2 * 16**3


MATRIX, WEIGHT = torch.ones(5, 3), torch.ones(7, 3, requires_grad=True)
VOLUME, KERNEL = torch.ones(1, 2, 4, 4, 4), torch.ones(6, 2, 3, 3, 3)


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (lambda: MATRIX @ WEIGHT.T, 2 * 5 * 3 * 7),
        # Backward is the product of the weight's gradient alone: the input wants none.
        (lambda: (MATRIX @ WEIGHT.T).sum().backward(), 2 * 2 * 5 * 3 * 7),
        (lambda: F.conv3d(VOLUME, KERNEL, padding=1), 2 * 4**3 * 6 * 2 * 27),
        (lambda: F.avg_pool3d(F.relu(VOLUME), 2) + 1, 0),
    ],
)
def test_operations_by_hand(step: Callable[[], object], expected: int) -> None:
    assert count_flops(step) == expected


def test_steps_in_turns_have_equally_many_rounds() -> None:
    clock = Clock([])
    order: list[str] = []

    def step(name: str, seconds: float) -> None:
        order.append(name)
        clock.now += seconds

    steps = {"slow": lambda: step("slow", 3.0), "fast": lambda: step("fast", 1.0)}
    timings = time_in_turns(steps, "cpu", rounds=2, clock=clock)
    assert order == ["slow", "fast"] * 3
    assert {name: timing.seconds for name, timing in timings.items()} == {"slow": (3, 3), "fast": (1, 1)}


@pytest.mark.parametrize(("limit", "rounds"), [(4.0, 1), (5.0, 3), (20.0, 4), (1000.0, 6)])
def test_a_limit_ends_the_rounds(limit: float, rounds: int) -> None:
    clock = Clock([])

    def step() -> None:
        clock.now += 2.0

    timings = time_in_turns({"a": step, "b": step}, "cpu", rounds=6, limit_s=limit, clock=clock)
    assert [len(timing.seconds) for timing in timings.values()] == [rounds, rounds]
