"""The model of the caching allocator, by sums worked out by hand and by what must hold of any allocator."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ossnet.memory.allocator import BLOCK_BYTES, MIB, Block, CachingAllocator

SIZES = st.one_of(st.integers(1, 4 * BLOCK_BYTES), st.integers(1, 2 * MIB), st.integers(1, 64 * MIB))


@pytest.mark.parametrize(
    ("size", "allocated", "reserved"),
    [
        (1, 512, 2 * MIB),
        (513, 1024, 2 * MIB),
        (MIB, MIB, 2 * MIB),
        (MIB + 1, MIB + 512, 20 * MIB),
        (10 * MIB - 512, 10 * MIB - 512, 20 * MIB),
        (10 * MIB, 10 * MIB, 10 * MIB),
        # The rest of the segment is a MiB, which is not split off; half a KiB more is.
        (11 * MIB, 12 * MIB, 12 * MIB),
        (11 * MIB - 512, 11 * MIB - 512, 12 * MIB),
        (100 * MIB, 100 * MIB, 100 * MIB),
    ],
)
def test_one_allocation(size: int, allocated: int, reserved: int) -> None:
    allocator = CachingAllocator()
    assert allocator.allocate(size).size == allocated
    assert (allocator.allocated_bytes, allocator.reserved_bytes) == (allocated, reserved)


def test_small_allocations_share_a_segment() -> None:
    allocator = CachingAllocator()
    for _ in range(4096):
        allocator.allocate(1)
    assert allocator.allocated_bytes == allocator.reserved_bytes == 2 * MIB
    allocator.allocate(1)
    assert allocator.reserved_bytes == 4 * MIB


def test_pools_do_not_share() -> None:
    allocator = CachingAllocator()
    allocator.free(allocator.allocate(100 * MIB))
    allocator.allocate(MIB)
    assert allocator.reserved_bytes == 102 * MIB


def test_the_smallest_block_that_fits_is_taken() -> None:
    allocator = CachingAllocator()
    large, small = allocator.allocate(40 * MIB), allocator.allocate(30 * MIB)
    allocator.free(large)
    allocator.free(small)
    assert allocator.allocate(30 * MIB).address == small.address
    assert allocator.allocate(40 * MIB).address == large.address
    assert allocator.reserved_bytes == 70 * MIB


def test_neighbours_that_are_free_become_one() -> None:
    allocator = CachingAllocator()
    first, second, third = (allocator.allocate(5 * MIB) for _ in range(3))
    assert allocator.reserved_bytes == 20 * MIB
    allocator.free(first)
    allocator.free(third)
    # Between them second is in use: no 15 MiB in one piece, though as many are free.
    allocator.free(allocator.allocate(15 * MIB))
    assert allocator.reserved_bytes == 36 * MIB
    allocator.free(second)
    assert allocator.allocate(20 * MIB).address == first.address
    assert allocator.reserved_bytes == 36 * MIB


def test_a_cut_block_leaves_its_rest_to_others() -> None:
    allocator = CachingAllocator()
    allocator.free(allocator.allocate(40 * MIB))
    for _ in range(4):
        allocator.allocate(10 * MIB)
    assert allocator.allocated_bytes == allocator.reserved_bytes == 40 * MIB


HISTORIES = st.lists(st.tuples(SIZES, st.integers(0, 30)), min_size=1, max_size=60)


def test_the_best_fit_can_leave_gaps() -> None:
    allocator = CachingAllocator()
    reserved = []
    for _ in range(2):
        blocks = [allocator.allocate(size * MIB) for size in (5, 16, 15)]
        reserved.append(allocator.reserved_bytes // MIB)
        for block in blocks:
            allocator.free(block)
    # First 5 and 15 from a segment of 20; then 5 from that of 16, 16 from that of 20, and no room for 15.
    assert reserved == [36, 52]


ONE_KIND_OF_SEGMENT = st.one_of(
    st.lists(st.integers(*sizes), min_size=1, max_size=40)
    for sizes in ((1, MIB), (MIB + 1, 10 * MIB - 512), (10 * MIB, 64 * MIB))
)


@given(ONE_KIND_OF_SEGMENT)
def test_the_same_again_takes_no_new_segment(sizes: list[int]) -> None:
    allocator = CachingAllocator()
    reserved = []
    for _ in range(3):
        blocks = [allocator.allocate(size) for size in sizes]
        assert allocator.allocated_bytes >= sum(sizes)
        reserved.append(allocator.reserved_bytes)
        for block in blocks:
            allocator.free(block)
    assert len(set(reserved)) == 1


@given(HISTORIES)
def test_blocks_in_use_do_not_overlap_and_what_is_freed_can_be_had_again(history: list[tuple[int, int]]) -> None:
    allocator = CachingAllocator()
    live: list[Block] = []
    for size, choice in history:
        block = allocator.allocate(size)
        assert block.size >= size
        live.append(block)
        if choice < 20:
            allocator.free(live.pop(choice % len(live)))
        ends = sorted((block.address, block.address + block.size) for block in live)
        assert all(end <= start for (_, end), (start, _) in pairwise(ends))
        assert allocator.allocated_bytes == sum(block.size for block in live) <= allocator.reserved_bytes
    for block in live:
        allocator.free(block)
    assert allocator.allocated_bytes == 0
    # Every segment is one free block again; the largest size fits into one of them.
    reserved = allocator.reserved_bytes
    allocator.allocate(max(size for size, _ in history))
    assert allocator.reserved_bytes == reserved


def test_where_the_gpu_is_full_free_segments_are_let_go() -> None:
    allocator = CachingAllocator(capacity_bytes=102 * MIB)
    allocator.allocate(12 * MIB)
    allocator.free(allocator.allocate(40 * MIB))
    # From the free segment, which then is in use in part and cannot be let go.
    allocator.allocate(4 * MIB)
    allocator.free(allocator.allocate(48 * MIB))
    assert allocator.reserved_bytes == (12 + 40 + 48) * MIB
    allocator.allocate(50 * MIB)
    assert allocator.reserved_bytes == allocator.peak_reserved_bytes == (12 + 40 + 50) * MIB
    # No segment is free as a whole any more: this is more than the GPU has.
    allocator.allocate(40 * MIB)
    assert allocator.peak_reserved_bytes == (12 + 40 + 50 + 40) * MIB
    assert allocator.allocated_bytes == (12 + 4 + 50 + 40) * MIB


@given(HISTORIES, st.integers(0, 2**30))
def test_a_full_gpu_holds_what_is_in_use_and_a_large_one_as_without_limit(
    history: list[tuple[int, int]], capacity: int
) -> None:
    unlimited, full, large = CachingAllocator(), CachingAllocator(capacity), CachingAllocator(2**60)
    live: list[list[Block]] = [[], [], []]
    for size, choice in history:
        for allocator, blocks in zip((unlimited, full, large), live, strict=True):
            blocks.append(allocator.allocate(size))
            if choice < 20:
                allocator.free(blocks.pop(choice % len(blocks)))
            assert allocator.peak_reserved_bytes >= allocator.reserved_bytes >= allocator.allocated_bytes
    assert large.peak_reserved_bytes == unlimited.peak_reserved_bytes
