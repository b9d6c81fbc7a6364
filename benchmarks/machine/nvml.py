"""What a GPU's driver knows of it, asked through NVML: memory of any process, where torch only counts its tensors."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import pynvml
import torch

T = TypeVar("T")


class Gpu(NamedTuple):
    """A GPU, or a MIG instance of one, as NVML names it and by its handle."""

    uuid: str
    handle: Any


@dataclass(frozen=True)
class UsedMemory:
    """Bytes in use on a GPU, each None where it cannot be measured.

    Attributes:
        process_bytes: of this process: its tensors, all else that torch's allocator holds, and the CUDA context. Within
            a container, the driver may know the process by another id than its own, and then does not tell.
        device_bytes: of all processes and of the driver itself.
    """

    process_bytes: int | None
    device_bytes: int | None


def used_memory(device: torch.device) -> UsedMemory:
    """What is in use now on a CUDA device of torch's."""
    return UsedMemory(
        process_bytes=ask(device, _of_this_process),
        device_bytes=ask(device, lambda gpu: pynvml.nvmlDeviceGetMemoryInfo(gpu.handle).used),
    )


def ask(device: torch.device, question: Callable[[Gpu], T]) -> T | None:
    """What `question` finds out about a device; None for one that is no GPU, and where the driver does not tell.

    The device is found by its UUID, since torch counts only those that CUDA_VISIBLE_DEVICES leaves it.
    """
    if device.type != "cuda":
        return None
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return None
    try:
        return answer_of(lambda: question(_find(device)))
    finally:
        pynvml.nvmlShutdown()


def answer_of(question: Callable[[], T]) -> T | None:
    """Return the driver's answer to a question; None where it refuses one."""
    try:
        return question()
    except pynvml.NVMLError:
        return None


def _find(device: torch.device) -> Gpu:
    first_visible = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")[0]
    if first_visible.startswith("MIG-"):
        # CUDA gives a process one MIG instance at most, and older drivers tell torch the UUID of the GPU around it.
        return Gpu(first_visible, pynvml.nvmlDeviceGetHandleByUUID(first_visible))
    uuid = torch.cuda.get_device_properties(device).uuid
    try:
        return Gpu(f"GPU-{uuid}", pynvml.nvmlDeviceGetHandleByUUID(f"GPU-{uuid}"))
    except pynvml.NVMLError_NotFound:
        return Gpu(f"MIG-{uuid}", pynvml.nvmlDeviceGetHandleByUUID(f"MIG-{uuid}"))


def _of_this_process(gpu: Gpu) -> int | None:
    processes = pynvml.nvmlDeviceGetComputeRunningProcesses(gpu.handle)
    return next((process.usedGpuMemory for process in processes if process.pid == os.getpid()), None)
