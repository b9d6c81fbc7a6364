"""Who answers probes: a GPU or CPU of this machine, or the prediction, which needs none."""

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

LOOK_LIMIT_S = 60.0
"""A driver that takes longer to start will not start."""


@dataclass(frozen=True)
class Machine:
    """Who answers probes.

    Attributes:
        name: in records: `predicted`, `cpu`, or the GPU's as its driver tells it.
        device: by its name in torch; None for the prediction.
        provenance: of its records; see `ProbeRecord`.
    """

    name: str
    device: str | None
    provenance: Mapping[str, Any] = field(repr=False)

    def check_idle(self) -> None:
        """Raises UserError where others use much of a GPU's memory, so far as its driver tells."""
        if used_bytes := used_by_others(self.provenance):
            raise UserError(
                f"others use {used_bytes / GIGABYTE:.1f} GB of device {self.device}, so that probes which would fit "
                "may run out of memory: end them, choose another GPU by CUDA_VISIBLE_DEVICES, or measure all the same "
                "with --shared (make: OPTIONS=--shared)"
            )


def look_at(device: str, command: str, limit_s: float = math.inf) -> Machine:
    """The machine that a device is of. Another process looks, since this one must not take memory that is measured.

    Args:
        command: that measures, for the provenance.
        limit_s: seconds after which it is given up, if `LOOK_LIMIT_S` are not over before.

    Raises:
        UserError: the device cannot be used.
    """
    looked = in_own_process(describe, device, command, limit_s=min(limit_s, LOOK_LIMIT_S))
    if looked.failure is not None:
        raise UserError(
            f"cannot use device {device}: {looked.failure}; mend it, or choose another, or none, by "
            "CUDA_VISIBLE_DEVICES"
        )
    machine: Machine = looked.result
    return machine


def describe(device: str, command: str) -> Machine:
    """The machine that a device of this process is of."""
    on = torch.device(device)
    if on.type != "cuda":
        return Machine(CPU, device, provenance(command, on))
    # Asked before this process takes some.
    used_bytes = used_memory(on).device_bytes
    return Machine(torch.cuda.get_device_name(on), device, {**provenance(command, on), "used_bytes": used_bytes})
