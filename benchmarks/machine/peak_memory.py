"""The most memory that this process takes for a part of its work, on a GPU or without one."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import nn

from benchmarks.machine.nvml import used_memory
from benchmarks.machine.resident import peak_resident, restart_peak_resident
from ossnet.memory.footprint import make_account

Peaks = Mapping[str, int | None]
"""Bytes by how they are counted, None where that cannot be told.

`allocated_bytes` of tensors (GPU: as torch counts them; CPU: by the accounting of `ossnet.memory.footprint`),
`reserved_bytes` by torch's allocator of a GPU, `process_bytes` of the GPU in use by this process as NVML tells, and
`resident_bytes` of the process beside the GPU (see `benchmarks.machine.resident`), with what has stayed of earlier work
such as a training.
"""


class PeakMemory:
    """Peaks over all that is watched.

    Args:
        device: that the work is done on. What torch keeps of a GPU for later is let go first.

    Attributes:
        device: as given.
        peaks: of what was watched so far.
    """

    def __init__(self, device: torch.device) -> None:
        self.peaks: Peaks = {}
        self.device = device
        if device.type == "cuda":
            torch.cuda.init()
            torch.cuda.empty_cache()

    @contextmanager
    def watch(self) -> Iterator[None]:
        """Watch what is done within."""
        restart_peak_resident()
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
        yield
        self.note()

    def note(self) -> None:
        """Take up the peaks so far of what is being watched, while torch still holds what it took."""
        found: dict[str, int | None] = {"resident_bytes": peak_resident()}
        if self.device.type == "cuda":
            found["allocated_bytes"] = torch.cuda.max_memory_allocated(self.device)
            found["reserved_bytes"] = torch.cuda.max_memory_reserved(self.device)
            found["process_bytes"] = used_memory(self.device).process_bytes
        self.add(found)

    def add(self, peaks: Peaks) -> None:
        """Take up peaks that were found in another way."""
        self.peaks = highest([self.peaks, peaks])


def count_tensors(model: nn.Module, work: Callable[[], object]) -> Peaks:
    """Do a piece of work with a model on the CPU, and tell the peak of tensors, the model's own among them.

    It takes longer than the work alone, which therefore is not timed here.
    """
    account = make_account(torch.device("cpu"))
    account.hold([*model.parameters(), *model.buffers()], "parameters")
    with account:
        work()
    return {"allocated_bytes": account.peak_bytes}


def highest(several: Iterable[Peaks]) -> dict[str, int | None]:
    """The highest of each kind of count."""
    found: dict[str, int | None] = {}
    for peaks in several:
        for name, count in peaks.items():
            known = [value for value in (found.get(name), count) if value is not None]
            found[name] = max(known, default=None)
    return found
