"""How a benchmark is timed and told: work that is finished, with its shape and its throughput."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from pytest_benchmark.fixture import BenchmarkFixture

T = TypeVar("T")


@dataclass(frozen=True)
class Measure:
    """One benchmark's stopwatch.

    Attributes:
        device: that the work is done on; times are those of finished work.
    """

    benchmark: BenchmarkFixture
    device: torch.device

    def __call__(self, group: str, shape: Sequence[int], unit: str, count: int, work: Callable[[], T]) -> T:
        """Time `work`, and give what it returns.

        Saved with the times, in `extra_info`: `device`, torch's `threads` of the CPU, `shape`, and for a unit such as
        `voxels` both `voxels` and `voxels_per_s`, by the median time.

        Args:
            group: benchmarks of one group are comparable and stand in one table.
            shape: of the main input.
            unit: what the work gets through, in the plural.
            count: how many of them in one call.
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
