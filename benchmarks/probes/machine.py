"""Machines that answer probes: a GPU or CPU of this machine, or the prediction, which needs no device."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from benchmarks.machine.nvml import used_memory
from benchmarks.machine.provenance import provenance
from benchmarks.machine.subprocess_worker import in_own_process
from benchmarks.probes.records import CPU, GIGABYTE, used_by_others
from ossnet.errors import UserError

DETECTION_LIMIT_S = 60.0
"""Time limit in seconds; a driver that takes longer to start will not start."""


@dataclass(frozen=True)
class Machine:
    """Machine that answers probes.

    Attributes:
        name: name in records: `predicted`, `cpu`, or the GPU's name as its driver reports it.
        device: name of the device in torch; None for the prediction.
        provenance: provenance of the machine's records; see `ProbeRecord`.
    """

    name: str
    device: str | None
    provenance: Mapping[str, Any] = field(repr=False)

    def check_idle(self) -> None:
        """Raise a UserError if other processes use much of the GPU's memory, as far as its driver reports it."""
        if used_bytes := used_by_others(self.provenance):
            raise UserError(
                f"other processes use {used_bytes / GIGABYTE:.1f} GB of device {self.device}, so that probes may run "
                "out of memory: end them, choose another GPU with CUDA_VISIBLE_DEVICES, or measure anyway with "
                "--shared (make: OPTIONS=--shared)"
            )


def detect(device: str, command: str, limit_s: float = math.inf) -> Machine:
    """Return the machine of a device, detected by another process.

    This process must not take any of the memory that is measured.

    Args:
        device: name of the device in torch.
        command: command line of the measurement, for the provenance.
        limit_s: time limit in seconds, in addition to `DETECTION_LIMIT_S`.

    Raises:
        UserError: the device cannot be used.
    """
    outcome = in_own_process(describe, device, command, limit_s=min(limit_s, DETECTION_LIMIT_S))
    if outcome.failure is not None:
        raise UserError(
            f"cannot use device {device}: {outcome.failure}; repair it, or choose another device or none with "
            "CUDA_VISIBLE_DEVICES"
        )
    machine: Machine = outcome.result
    return machine


def describe(device: str, command: str) -> Machine:
    """Return the machine of a device, from this process."""
    torch_device = torch.device(device)
    if torch_device.type != "cuda":
        return Machine(CPU, device, provenance(command, torch_device))
    # Read before this process takes memory on the device.
    used_bytes = used_memory(torch_device).device_bytes
    name = torch.cuda.get_device_name(torch_device)
    return Machine(name, device, {**provenance(command, torch_device), "used_bytes": used_bytes})
