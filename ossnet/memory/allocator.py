"""Model of PyTorch's caching allocator of GPU memory: what it reserves for a sequence of allocations and frees.

It follows `c10/cuda/CUDACachingAllocator.cpp` with its default settings and one stream.
"""

import math
from bisect import bisect_left, insort
from dataclasses import dataclass, field

MIB = 2**20

BLOCK_BYTES = 512
"""Sizes are rounded up to multiples of this size."""

LARGEST_SMALL_BYTES = MIB
"""Allocations up to this size come from the small pool, larger ones from the large pool."""

SMALL_SEGMENT_BYTES = 2 * MIB
LARGE_SEGMENT_BYTES = 20 * MIB
"""Segment of the large pool for allocations below `LEAST_OWN_SEGMENT_BYTES`."""

LEAST_OWN_SEGMENT_BYTES = 10 * MIB
"""From this size on an allocation for which no cached block fits gets a segment of its own size, rounded up."""

OWN_SEGMENT_ROUNDING_BYTES = 2 * MIB


def rounded(size: int, multiple: int) -> int:
    """Return `size` rounded up to a multiple."""
    return -(-size // multiple) * multiple


@dataclass(eq=False, slots=True)
class Block:
    """Part of a segment, free or in use, between its neighbours there."""

    address: int
    size: int
    pool: "_Pool"
    free: bool = False
    before: "Block | None" = None
    after: "Block | None" = None


@dataclass(eq=False, slots=True)
class _Pool:
    """Free blocks of segments of one kind.

    Attributes:
        least_rest: smallest rest of a block, in bytes, that is split off for later.
        order: (size, address) of the free blocks, ascending: the best fit is the first that is large enough.
        blocks: free blocks by address.
    """

    least_rest: int
    order: list[tuple[int, int]] = field(default_factory=list)
    blocks: dict[int, Block] = field(default_factory=dict)

    def add(self, block: Block) -> None:
        block.free = True
        insort(self.order, (block.size, block.address))
        self.blocks[block.address] = block

    def remove(self, block: Block) -> None:
        block.free = False
        del self.order[bisect_left(self.order, (block.size, block.address))]
        del self.blocks[block.address]

    def take(self, size: int) -> Block | None:
        """Take the smallest free block of `size` or more, and of several the one of the lowest address."""
        place = bisect_left(self.order, (size, 0))
        if place == len(self.order):
            return None
        block = self.blocks[self.order[place][1]]
        self.remove(block)
        return block

    def let_go(self) -> int:
        """Release the segments that are wholly free to the GPU, and return their bytes."""
        whole = [block for block in self.blocks.values() if block.before is None and block.after is None]
        for block in whole:
            self.remove(block)
        return sum(block.size for block in whole)


class CachingAllocator:
    """Allocator of blocks from segments that it keeps when their blocks are freed.

    Args:
        capacity_bytes: memory of the GPU for segments. Where one more would exceed it, all segments without a block in
            use are released first. Memory beyond the capacity is still allocated, where a GPU would be out of memory.

    Attributes:
        allocated_bytes: size of the blocks in use, as `torch.cuda.memory_allocated` reports it.
        reserved_bytes: size of all segments, as `torch.cuda.memory_reserved` reports it.
        peak_reserved_bytes: largest `reserved_bytes` so far; above `capacity_bytes` only where the GPU's memory would
            not be enough.
    """

    def __init__(self, capacity_bytes: float = math.inf) -> None:
        self.allocated_bytes = self.reserved_bytes = self.peak_reserved_bytes = 0
        self._capacity_bytes = capacity_bytes
        self._next_address = 0
        self._small = _Pool(least_rest=BLOCK_BYTES)
        self._large = _Pool(least_rest=LARGEST_SMALL_BYTES + 1)

    def allocate(self, size: int) -> Block:
        """Allocate a block of at least `size` bytes, one or more.

        It is larger where the rest of a cached block would be too small to be split off.
        """
        size = rounded(size, BLOCK_BYTES)
        pool = self._small if size <= LARGEST_SMALL_BYTES else self._large
        block = pool.take(size) or self._new_segment(size, pool)
        if block.size - size >= pool.least_rest:
            rest = Block(block.address + size, block.size - size, pool, before=block, after=block.after)
            if rest.after is not None:
                rest.after.before = rest
            block.after, block.size = rest, size
            pool.add(rest)
        self.allocated_bytes += block.size
        return block

    def free(self, block: Block) -> None:
        """Free a block, and join it with free neighbours."""
        self.allocated_bytes -= block.size
        pool = block.pool
        if block.after is not None and block.after.free:
            pool.remove(block.after)
            _swallow(block, block.after)
        if block.before is not None and block.before.free:
            pool.remove(block.before)
            _swallow(block.before, block)
            block = block.before
        pool.add(block)

    def _new_segment(self, size: int, pool: _Pool) -> Block:
        if pool is self._small:
            segment = SMALL_SEGMENT_BYTES
        elif size < LEAST_OWN_SEGMENT_BYTES:
            segment = LARGE_SEGMENT_BYTES
        else:
            segment = rounded(size, OWN_SEGMENT_ROUNDING_BYTES)
        if self.reserved_bytes + segment > self._capacity_bytes:
            self.reserved_bytes -= self._small.let_go() + self._large.let_go()
        self.reserved_bytes += segment
        self.peak_reserved_bytes = max(self.peak_reserved_bytes, self.reserved_bytes)
        # Segments follow each other in one address space, which only decides between blocks of one size.
        address, self._next_address = self._next_address, self._next_address + segment
        return Block(address, segment, pool)


def _swallow(block: Block, after: Block) -> None:
    """Join a block with the one after it."""
    block.size += after.size
    block.after = after.after
    if block.after is not None:
        block.after.before = block
