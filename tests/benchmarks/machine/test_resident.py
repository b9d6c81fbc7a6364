"""The peak of this process's resident set."""

from collections.abc import Callable

from benchmarks.machine.resident import peak_resident, restart_peak_resident

MEGABYTE = 2**20


def test_the_peak_is_that_since_it_was_restarted(touch_memory: Callable[[int], None]) -> None:
    touch_memory(200)
    before = restart_peak_resident()
    touch_memory(64)
    assert 63 * MEGABYTE < peak_resident() - before < 150 * MEGABYTE
