"""Training by several processes, one per device, which `torchrun` starts (see ossnet/README.md).

Every process draws the random numbers of the whole batch and learns from its share of the cases. Draws, losses,
gradients and statistics are therefore those of one process that has the whole batch, up to the rounding of sums, and
neither the number of processes nor that of devices is part of a run's identity. The additional draws cost each process
the time of drawing locations, which is small beside that of the network.

The first process writes all files and reports; the others read the same folders.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from ossnet.data.prepared import Cases, PreparedCase
from ossnet.errors import UserError

PATIENCE = timedelta(days=7)
"""Time that processes wait for each other, for instance while the first prepares a data set. Whether one has ended is
noticed by `torchrun` and by the connections, not by this limit."""

LOST_CONNECTION = ("Connection closed by peer", "Connection reset by peer", "Broken pipe", "ncclRemoteError")
"""Parts of the messages of Gloo's and NCCL's errors after another process has ended."""


@dataclass(frozen=True)
class Share:
    """Cases of a batch that a process learns from.

    Attributes:
        cases: positions in the batch, never none: where a batch has fewer cases than there are processes, the last
            processes compute the first case again, since all must take part in the norms, and it does not count.
        weight: number of the cases as a fraction of the batch, 0 where they do not count.
    """

    cases: slice
    weight: float


@dataclass(frozen=True)
class Processes:
    """Processes that train a model together, as one of them sees them; alone by default.

    All processes call the methods in the same order. A tensor is on the CPU or on the device of its process.

    Attributes:
        rank: position of this process, from 0.
        count: number of processes.
    """

    rank: int = 0
    count: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this process writes files and reports."""
        return self.rank == 0

    def share(self, cases: int) -> Share:
        """Return this process's share of a batch: the cases in order, divided as `torch.tensor_split` does."""
        size, left_over = divmod(cases, self.count)
        first = self.rank * size + min(self.rank, left_over)
        size += self.rank < left_over
        return Share(slice(first, first + size), size / cases) if size else Share(slice(0, 1), 0.0)

    def sum(self, values: Tensor) -> Tensor:
        """Return the sum of the values [...] of all processes."""
        if self.count > 1:
            values = values.clone()
            dist.all_reduce(values)
        return values

    def stack(self, values: Tensor) -> Tensor:
        """Return the values [...] of all processes, [count, ...]."""
        if self.count == 1:
            return values[None]
        parts = [torch.empty_like(values) for _ in range(self.count)]
        dist.all_gather(parts, values.contiguous())
        return torch.stack(parts)

    def join(self, values: Tensor, share: Share, cases: int) -> Tensor:
        """Return values [cases, ...] of a whole batch from those [n, ...] of the share of each process."""
        if self.count == 1:
            return values
        whole = values.new_zeros(cases, *values.shape[1:])
        if share.weight:
            whole[share.cases] = values
        return self.sum(whole)

    def part(self, cases: Cases) -> Iterator[PreparedCase]:
        """Yield this process's share of cases, which may be none."""
        share = self.share(len(cases))
        return (cases[index] for index in range(len(cases))[share.cases] if share.weight)

    def merge(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the items of all processes, those of the first process first."""
        parts: list[Any] = [values]
        if self.count > 1:
            parts = [None] * self.count
            dist.all_gather_object(parts, dict(values))
        return {name: value for part in parts for name, value in part.items()}

    def mean(self, value: float) -> float:
        """Return the mean of the values of all processes."""
        return float(self.sum(torch.tensor(value, dtype=torch.float64))) / self.count

    def wait(self) -> None:
        """Wait until all processes have come here."""
        self.sum(torch.zeros(()))

    @contextmanager
    def first_alone(self) -> Iterator[None]:
        """Run the block in the first process, and then in the others, which find there what it has made."""
        if not self.is_first:
            self.wait()
        yield
        if self.is_first:
            self.wait()

    def take(self, tensors: Iterable[Tensor]) -> None:
        """Replace tensors by those of the first process."""
        for tensor in tensors if self.count > 1 else ():
            dist.broadcast(tensor.detach(), 0)

    def average(self, tensors: Iterable[Tensor]) -> None:
        """Replace tensors by their means over the processes."""
        for tensor in tensors if self.count > 1 else ():
            tensor.copy_(self.sum(tensor) / self.count)

    def require_same_draws(self, generator: torch.Generator) -> None:
        """Raise a UserError if the processes have drawn different random numbers from their generators."""
        states = self.stack(generator.get_state())
        if (states != states[0]).any():
            raise UserError(
                "the processes have drawn different random numbers, since the model draws some that depend on its "
                "share of a batch; train it in one process, without torchrun"
            )

    def require_division(self, batch_size: int, norm_parts: int) -> None:
        """Raise a UserError if batches cannot be divided among the processes as a recipe asks."""
        if batch_size % self.count:
            raise UserError(
                f"recipe.batch_size = {batch_size} is the size of the whole batch and cannot be divided by "
                f"{self.count} processes; choose a multiple of {self.count} or another --nproc-per-node"
            )
        if self.count > 1 and norm_parts not in (1, self.count):
            raise UserError(
                f"recipe.norm_parts = {norm_parts} needs {norm_parts} processes or one; choose 1, {self.count} or "
                "another --nproc-per-node"
            )


ALONE = Processes()


def is_launched() -> bool:
    """Return whether `torchrun` has started this process as one of several."""
    return "TORCHELASTIC_RUN_ID" in os.environ and int(os.environ.get("WORLD_SIZE", "1")) > 1


def local_rank() -> int:
    """Return the position of this process among those that `torchrun` has started on this machine."""
    return int(os.environ["LOCAL_RANK"])


@contextmanager
def joined(device: torch.device) -> Iterator[Processes]:
    """Yield the processes that `torchrun` has started with this one; without it, this one alone.

    Args:
        device: device of this process. Processes on GPUs communicate by NCCL, others by Gloo.

    Raises:
        UserError: another process ended while this one was waiting for it.
    """
    if not is_launched():
        yield ALONE
        return
    store, rank, count = _store()
    with connected(store, rank, count, device) as processes:
        yield processes


@contextmanager
def connected(store: Any, rank: int, count: int, device: torch.device) -> Iterator[Processes]:
    """Yield `count` processes that find each other by a store of `torch.distributed`; see `joined`."""
    backend = "gloo"
    if device.type == "cuda":
        torch.cuda.set_device(device)
        # Small values that are on the CPU, such as losses, are exchanged there.
        backend = "cpu:gloo,cuda:nccl"
    try:
        dist.init_process_group(
            backend, store=dist.PrefixStore("ossnet", store), rank=rank, world_size=count, timeout=PATIENCE
        )
        yield Processes(rank, count)
    except RuntimeError as error:
        if not any(part in str(error) for part in LOST_CONNECTION):
            raise
        raise UserError(
            "another process of this training has ended; the last whole epoch is kept, and the same command continues "
            "from there"
        ) from error
    # Not after an error, since the processes would wait for each other.
    dist.destroy_process_group()


def is_first_failure() -> bool:
    """Return True in the first of the processes that calls this, and in one that `torchrun` has not started.

    When a process fails, the others fail for lack of it; only the first has something to say.
    """
    if not is_launched():
        return True
    try:
        return bool(_store()[0].add("ossnet/failures", 1) == 1)
    except RuntimeError:  # Torchrun itself, which keeps the store, has ended.
        return True


@cache
def _store() -> tuple[Any, int, int]:
    """Return the store by which the processes of `torchrun` find each other, the rank and the number of processes."""
    return next(dist.rendezvous("env://"))
