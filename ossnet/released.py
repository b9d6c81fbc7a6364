"""Weights of the released OSS-Net code, read into this package's networks."""

import re
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from ossnet.errors import UserError
from ossnet.network import OccupancyNetwork, OccupancyNetworkConfig
from ossnet.variants import OSSNetA, OSSNetB, OSSNetC, OSSNetD

ReleasedVariant = Literal["o-net", "ossnet-a", "ossnet-b", "ossnet-c", "ossnet-d"]
ReleasedDataset = Literal["brats", "lits"]

VARIANTS: dict[str, dict[str, Any]] = {
    "o-net": {"patches": False},
    "ossnet-a": OSSNetA.preset,
    "ossnet-b": OSSNetB.preset,
    "ossnet-c": OSSNetC.preset,
    "ossnet-d": OSSNetD.preset,
}
DATASETS: dict[str, dict[str, Any]] = {
    "brats": {"shape": (256, 256, 160), "modalities": 4},
    "lits": {"shape": (512, 512, 512), "modalities": 1, "encoder_channels": (8, 16, 32, 64, 128)},
}

# The released name of a part, as a pattern, and ours; applied in this order.
_RENAMINGS = (
    (r"\.weight_numerator$", ".numerator"),
    (r"\.weight_denominator$", ".denominator"),
    (r"^encoder\.blocks\.(\d+)\.main_mapping\.5\.", r"encoder.blocks.\1.main.4."),
    (r"^encoder\.blocks\.(\d+)\.main_mapping\.6\.", r"encoder.blocks.\1.main.5."),
    (r"^encoder\.blocks\.(\d+)\.main_mapping\.", r"encoder.blocks.\1.main."),
    (r"^encoder\.blocks\.(\d+)\.final_activation\.", r"encoder.blocks.\1.activation."),
    (r"^encoder\.output_mappings\.(\d+)\.1\.", r"encoder.skips.\1.convolution."),
    (r"^encoder\.output_mappings\.(\d+)\.2\.", r"encoder.skips.\1.norm."),
    (r"^encoder\.output_mappings\.(\d+)\.3\.", r"encoder.skips.\1.activation."),
    (r"^encoder\.final_mapping\.", "encoder.head."),
    (r"^encoder\.segmentation_mapping\.0\.", "encoder.segmentation."),
    (r"^decoder\.patch_mapping\.mapping\.3\.", "patch_encoder.layers.2."),
    (r"^decoder\.patch_mapping\.mapping\.4\.", "patch_encoder.layers.3."),
    (r"^decoder\.patch_mapping\.mapping\.", "patch_encoder.layers."),
    (r"^decoder\.blocks\.(\d+)\.linear_layer_(\d)\.", r"decoder.blocks.\1.linear\2."),
    (r"^decoder\.blocks\.(\d+)\.cnb_(\d)\.normalization\.", r"decoder.blocks.\1.norm\2.norm."),
    (r"^decoder\.blocks\.(\d+)\.cnb_(\d)\.linear_", r"decoder.blocks.\1.norm\2."),
    (r"^decoder\.blocks\.(\d+)\.activation\.", r"decoder.blocks.\1.activation1."),
    (r"^decoder\.blocks\.(\d+)\.final_activation\.", r"decoder.blocks.\1.activation2."),
    (r"^decoder\.final_mapping\.0\.", "decoder.head."),
    (r"\.residual_mapping\.", ".skip."),
)


def rename(name: str) -> str:
    """Our name of an entry of a released state dict."""
    for pattern, ours in _RENAMINGS:
        name = re.sub(pattern, ours, name)
    return name


def read_state_dict(path: str | Path) -> dict[str, Tensor]:
    """A plain state dict, loaded without running code from the file.

    Raises:
        UserError: the file is missing, truncated, holds more than tensors, or is no state dict.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise UserError(f"cannot read checkpoint {path}: {error.strerror or error}") from error
    except Exception as error:  # Damaged bytes lead the unpickler to almost any of them.
        raise UserError(f"{path} is not a whole checkpoint of tensors alone; save a plain state dict there") from error
    if not isinstance(state, dict) or not all(isinstance(n, str) and isinstance(v, Tensor) for n, v in state.items()):
        raise UserError(f"{path} is not a plain state dict (names to tensors); save model.state_dict() there")
    return state


def load_released(path: str | Path, variant: ReleasedVariant, dataset: ReleasedDataset) -> OccupancyNetwork:
    """The network of a checkpoint in the released naming, in evaluation mode on the CPU.

    Args:
        path: a file with the plain state dict.
        variant: `o-net`, `ossnet-a`, `ossnet-b`, `ossnet-c` or `ossnet-d`.
        dataset: `brats` (images [4, 256, 256, 160]: flair, t1, t1ce, t2) or `lits` ([1, 512, 512, 512]).

    Raises:
        UserError: unknown variant or data set, an unreadable file, or entries that are not this network's.
    """
    for option, value, known in (("variant", variant, VARIANTS), ("dataset", dataset, DATASETS)):
        if value not in known:
            raise UserError(f"unknown {option} {value!r}; choose one of {', '.join(known)}")
    network = OccupancyNetwork(OccupancyNetworkConfig(**VARIANTS[variant], **DATASETS[dataset]))
    expected = network.state_dict()
    state = {rename(name): value for name, value in read_state_dict(path).items()}
    odd = sorted(expected.keys() ^ state.keys()) or [n for n in expected if expected[n].shape != state[n].shape]
    if odd:
        raise UserError(f"{path} is no {variant} for {dataset}: {len(odd)} entries differ, the first is {odd[0]}")
    network.load_state_dict(state)
    return network.eval()
