import os
from collections.abc import Callable, Mapping
from types import MappingProxyType, SimpleNamespace

import pynvml
import pytest
import torch

from benchmarks.machine.nvml import UsedMemory, used_memory

GPU = torch.device("cuda", 1)

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
        devices: Mapping[str, int], processes: Mapping[int, int | None], fails: Mapping[str, int] = MappingProxyType({})
    ) -> None:
        def check(function: str) -> None:
            if function in fails:
                raise pynvml.NVMLError(fails[function])
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


ONE = {"GPU-12ab": 9000}
OURS = {os.getpid(): 700}


@pytest.mark.parametrize(
    ("devices", "processes", "fails", "process_bytes", "device_bytes"),
    [
        pytest.param({"GPU-0000": 1} | ONE, {1: 100} | OURS, {}, 700, 9000, id="the device that torch uses"),
        pytest.param(
            {"GPU-0000": 9000, "MIG-12ab": 800}, OURS, {}, 700, 800, id="a MIG instance whose UUID torch tells"
        ),
        pytest.param(ONE, {1: 100}, {}, None, 9000, id="a process that is not listed"),
        pytest.param(ONE, {os.getpid(): None}, {}, None, 9000, id="a process without its memory"),
        pytest.param(
            ONE,
            OURS,
            {"nvmlDeviceGetComputeRunningProcesses": pynvml.NVML_ERROR_NO_PERMISSION},
            *(None, 9000),
            id="processes that may not be asked for",
        ),
        pytest.param(
            ONE,
            OURS,
            {"nvmlDeviceGetMemoryInfo": pynvml.NVML_ERROR_NOT_SUPPORTED},
            *(700, None),
            id="a device whose memory is refused",
        ),
        pytest.param({"GPU-0000": 9000}, OURS, {}, None, None, id="a GPU that the driver does not know"),
        pytest.param(ONE, OURS, {"nvmlInit": pynvml.NVML_ERROR_LIBRARY_NOT_FOUND}, None, None, id="no library"),
        pytest.param(ONE, OURS, {"nvmlInit": pynvml.NVML_ERROR_DRIVER_NOT_LOADED}, None, None, id="no driver"),
        pytest.param(
            ONE, OURS, {"nvmlDeviceGetHandleByUUID": pynvml.NVML_ERROR_GPU_IS_LOST}, None, None, id="a lost GPU"
        ),
    ],
)
def test_memory_of_this_process_and_of_the_device(
    devices: dict[str, int],
    processes: dict[int, int | None],
    fails: dict[str, int],
    process_bytes: int | None,
    device_bytes: int | None,
    driver: Install,
) -> None:
    driver(devices, processes, fails)
    assert used_memory(GPU) == UsedMemory(process_bytes, device_bytes)


def test_a_mig_instance_is_found_by_the_name_that_makes_it_visible(
    driver: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "MIG-77cd,MIG-88ef")
    driver(ONE | {"MIG-77cd": 800}, OURS)
    assert used_memory(GPU) == UsedMemory(process_bytes=700, device_bytes=800)


def test_no_driver_is_asked_for_a_cpu(driver: Install) -> None:
    driver({}, {}, {"nvmlInit": pynvml.NVML_ERROR_UNKNOWN})
    assert used_memory(torch.device("cpu")) == UsedMemory(None, None)
