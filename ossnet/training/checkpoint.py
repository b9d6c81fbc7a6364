"""Checkpoints that hold everything needed to go on, and weights for use."""

import io
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from ossnet.errors import UserError
from ossnet.files import replacing, unreadable
from ossnet.model import without_wrappers


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write a state of tensors and plain values, whole or not at all."""
    # Through memory: written straight to a full disk, torch and safetensors raise errors of their own kinds.
    buffer = io.BytesIO()
    torch.save(state, buffer)
    with replacing(path) as temporary:
        temporary.write_bytes(buffer.getbuffer())


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Load a state that `save_checkpoint` wrote, on the CPU, without running code from the file.

    Raises:
        UserError: the file cannot be read, is damaged or holds something else.
    """
    try:
        state: dict[str, Any] = dict(torch.load(path, map_location="cpu", weights_only=True))
    except Exception as error:  # Of damaged bytes an unpickler makes errors of any kind.
        damaged = f"checkpoint {path} is damaged; delete it to start that run again"
        raise unreadable(path, error, damaged) from error
    return state


def save_weights(path: Path, weights: dict[str, Tensor]) -> None:
    """Write a state dict as safetensors, whole or not at all."""
    contents = safetensors.torch.save({name: tensor.contiguous() for name, tensor in weights.items()})
    with replacing(path) as temporary:
        temporary.write_bytes(contents)


def load_weights(path: Path) -> dict[str, Tensor]:
    """Load a state dict from safetensors, on the CPU, with its names as the bare model has them.

    Raises:
        UserError: the file is missing, cannot be read or is damaged.
    """
    try:
        # Safetensors calls every file missing that it cannot open.
        with path.open("rb"):
            return without_wrappers(safetensors.torch.load_file(path))
    except FileNotFoundError as error:
        raise UserError(f"there is no {path}; is that the folder of a finished training?") from error
    except (OSError, MemoryError, RuntimeError, SafetensorError) as error:
        damaged = f"weights {path} are damaged; train again or fetch the file again"
        raise unreadable(path, error, damaged) from error
