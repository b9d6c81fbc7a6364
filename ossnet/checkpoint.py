"""Checkpoints that hold everything needed to go on, and weights for use."""

import pickle
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from ossnet.errors import UserError
from ossnet.files import replacing


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write a state of tensors and plain values, whole or not at all."""
    with replacing(path) as temporary:
        torch.save(state, temporary)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """A state that `save_checkpoint` wrote, on the CPU, without running code from the file.

    Raises:
        UserError: the file is damaged or holds something else.
    """
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        return state
    except (OSError, pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        raise UserError(f"checkpoint {path} is damaged; delete it to start that run again") from error


def save_weights(path: Path, weights: dict[str, Tensor]) -> None:
    """Write a state dict as safetensors, whole or not at all."""
    with replacing(path) as temporary:
        safetensors.torch.save_file({name: tensor.contiguous() for name, tensor in weights.items()}, temporary)


def load_weights(path: Path) -> dict[str, Tensor]:
    """Raises UserError where the file is missing or damaged."""
    try:
        return safetensors.torch.load_file(path)
    except FileNotFoundError as error:
        raise UserError(f"there is no {path}; is that the folder of a finished training?") from error
    except (OSError, SafetensorError) as error:
        raise UserError(f"weights {path} are damaged; train again or fetch the file again") from error
