"""Account of the memory of a computation: every storage counts from its making to its end, as torch counts it."""

import weakref
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from ossnet.memory.allocator import Block, CachingAllocator

Workspace = Callable[[Any, Sequence[Any], Any], int]
"""Function of an operator, its arguments and its result: bytes that it needs while it runs, without its tensors."""


def no_workspace(operator: Any, arguments: Sequence[Any], result: Any) -> int:
    """Return 0: operators need nothing but their arguments and results."""
    return 0


@dataclass(eq=False)
class _Allocation:
    bytes: int
    part: str
    block: Block | None


_Tape = list[tuple[_Allocation, bool]]
"""Allocations in the order in which they are made (True) and released (False)."""


class StorageAccount(TorchDispatchMode):
    """Account of the storages that operators make within it, each until the last tensor that uses it is gone.

    A view or an in-place result shares a storage, which counts once. Tensors from outside are counted by `hold`. On the
    meta device, and under torch's `FakeTensorMode`, nothing is computed or allocated, yet storages live and die as
    elsewhere, so that a step of any size is accounted for in seconds.

    Args:
        allocator: model of the allocator, which determines how much memory an allocation takes; None for one that
            allocates what is requested, as torch's on the CPU does.
        workspace: memory of an operator while it runs; see `Workspace`.
        device: device whose tensors count, such as `cuda`; None for all devices.
        elsewhere: name of a part whose tensors do not count, since they stand for tensors on another device.

    Attributes:
        peak_bytes: largest number of bytes that were alive at once.
        live_bytes: number of bytes that are alive now.
    """

    def __init__(
        self,
        allocator: CachingAllocator | None = None,
        workspace: Workspace = no_workspace,
        device: torch.device | None = None,
        elsewhere: str | None = None,
    ) -> None:
        super().__init__()
        self._elsewhere = elsewhere
        self.peak_bytes = self.live_bytes = 0
        self._allocator = allocator
        self._workspace = workspace
        self._device = device
        self._live: dict[int, _Allocation] = {}
        self._on_host: set[int] = set()
        self._at_peak: list[_Allocation] = []
        self._part = "other"
        self._tape: _Tape | None = None

    @property
    def reserved_bytes(self) -> int:
        """Largest number of bytes that the allocator held, for live tensors and for later."""
        return self.peak_bytes if self._allocator is None else self._allocator.peak_reserved_bytes

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Attribute what is made within this context to the part `name`; it also decorates a function."""
        outer, self._part = self._part, name
        try:
            yield
        finally:
            self._part = outer

    def hold(self, tensors: Iterable[Tensor], part: str) -> None:
        """Count tensors from outside if they are not counted yet, and attribute them to `part`, in a past peak too."""
        for tensor in filter(self._counts, tensors):
            self._count(tensor, part).part = part
        self._note_peak()

    def leave_out(self, tensors: Iterable[Tensor]) -> None:
        """Count no bytes for tensors that stand for host memory on the meta device, nor for what is computed there.

        An operator runs where its tensors are, so that its results are in host memory if any argument is. The exception
        is `copy_`, which takes values from there to a tensor on the device.
        """
        for tensor in filter(self._counts, tensors):
            key = tensor.untyped_storage()._cdata
            if key not in self._live:
                self._live[key] = _Allocation(0, self._part, None)
                self._on_host.add(key)
                weakref.finalize(tensor.untyped_storage(), self._free, key).atexit = False

    def _in_host_memory(self, arguments: Any) -> bool:
        return any(
            isinstance(value, Tensor) and value.untyped_storage()._cdata in self._on_host
            for value in tree_leaves(arguments)
        )

    def once(self, function: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
        """Return a function that is evaluated once for each shape; later calls are only accounted for, the same way.

        This is for tensors without values or gradients: a later call returns an empty one.
        """
        seen: dict[torch.Size, tuple[torch.Size, _Tape]] = {}

        def call(x: Tensor) -> Tensor:
            if x.shape in seen:
                shape, tape = seen[x.shape]
                self._replay(tape)
                return x.new_empty(shape)
            self._tape = tape = []
            result = function(x)
            self._tape = None
            seen[x.shape] = result.shape, tape
            return result

        return call

    def peak_by_part(self) -> Mapping[str, int]:
        """Return the bytes of each part at the peak, the largest first."""
        totals: Counter[str] = Counter()
        for allocation in self._at_peak:
            totals[allocation.part] += allocation.bytes
        return dict((+totals).most_common())

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if self._on_host and func is not torch.ops.aten.copy_.default and self._in_host_memory(args):
            self.leave_out(value for value in tree_leaves(result) if isinstance(value, Tensor))
            return result
        for tensor in filter(self._counts, tree_leaves(result)):
            self._count(tensor)
        workspace = self._allocate(self._workspace(func, args, result), "workspace")
        self._note_peak(workspace)
        self._release(workspace)
        return result

    def _counts(self, value: Any) -> bool:
        return isinstance(value, Tensor) and (self._device is None or value.device.type == self._device.type)

    def _count(self, tensor: Tensor, part: str | None = None) -> _Allocation:
        storage = tensor.untyped_storage()
        # Two Python objects may stand for one storage; its address is one, and no other's while it lives.
        key = storage._cdata
        if key not in self._live:
            self._live[key] = self._allocate(storage.nbytes(), part or self._part)
            weakref.finalize(storage, self._free, key).atexit = False
        return self._live[key]

    def _free(self, key: int) -> None:
        self._on_host.discard(key)
        self._release(self._live.pop(key))

    def _allocate(self, size: int, part: str) -> _Allocation:
        if part == self._elsewhere:
            size = 0
        block = self._allocator.allocate(size) if self._allocator is not None and size else None
        allocation = _Allocation(size if block is None else block.size, part, block)
        self.live_bytes += allocation.bytes
        if self._tape is not None:
            self._tape.append((allocation, True))
        return allocation

    def _release(self, allocation: _Allocation) -> None:
        self.live_bytes -= allocation.bytes
        if self._tape is not None:
            self._tape.append((allocation, False))
        if self._allocator is not None and allocation.block is not None:
            self._allocator.free(allocation.block)

    def _note_peak(self, *workspaces: _Allocation) -> None:
        if self.live_bytes > self.peak_bytes:
            self.peak_bytes = self.live_bytes
            self._at_peak = [*self._live.values(), *workspaces]

    def _replay(self, tape: _Tape) -> None:
        made: dict[int, int] = {}
        for i, (allocation, is_made) in enumerate(tape):
            if is_made:
                # Storages have positive keys.
                made[id(allocation)] = -1 - i
                self._live[-1 - i] = self._allocate(allocation.bytes, allocation.part)
                self._note_peak()
            elif id(allocation) in made:
                self._free(made.pop(id(allocation)))
        for key in made.values():
            self._free(key)
