import math
from types import SimpleNamespace

import pytest
import torch

from benchmarks.machine.nvml import UsedMemory
from benchmarks.machine.subprocess_worker import Outcome
from benchmarks.probes import machine
from benchmarks.probes.machine import LOOK_LIMIT_S, Machine, describe, look_at
from benchmarks.probes.records import IDLE_BYTES
from ossnet.errors import UserError


def test_another_process_looks_at_a_device() -> None:
    looked = look_at("cpu", "make gpu")
    assert (looked.name, looked.device) == ("cpu", "cpu")
    told = [looked.provenance[name] for name in ("command", "device", "gpu")]
    assert told == ["make gpu", "cpu", None]


def test_a_gpu_is_described_by_its_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = torch.device("cuda", 0)
    monkeypatch.setattr(machine, "used_memory", {gpu: UsedMemory(None, 5)}.__getitem__)
    monkeypatch.setattr(torch.cuda, "get_device_name", {gpu: "NVIDIA H100"}.__getitem__)
    monkeypatch.setattr(machine, "provenance", lambda command, device: {"command": command, "device": device})
    told = {"command": "make gpu", "device": gpu, "used_bytes": 5}
    assert describe("cuda:0", "make gpu") == Machine("NVIDIA H100", "cuda:0", told)


@pytest.mark.parametrize(("limit_s", "given_s"), [(30, 30), (600, LOOK_LIMIT_S), (math.inf, LOOK_LIMIT_S)])
def test_a_device_that_cannot_be_used_is_told(limit_s: float, given_s: float, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = SimpleNamespace(limit_s=None)

    def fail(*_: object, limit_s: float) -> Outcome:
        asked.limit_s = limit_s
        return Outcome(failure="RuntimeError: busy")

    monkeypatch.setattr(machine, "in_own_process", fail)
    with pytest.raises(UserError, match="cannot use device cuda:0: RuntimeError: busy; mend it, or choose another"):
        look_at("cuda:0", "", limit_s)
    assert asked.limit_s == given_s


@pytest.mark.parametrize("told", [{}, {"used_bytes": None}, {"used_bytes": 0}, {"used_bytes": IDLE_BYTES}])
def test_a_device_of_which_little_is_in_use_is_idle(told: dict[str, int | None]) -> None:
    Machine("NVIDIA H100", "cuda", told).check_idle()


def test_a_device_that_others_use_is_not() -> None:
    used = Machine("NVIDIA H100", "cuda", {"used_bytes": IDLE_BYTES + 1})
    with pytest.raises(UserError, match=r"others use 2\.0 GB of device cuda, .* --shared"):
        used.check_idle()
