"""Checkpoints, which hold everything that a training needs to resume, and weights, which a trained model needs.

A checkpoint also holds the identity of its run (`ossnet.training.run.RunSpec.identity`); `ossnet.training.loop.train`
refuses the checkpoint of another run.
"""

import hashlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from ossnet.errors import UserError
from ossnet.files import replacing, unreadable
from ossnet.wrappers import without_wrappers


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write a state of tensors and plain values, whole or not at all."""
    # Via memory: on a full disk, torch and safetensors raise errors of their own types.
    buffer = io.BytesIO()
    torch.save(state, buffer)
    with replacing(path) as temporary:
        temporary.write_bytes(buffer.getbuffer())


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Load a state written by `save_checkpoint`, on the CPU and without running code from the file.

    Raises:
        UserError: the file cannot be read, is damaged or holds something else.
    """
    try:
        state: dict[str, Any] = dict(torch.load(path, map_location="cpu", weights_only=True))
    except Exception as error:  # Damaged bytes make an unpickler raise errors of any type.
        damaged = f"checkpoint {path} is damaged; delete it to start that run again"
        raise unreadable(path, error, damaged) from error
    return state


def save_weights(path: Path, weights: dict[str, Tensor]) -> None:
    """Write a state dict as safetensors, whole or not at all."""
    contents = safetensors.torch.save({name: tensor.contiguous() for name, tensor in weights.items()})
    with replacing(path) as temporary:
        temporary.write_bytes(contents)


def load_weights(path: Path) -> dict[str, Tensor]:
    """Load a state dict from safetensors, on the CPU and without the prefixes that wrappers put before its names.

    Raises:
        UserError: the file is missing, cannot be read or is damaged.
    """
    try:
        # Safetensors reports every file that it cannot open as missing.
        with path.open("rb"):
            return without_wrappers(safetensors.torch.load_file(path))
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist; is that the folder of a finished training?") from error
    except (OSError, MemoryError, RuntimeError, SafetensorError) as error:
        damaged = f"weights {path} are damaged; train again or copy the file again"
        raise unreadable(path, error, damaged) from error


def weights_digest(weights: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 of weights by their names and values, hexadecimal."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        digest.update(name.encode())
        digest.update(weights[name].cpu().numpy().tobytes())
    return digest.hexdigest()
