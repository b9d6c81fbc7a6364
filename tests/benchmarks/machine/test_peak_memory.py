"""Peaks of memory: of this process on the CPU, of a GPU that is pretended."""

from collections.abc import Callable, Iterator

import pytest
import torch

from benchmarks.machine import peak_memory
from benchmarks.machine.nvml import UsedMemory
from benchmarks.machine.peak_memory import PeakMemory, highest

MEGABYTE = 2**20


def test_on_a_cpu_only_what_is_watched_counts(touch_memory: Callable[[int], None]) -> None:
    touch_memory(300)
    peak = PeakMemory(torch.device("cpu"))
    with peak.watch():
        pass
    before = peak.peaks["resident_bytes"]
    with peak.watch():
        touch_memory(100)
    assert before is not None
    assert peak.peaks["resident_bytes"] is not None
    assert 99 * MEGABYTE < peak.peaks["resident_bytes"] - before < 150 * MEGABYTE
    touch_memory(300)
    with peak.watch():
        pass
    assert peak.peaks["resident_bytes"] - before < 150 * MEGABYTE
    peak.add({"allocated_bytes": 7})
    assert peak.peaks["allocated_bytes"] == 7


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, int]]:
    """The bytes that a pretended GPU has in use."""
    used = {"allocated": 0, "reserved": 0, "process": 0}
    monkeypatch.setattr(torch.cuda, "init", lambda: None)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: used.update(reserved=0))
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda device: used.update(allocated=0))
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: used["allocated"])
    monkeypatch.setattr(torch.cuda, "max_memory_reserved", lambda device: used["reserved"])
    monkeypatch.setattr(peak_memory, "used_memory", lambda device: UsedMemory(used["process"] or None, None))
    return used


def test_on_a_gpu_torch_and_the_driver_are_asked(gpu: dict[str, int]) -> None:
    gpu.update(allocated=900, reserved=900)
    peak = PeakMemory(torch.device("cuda"))
    with peak.watch():
        gpu.update(allocated=10, reserved=20)
        peak.note()
        gpu.update(allocated=5, reserved=20, process=30)
    with peak.watch():
        gpu.update(allocated=12, reserved=20, process=0)
    counted = {name: count for name, count in peak.peaks.items() if name != "resident_bytes"}
    assert counted == {"allocated_bytes": 12, "reserved_bytes": 20, "process_bytes": 30}


def test_the_highest_of_what_is_known() -> None:
    assert highest([]) == {}
    assert highest([{"a": 1, "b": None}, {}, {"a": 3, "b": None, "c": 0}]) == {"a": 3, "b": None, "c": 0}
