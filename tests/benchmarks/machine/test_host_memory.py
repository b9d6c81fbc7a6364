import os

from benchmarks.machine.host_memory import available_memory


def test_available_memory_is_a_part_of_all() -> None:
    assert 0 < available_memory() <= os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
