"""The peak memory of this process during parts of its work, on a GPU or without one."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import nn

from benchmarks.machine.nvml import used_memory
from benchmarks.machine.resident import peak_resident, restart_peak_resident
from ossnet.memory.footprint import make_account

Peaks = Mapping[str, int | None]
"""Peaks in bytes by the way they are counted, None where a count is not known.

- `allocated_bytes`: tensors, as torch counts them on a GPU and `ossnet.memory.footprint` on a CPU;
- `reserved_bytes`: memory of a GPU that torch's allocator holds;
- `process_bytes`: memory of a GPU that this process uses, by NVML;
- `resident_bytes`: memory of the process that is not on a GPU, see `benchmarks.machine.resident`. It includes what is
  left of earlier work, such as a training.
"""


class PeakMemory:
    """Records the peaks of all work that is done within `watch`.

    Args:
        device: device of the work. Memory of a GPU that torch keeps for later use is freed first.

    Attributes:
        device: device of the work.
        peaks: peaks so far.
    """

    def __init__(self, device: torch.device) -> None:
        self.peaks: Peaks = {}
        self.device = device
        if device.type == "cuda":
            torch.cuda.init()
            torch.cuda.empty_cache()

    @contextmanager
    def watch(self) -> Iterator[None]:
        """Include the work of the `with` block."""
        restart_peak_resident()
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
        yield
        self.note()

    def note(self) -> None:
        """Include the peaks so far of the work that is being watched, while torch still holds its memory."""
        found: dict[str, int | None] = {"resident_bytes": peak_resident()}
        if self.device.type == "cuda":
            found["allocated_bytes"] = torch.cuda.max_memory_allocated(self.device)
            found["reserved_bytes"] = torch.cuda.max_memory_reserved(self.device)
            found["process_bytes"] = used_memory(self.device).process_bytes
        self.add(found)

    def add(self, peaks: Peaks) -> None:
        """Include peaks that were found in another way."""
        self.peaks = highest([self.peaks, peaks])


def count_tensors(model: nn.Module, work: Callable[[], object]) -> Peaks:
    """Do a piece of work with a model on the CPU, and return the peak of tensors, the model's own included.

    The count slows the work down, which therefore must not be timed.
    """
    account = make_account(torch.device("cpu"))
    account.hold([*model.parameters(), *model.buffers()], "parameters")
    with account:
        work()
    return {"allocated_bytes": account.peak_bytes}


def highest(several: Iterable[Peaks]) -> dict[str, int | None]:
    """Return the highest of each kind of count."""
    found: dict[str, int | None] = {}
    for peaks in several:
        for name, count in peaks.items():
            known = [value for value in (found.get(name), count) if value is not None]
            found[name] = max(known, default=None)
    return found
