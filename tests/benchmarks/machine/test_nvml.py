import os
from collections.abc import Callable, Mapping
from types import SimpleNamespace

import pynvml
import pytest
import torch

from benchmarks.machine.nvml import UsedMemory, used_memory

GPU = torch.device("cuda", 1)
NOT_MEASURED = UsedMemory(None, None)

Install = Callable[..., None]


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> Install:
    """Put a driver in the place of `pynvml`.

    It knows the devices of `devices` by UUID, with the bytes used on each; `processes` are (pid, bytes) on all of them.
    The functions in `fails` fail. Torch takes its second device for the one with the UUID `12ab`.
    """
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(torch.cuda, "get_device_properties", {GPU: SimpleNamespace(uuid="12ab")}.__getitem__)
    opened = 0

    def install(
        devices: Mapping[str, int], processes: Mapping[int, int | None], fails: Mapping[str, int] | None = None
    ) -> None:
        def check(function: str) -> None:
            if function in (fails or {}):
                raise pynvml.NVMLError((fails or {})[function])
            assert opened == 1 or function == "nvmlInit"

        def start() -> None:
            nonlocal opened
            check("nvmlInit")
            opened += 1

        def stop() -> None:
            nonlocal opened
            opened -= 1

        def find(uuid: str) -> str:
            check("nvmlDeviceGetHandleByUUID")
            if uuid not in devices:
                raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_FOUND)
            return uuid

        def memory(handle: str) -> SimpleNamespace:
            check("nvmlDeviceGetMemoryInfo")
            return SimpleNamespace(used=devices[handle])

        def running(handle: str) -> list[SimpleNamespace]:
            check("nvmlDeviceGetComputeRunningProcesses")
            return [SimpleNamespace(pid=pid, usedGpuMemory=used) for pid, used in processes.items()]

        monkeypatch.setattr(pynvml, "nvmlInit", start)
        monkeypatch.setattr(pynvml, "nvmlShutdown", stop)
        monkeypatch.setattr(pynvml, "nvmlDeviceGetHandleByUUID", find)
        monkeypatch.setattr(pynvml, "nvmlDeviceGetMemoryInfo", memory)
        monkeypatch.setattr(pynvml, "nvmlDeviceGetComputeRunningProcesses", running)

    return install


def test_memory_of_this_process_and_of_the_device_that_torch_uses(driver: Install) -> None:
    driver({"GPU-0000": 1, "GPU-12ab": 9000}, {1: 100, os.getpid(): 700})
    assert used_memory(GPU) == UsedMemory(process_bytes=700, device_bytes=9000)


def test_a_process_that_the_driver_does_not_list_is_not_measured(driver: Install) -> None:
    driver({"GPU-12ab": 9000}, {1: 100})
    assert used_memory(GPU) == UsedMemory(process_bytes=None, device_bytes=9000)


def test_a_process_whose_memory_the_driver_does_not_tell_is_not_measured(driver: Install) -> None:
    driver({"GPU-12ab": 9000}, {os.getpid(): None})
    assert used_memory(GPU) == UsedMemory(process_bytes=None, device_bytes=9000)


def test_processes_that_may_not_be_asked_for_leave_the_device(driver: Install) -> None:
    refused = {"nvmlDeviceGetComputeRunningProcesses": pynvml.NVML_ERROR_NO_PERMISSION}
    driver({"GPU-12ab": 9000}, {}, refused)
    assert used_memory(GPU) == UsedMemory(process_bytes=None, device_bytes=9000)


def test_a_device_whose_memory_is_refused_leaves_the_process(driver: Install) -> None:
    driver({"GPU-12ab": 9000}, {os.getpid(): 700}, {"nvmlDeviceGetMemoryInfo": pynvml.NVML_ERROR_NOT_SUPPORTED})
    assert used_memory(GPU) == UsedMemory(process_bytes=700, device_bytes=None)


def test_a_mig_instance_is_found_by_the_name_that_makes_it_visible(
    driver: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "MIG-77cd,MIG-88ef")
    driver({"GPU-12ab": 9000, "MIG-77cd": 800}, {os.getpid(): 700})
    assert used_memory(GPU) == UsedMemory(process_bytes=700, device_bytes=800)


def test_a_mig_instance_is_found_where_torch_tells_its_uuid(driver: Install) -> None:
    driver({"GPU-0000": 9000, "MIG-12ab": 800}, {os.getpid(): 700})
    assert used_memory(GPU) == UsedMemory(process_bytes=700, device_bytes=800)


@pytest.mark.parametrize(
    "fails",
    [
        {"nvmlInit": pynvml.NVML_ERROR_LIBRARY_NOT_FOUND},
        {"nvmlInit": pynvml.NVML_ERROR_DRIVER_NOT_LOADED},
        {"nvmlDeviceGetHandleByUUID": pynvml.NVML_ERROR_GPU_IS_LOST},
    ],
)
def test_without_a_driver_that_tells_nothing_is_measured(driver: Install, fails: dict[str, int]) -> None:
    driver({"GPU-12ab": 9000}, {os.getpid(): 700}, fails)
    assert used_memory(GPU) == NOT_MEASURED


def test_a_gpu_that_the_driver_does_not_know_is_not_measured(driver: Install) -> None:
    driver({"GPU-0000": 9000}, {os.getpid(): 700})
    assert used_memory(GPU) == NOT_MEASURED


def test_no_driver_is_asked_for_a_cpu(driver: Install) -> None:
    driver({}, {}, {"nvmlInit": pynvml.NVML_ERROR_UNKNOWN})
    assert used_memory(torch.device("cpu")) == NOT_MEASURED
