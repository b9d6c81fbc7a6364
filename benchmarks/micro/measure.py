"""The stopwatch of benchmarks, which times finished work and saves its shape and throughput."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from pytest_benchmark.fixture import BenchmarkFixture

T = TypeVar("T")


@dataclass(frozen=True)
class Measure:
    """The stopwatch of one benchmark.

    Attributes:
        benchmark: fixture of pytest-benchmark.
        device: device of the work; times include the wait until it is done there.
    """

    benchmark: BenchmarkFixture
    device: torch.device

    def __call__(self, group: str, shape: Sequence[int], unit: str, count: int, work: Callable[[], T]) -> T:
        """Time a piece of work, and return its result.

        With the times are saved, in `extra_info`: `device`, torch's `threads` on the CPU, `shape`, and for a unit such
        as `voxels` both `voxels` and `voxels_per_s`, by the median time.

        Args:
            group: name of the table that compares this benchmark with others.
            shape: shape of the main input.
            unit: unit of the throughput, in the plural, such as `voxels`.
            count: number of units per call.
            work: the work.
        """

        def finished_work() -> T:
            result = work()
            if self.device.type == "cuda":
                torch.cuda.synchronize(self.device)
            return result

        self.benchmark.group = group
        self.benchmark.extra_info |= {
            "device": torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else "cpu",
            "threads": torch.get_num_threads(),
            "shape": list(shape),
            unit: count,
        }
        result: T = self.benchmark(finished_work)
        times = self.benchmark.stats
        if times is not None:
            self.benchmark.extra_info[f"{unit}_per_s"] = count / times["median"]
        return result
