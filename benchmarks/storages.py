"""The memory of a computation, counted as a GPU's allocator counts it: every storage from its making to its end."""

import weakref
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

GPU_BLOCK_BYTES = 512
"""PyTorch's GPU allocator hands out multiples of it."""

Workspace = Callable[[Any, Sequence[Any], Any], int]
"""Bytes that an operator needs beside its tensors while it runs, from the operator, its arguments and its result."""


def no_workspace(operator: Any, arguments: Sequence[Any], result: Any) -> int:
    """Operators need nothing but their arguments and results."""
    return 0


@dataclass(eq=False)
class _Allocation:
    bytes: int
    part: str


class StorageAccount(TorchDispatchMode):
    """Within it, every storage that an operator makes is counted until the last tensor that uses it is gone.

    A view or an in-place result shares a storage, which counts once. Tensors from outside are for `hold` to count. On
    the meta device nothing is computed or allocated, yet storages live and die as elsewhere, so that a step of any size
    is accounted for in seconds.

    Args:
        workspace: memory of an operator for the time that it runs; see `Workspace`.

    Attributes:
        peak_bytes: the most that was alive at once.
        live_bytes: what is alive now.
    """

    def __init__(self, workspace: Workspace = no_workspace) -> None:
        super().__init__()
        self.peak_bytes = self.live_bytes = 0
        self._workspace = workspace
        self._live: dict[int, _Allocation] = {}
        self._at_peak: list[_Allocation] = []
        self._part = "other"

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """What is made meanwhile belongs to the part `name`; also decorates a function."""
        outer, self._part = self._part, name
        try:
            yield
        finally:
            self._part = outer

    def hold(self, tensors: Iterable[Tensor], part: str) -> None:
        """Count tensors from outside, if they are not counted yet, and give them to `part` (of a past peak as well)."""
        for tensor in tensors:
            self._count(tensor).part = part
        self._note_peak()

    def peak_by_part(self) -> Mapping[str, int]:
        """Bytes of each part at the peak, the largest first."""
        totals: Counter[str] = Counter()
        for allocation in self._at_peak:
            totals[allocation.part] += allocation.bytes
        return dict(totals.most_common())

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, Tensor):
                self._count(tensor)
        self._note_peak(self._workspace(func, args, result))
        return result

    def _count(self, tensor: Tensor) -> _Allocation:
        storage = tensor.untyped_storage()
        # Two Python objects may stand for one storage; its address is one, and no other's while it lives.
        key = storage._cdata
        if key not in self._live:
            blocks = -(-storage.nbytes() // GPU_BLOCK_BYTES)
            self._live[key] = _Allocation(blocks * GPU_BLOCK_BYTES, self._part)
            self.live_bytes += self._live[key].bytes
            weakref.finalize(storage, self._free, key).atexit = False
        return self._live[key]

    def _free(self, key: int) -> None:
        self.live_bytes -= self._live.pop(key).bytes

    def _note_peak(self, workspace: int = 0) -> None:
        if self.live_bytes + workspace > self.peak_bytes:
            self.peak_bytes = self.live_bytes + workspace
            self._at_peak = [*self._live.values(), *([_Allocation(workspace, "workspace")] if workspace else [])]
