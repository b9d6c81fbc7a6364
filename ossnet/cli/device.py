"""The device of a command, and what its options change in a loaded model."""

import argparse
from dataclasses import replace
from typing import Any

import torch

from ossnet.errors import UserError
from ossnet.model import SegmentationModel
from ossnet.network.execution import Execution, set_execution
from ossnet.training.distributed import is_launched, local_rank


def device_of(arguments: argparse.Namespace) -> torch.device:
    """Return the device to run on, and set the number of CPU threads.

    Raises:
        UserError: there is no such device.
    """
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    name = arguments.device or ("cuda" if torch.cuda.is_available() else "cpu")
    if is_launched() and name.startswith("cuda"):
        return _device_of_process(name)
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UserError(f"--device {name} is not a device; give cpu, cuda or cuda:N") from error
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UserError(
            f"--device {name} does not exist, since torch finds {torch.cuda.device_count()} GPUs; give another or cpu"
        )
    if device.type not in ("cpu", "cuda"):
        raise UserError(f"--device {name} is not supported; give cpu, cuda or cuda:N")
    return device


def _device_of_process(name: str) -> torch.device:
    """Return the GPU of this process, one of several on this machine."""
    if name != "cuda":
        raise UserError(f"--device {name} is one GPU for several processes; give cuda or omit it under torchrun")
    if local_rank() >= torch.cuda.device_count():
        raise UserError(
            f"torchrun has started more processes than the {torch.cuda.device_count()} GPUs that torch finds; lower "
            "--nproc-per-node or add --device cpu"
        )
    return torch.device("cuda", local_rank())


def adapt(model: SegmentationModel, arguments: argparse.Namespace) -> None:
    """Set the precision and the number of slices per pass of a model where they are given."""
    if arguments.precision:
        set_execution(model, Execution(precision=arguments.precision))
    if arguments.max_slices:
        if model.slice_axis is None:
            raise UserError("--max-slices applies only to models that process volumes slice by slice; omit it")
        config: Any = model.config
        model.config = replace(config, max_slices=arguments.max_slices)
