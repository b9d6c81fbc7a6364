"""The most memory that this process takes for a part of its work, on a GPU or without one."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

import torch

from benchmarks.nvml import used_memory
from benchmarks.resident import peak_resident, restart_peak_resident

Peaks = Mapping[str, int | None]
"""Bytes by how they are counted, None where that cannot be told.

`allocated_bytes` of tensors (GPU: as torch counts them; CPU: by the accounting of `ossnet.footprint`), `reserved_bytes`
by torch's allocator of a GPU, `process_bytes` of the GPU in use by this process as NVML tells, and `resident_bytes` of
the process beside the GPU (see `benchmarks.resident`).
"""


class PeakMemory:
    """Peaks over all that is watched.

    Args:
        device: that the work is done on. What torch keeps of a GPU for later is let go first.

    Attributes:
        peaks: of what was watched so far.
    """

    def __init__(self, device: torch.device) -> None:
        self.peaks: Peaks = {}
        self._device = device
        if device.type == "cuda":
            torch.cuda.init()
            torch.cuda.empty_cache()

    @contextmanager
    def watch(self) -> Iterator[None]:
        """Watch what is done within."""
        restart_peak_resident()
        if self._device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self._device)
        yield
        self.note()

    def note(self) -> None:
        """Take up the peaks so far of what is being watched, while torch still holds what it took."""
        found: dict[str, int | None] = {"resident_bytes": peak_resident()}
        if self._device.type == "cuda":
            found["allocated_bytes"] = torch.cuda.max_memory_allocated(self._device)
            found["reserved_bytes"] = torch.cuda.max_memory_reserved(self._device)
            found["process_bytes"] = used_memory(self._device).process_bytes
        self.add(found)

    def add(self, peaks: Peaks) -> None:
        """Take up peaks that were found in another way."""
        self.peaks = highest([self.peaks, peaks])


def highest(several: Iterable[Peaks]) -> dict[str, int | None]:
    """The highest of each kind of count."""
    found: dict[str, int | None] = {}
    for peaks in several:
        for name, count in peaks.items():
            known = [value for value in (found.get(name), count) if value is not None]
            found[name] = max(known, default=None)
    return found
