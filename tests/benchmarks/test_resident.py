"""The peak of this process's resident set."""

import mmap

from benchmarks.resident import peak_resident, restart_peak_resident

MEGABYTE = 2**20


def touched(megabytes: int) -> mmap.mmap:
    """Memory of the process's own that has something in every page."""
    block = mmap.mmap(-1, megabytes * MEGABYTE)
    block[:: mmap.PAGESIZE] = bytes(len(block) // mmap.PAGESIZE)
    return block


def test_the_peak_is_that_since_it_was_restarted() -> None:
    touched(200).close()
    before = restart_peak_resident()
    touched(64).close()
    assert 63 * MEGABYTE < peak_resident() - before < 150 * MEGABYTE
