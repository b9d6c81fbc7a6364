import math
from types import SimpleNamespace

import pytest
import torch

from benchmarks.machine.nvml import UsedMemory
from benchmarks.machine.subprocess_worker import Outcome
from benchmarks.probes import machine
from benchmarks.probes.machine import DETECTION_LIMIT_S, Machine, describe, detect
from benchmarks.probes.records import IDLE_BYTES
from ossnet.errors import UserError


def test_another_process_detects_a_machine() -> None:
    detected = detect("cpu", "make gpu")
    assert (detected.name, detected.device) == ("cpu", "cpu")
    provenance = [detected.provenance[name] for name in ("command", "device", "gpu")]
    assert provenance == ["make gpu", "cpu", None]


def test_a_gpu_is_described_by_its_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = torch.device("cuda", 0)
    monkeypatch.setattr(machine, "used_memory", {gpu: UsedMemory(None, 5)}.__getitem__)
    monkeypatch.setattr(torch.cuda, "get_device_name", {gpu: "NVIDIA H100"}.__getitem__)
    monkeypatch.setattr(machine, "provenance", lambda command, device: {"command": command, "device": device})
    provenance = {"command": "make gpu", "device": gpu, "used_bytes": 5}
    assert describe("cuda:0", "make gpu") == Machine("NVIDIA H100", "cuda:0", provenance)


@pytest.mark.parametrize(("limit_s", "expected_s"), [(30, 30), (600, DETECTION_LIMIT_S), (math.inf, DETECTION_LIMIT_S)])
def test_a_device_that_cannot_be_used_is_named(
    limit_s: float, expected_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = SimpleNamespace(limit_s=None)

    def fail(*_: object, limit_s: float) -> Outcome:
        given.limit_s = limit_s
        return Outcome(failure="RuntimeError: busy")

    monkeypatch.setattr(machine, "in_own_process", fail)
    with pytest.raises(UserError, match=r"device cuda:0: RuntimeError: busy; .* CUDA_VISIBLE_DEVICES"):
        detect("cuda:0", "", limit_s)
    assert given.limit_s == expected_s


def test_a_device_is_idle_of_which_little_is_in_use() -> None:
    for provenance in ({}, {"used_bytes": None}, {"used_bytes": 0}, {"used_bytes": IDLE_BYTES}):
        Machine("NVIDIA H100", "cuda", provenance).check_idle()
    used = Machine("NVIDIA H100", "cuda", {"used_bytes": IDLE_BYTES + 1})
    with pytest.raises(UserError, match=r"2\.0 GB of device cuda, .* --shared"):
        used.check_idle()
