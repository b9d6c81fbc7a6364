"""A GPU as its driver reports it through NVML: memory of whole processes, where torch only counts its own tensors."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import pynvml
import torch

T = TypeVar("T")


class Gpu(NamedTuple):
    """A GPU, or a MIG instance of one.

    Attributes:
        uuid: UUID as NVML has it, with its prefix `GPU-` or `MIG-`.
        handle: NVML's handle.
    """

    uuid: str
    handle: Any


@dataclass(frozen=True)
class UsedMemory:
    """Bytes in use on a GPU, each None where it cannot be measured.

    Attributes:
        process_bytes: bytes of this process: its tensors, all else that torch's allocator holds, and the CUDA context.
            None in a container where the driver knows the process by another id than its own.
        device_bytes: bytes of all processes and of the driver itself.
    """

    process_bytes: int | None
    device_bytes: int | None


def used_memory(device: torch.device) -> UsedMemory:
    """Return the memory that is in use now on a CUDA device."""
    return UsedMemory(
        process_bytes=query(device, _of_this_process),
        device_bytes=query(device, lambda gpu: pynvml.nvmlDeviceGetMemoryInfo(gpu.handle).used),
    )


def query(device: torch.device, read: Callable[[Gpu], T]) -> T | None:
    """Read something from the driver of a GPU.

    The GPU is found by its UUID, since torch numbers only those that CUDA_VISIBLE_DEVICES leaves it.

    Args:
        device: a device of torch's.
        read: function that reads it; NVML is initialised during its call.

    Returns:
        The result of `read`; None for a device that is no GPU, and where the driver refuses.
    """
    if device.type != "cuda":
        return None
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return None
    try:
        return none_if_refused(lambda: read(_find(device)))
    finally:
        pynvml.nvmlShutdown()


def none_if_refused(read: Callable[[], T]) -> T | None:
    """Return what a function of NVML returns; None where the driver refuses."""
    try:
        return read()
    except pynvml.NVMLError:
        return None


def _find(device: torch.device) -> Gpu:
    first_visible = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")[0]
    if first_visible.startswith("MIG-"):
        # CUDA gives a process one MIG instance at most, and older drivers give torch the UUID of the GPU around it.
        return Gpu(first_visible, pynvml.nvmlDeviceGetHandleByUUID(first_visible))
    uuid = torch.cuda.get_device_properties(device).uuid
    try:
        return Gpu(f"GPU-{uuid}", pynvml.nvmlDeviceGetHandleByUUID(f"GPU-{uuid}"))
    except pynvml.NVMLError_NotFound:
        return Gpu(f"MIG-{uuid}", pynvml.nvmlDeviceGetHandleByUUID(f"MIG-{uuid}"))


def _of_this_process(gpu: Gpu) -> int | None:
    processes = pynvml.nvmlDeviceGetComputeRunningProcesses(gpu.handle)
    return next((process.usedGpuMemory for process in processes if process.pid == os.getpid()), None)
