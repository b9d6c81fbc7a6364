"""Number of locations that are evaluated at a time: on a CPU the fastest by trial, elsewhere by memory."""

import math
import time
from collections.abc import Iterator, Sequence
from functools import cache

import torch
from torch import Tensor

from ossnet.network.valueless import has_no_values, representative

CPU_SIZES = (512, 1024, 256, 2048)
"""Sizes that are tried on a CPU; which one is fastest depends on its caches."""

TRIALS = 3
"""Number of chunks of each size that are timed."""

GPU_BYTES = 2**26
"""Memory of a chunk's matrices on any other device, which has enough to do with it."""


class ChunkSize:
    """Size of chunks, chosen once per process for networks of one width.

    On a CPU the trial is the work itself: the first chunks take turns in size, and from then on all have the size that
    took the least time per location. The size changes results by rounding at most; with Intel's MKL they are the same
    bit by bit from 16 locations on.

    Args:
        sizes: sizes to try.
    """

    def __init__(self, sizes: Sequence[int]) -> None:
        self.largest = max(sizes)
        self._seconds: dict[int, list[float]] = {size: [] for size in sizes}

    @staticmethod
    @cache
    def of(device: torch.device, values: int, itemsize: int) -> "ChunkSize":
        """Return the size for a device and a network.

        Args:
            device: device that the network is on.
            values: number of values per location in a chunk's matrices.
            itemsize: bytes of a value.
        """
        if device.type == "cpu":
            return ChunkSize(CPU_SIZES)
        return ChunkSize([2 ** max(0, int(math.log2(GPU_BYTES / (values * itemsize))))])

    @property
    def size(self) -> int:
        """Size of the next chunk: the one with the fewest trials, and after all of them the fastest."""
        if len(self._seconds) == 1 or min(map(len, self._seconds.values())) >= TRIALS:
            return min(self._seconds, key=lambda size: min(self._seconds[size], default=0.0))
        return min(self._seconds, key=lambda size: len(self._seconds[size]))

    def split(self, locations: Tensor) -> Iterator[tuple[slice, Tensor]]:
        """Split locations [n, 3] into chunks of about the same size, and time what is done with each of them.

        Yields:
            The places of the locations of a chunk, and the locations.
        """
        if has_no_values(locations):
            starts = range(0, len(locations), self.largest)
            parts = [(slice(start, start + self.largest), locations[start : start + self.largest]) for start in starts]
            yield from representative(parts, locations)
            return
        start = 0
        while start < len(locations):
            size, left = self.size, len(locations) - start
            # No small rest: products of few columns take nearly the time of many.
            stop = start + math.ceil(left / math.ceil(left / size))
            begin = time.perf_counter()
            yield slice(start, stop), locations[start:stop]
            if left >= size and len(self._seconds[size]) < TRIALS:
                self._seconds[size].append((time.perf_counter() - begin) / (stop - start))
            start = stop
