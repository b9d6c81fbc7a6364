"""Weights of the released OSS-Net code: their names, import and export, and the inference of that code."""

import copy
import itertools
import re
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from ossnet.errors import UserError
from ossnet.model import SegmentationModel
from ossnet.network.configuration import OccupancyNetworkConfig
from ossnet.network.occupancy_network import OccupancyNetwork, OSSNetA, OSSNetB, OSSNetC, OSSNetD
from ossnet.network.patches import Pooling
from ossnet.wrappers import without_wrappers

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

SHOWN = 8
"""Number of entries that a message names before it counts the rest."""

# Pairs of a released name and this package's, applied in this order. A # stands for a number; a pattern without a
# leading dot matches only at the beginning of a name.
_NAMES = (
    (".weight_numerator", ".numerator"),
    (".weight_denominator", ".denominator"),
    ("encoder.blocks.#.main_mapping.5.", "encoder.blocks.#.main.4."),
    ("encoder.blocks.#.main_mapping.6.", "encoder.blocks.#.main.5."),
    ("encoder.blocks.#.main_mapping.", "encoder.blocks.#.main."),
    ("encoder.blocks.#.final_activation.", "encoder.blocks.#.activation."),
    ("encoder.output_mappings.#.1.", "encoder.skips.#.convolution."),
    ("encoder.output_mappings.#.2.", "encoder.skips.#.norm."),
    ("encoder.output_mappings.#.3.", "encoder.skips.#.activation."),
    ("encoder.final_mapping.", "encoder.head."),
    ("encoder.segmentation_mapping.0.", "encoder.segmentation."),
    ("decoder.patch_mapping.mapping.3.", "patch_encoder.layers.2."),
    ("decoder.patch_mapping.mapping.4.", "patch_encoder.layers.3."),
    ("decoder.patch_mapping.mapping.", "patch_encoder.layers."),
    ("decoder.blocks.#.linear_layer_#.", "decoder.blocks.#.linear#."),
    ("decoder.blocks.#.cnb_#.normalization.", "decoder.blocks.#.norm#.norm."),
    ("decoder.blocks.#.cnb_#.linear_", "decoder.blocks.#.norm#."),
    ("decoder.blocks.#.activation.", "decoder.blocks.#.activation1."),
    ("decoder.blocks.#.final_activation.", "decoder.blocks.#.activation2."),
    ("decoder.final_mapping.0.", "decoder.head."),
    (".residual_mapping.", ".skip."),
)


def rename(name: str) -> str:
    """Return this package's name for an entry of a released state dict."""
    for released, ours in _NAMES:
        name = _replace(released, ours, name)
    return name


def released_name(name: str) -> str:
    """Return the released name for an entry of this package's state dict."""
    for released, ours in _NAMES:
        name = _replace(ours, released, name)
    return name


def _replace(before: str, after: str, name: str) -> str:
    pattern = re.escape(before).replace(r"\#", r"(\d+)")
    numbers = itertools.count(1)
    return re.sub(
        pattern if before.startswith(".") else f"^{pattern}",
        re.sub("#", lambda _: rf"\g<{next(numbers)}>", after),
        name,
    )


def read_state_dict(path: str | Path) -> dict[str, Tensor]:
    """Load a plain state dict, without running code from the file and without the prefixes of wrappers (`WRAPPERS`).

    Raises:
        UserError: the file is missing, truncated, holds more than tensors, or is not a state dict.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise UserError(f"cannot read checkpoint {path}: {error.strerror or error}") from error
    except Exception as error:  # Damaged bytes make the unpickler raise almost any exception.
        raise UserError(f"{path} is not a whole checkpoint of tensors alone; save a plain state dict there") from error
    if not isinstance(state, dict) or not all(isinstance(n, str) and isinstance(v, Tensor) for n, v in state.items()):
        raise UserError(f"{path} is not a plain state dict (names to tensors); save model.state_dict() there")
    return without_wrappers(state)


def load_released(
    path: str | Path, variant: ReleasedVariant, dataset: ReleasedDataset, context_pooling: Pooling = "average"
) -> OccupancyNetwork:
    """Return the network of a checkpoint in the released naming, in evaluation mode on the CPU.

    Args:
        path: file with the plain state dict.
        variant: `o-net`, `ossnet-a`, `ossnet-b`, `ossnet-c` or `ossnet-d`.
        dataset: `brats` (images [4, 256, 256, 160]: flair, t1, t1ce, t2) or `lits` ([1, 512, 512, 512]).
        context_pooling: pooling of the larger patches of OSS-Net B and D: `average`, as in the paper and the released
            training, or `max`, as in the released inference, which differs from its own training there.

    Raises:
        UserError: the variant, data set or pooling is unknown, the file is unreadable, or its entries are not those of
            this network.
    """
    for option, value, known in (
        ("variant", variant, VARIANTS),
        ("dataset", dataset, DATASETS),
        ("context_pooling", context_pooling, get_args(Pooling)),
    ):
        if value not in known:
            raise UserError(f"unknown {option} {value!r}; choose one of {', '.join(known)}")
    return load_released_state(read_state_dict(path), path, variant, dataset, context_pooling)


def load_released_state(
    released: dict[str, Tensor],
    path: str | Path,
    variant: ReleasedVariant,
    dataset: ReleasedDataset,
    context_pooling: Pooling = "average",
) -> OccupancyNetwork:
    """Return the network of a state dict that `path` holds, as `load_released` does.

    Raises:
        UserError: its entries are not those of this network.
    """
    network = OccupancyNetwork(replace(released_config(variant, dataset), context_pooling=context_pooling))
    differences = _differences(released, network.state_dict())
    if differences:
        first, *others = differences[:SHOWN]
        more = len(differences) - SHOWN
        raise UserError(
            f"{path} is no checkpoint of {variant} for {dataset}: {len(differences)} entries differ, "
            f"the first is {first}{''.join(f', then {other}' for other in others)}"
            + (f", and {more} more" if more > 0 else "")
        )
    network.load_state_dict({rename(name): value for name, value in released.items()})
    return network.eval()


def released_config(variant: ReleasedVariant, dataset: ReleasedDataset) -> OccupancyNetworkConfig:
    """Return the configuration of a released network, with the pooling of its training."""
    return OccupancyNetworkConfig(**VARIANTS[variant], **DATASETS[dataset])


def recognise(released: dict[str, Tensor], path: str | Path) -> tuple[ReleasedVariant, ReleasedDataset]:
    """Return the variant and the data set of a state dict that `path` holds, by the entries that tell them apart.

    Whether the other entries fit is for `load_released_state` to say.

    Raises:
        UserError: no released network has these entries.
    """

    def inputs(convolution: str) -> int:
        weight = released.get(f"{convolution}.weight")
        return 0 if weight is None or weight.ndim < 2 else weight.shape[1]

    modalities, patch_channels = inputs("encoder.blocks.0.main_mapping.0"), inputs("decoder.patch_mapping.mapping.0")
    skips = "encoder.segmentation_mapping.0.weight" in released
    for dataset in get_args(ReleasedDataset):
        for variant in get_args(ReleasedVariant):
            config = released_config(variant, dataset)
            expected = config.modalities * config.patches * (1 + config.larger_context)
            if (modalities, patch_channels, skips) == (config.modalities, expected, config.output_skips):
                return variant, dataset
    raise UserError(f"{path} is no checkpoint of the released code: none of its networks has such entries")


def released_state_dict(network: SegmentationModel) -> dict[str, Tensor]:
    """Return the weights of a network under their released names.

    Raises:
        UserError: the network is none of the released ones.
    """
    networks = [released_config(v, d) for v in get_args(ReleasedVariant) for d in get_args(ReleasedDataset)]
    config = network.config
    # The pooling is no part of the weights.
    if not isinstance(config, OccupancyNetworkConfig) or replace(config, context_pooling="average") not in networks:
        raise UserError(
            "the released code has no such network; it has O-Net and OSS-Net A to D in the sizes of the paper, for "
            "volumes of 256 x 256 x 160 voxels (BraTS 2020) and of 512 x 512 x 512 voxels (LiTS)"
        )
    return {released_name(name): value for name, value in network.state_dict().items()}


def with_released_inference(model: SegmentationModel) -> SegmentationModel:
    """Return a model as the released code infers with it: with the larger patches of OSS-Net B and D max-pooled.

    Any other model is returned as it is. The result shares the weights of the model.
    """
    config = model.config
    if not isinstance(config, OccupancyNetworkConfig) or not config.larger_context:
        return model
    pooled = copy.copy(model)
    pooled.config = replace(config, context_pooling="max")
    return pooled


def _differences(released: dict[str, Tensor], expected: dict[str, Tensor]) -> list[str]:
    """List the entries, by their released names, that differ between a released state dict and the expected one."""
    names = {rename(name): name for name in released}
    odd = [
        f"{names[ours]} (unknown)" if ours in names else f"{released_name(ours)} (missing)"
        for ours in sorted(expected.keys() ^ names.keys())
    ]
    differences = []
    for ours, value in expected.items():
        found = released.get(names.get(ours, ""), value)
        if found.shape != value.shape:
            differences.append(f"{names[ours]} (shape {list(found.shape)}, not {list(value.shape)})")
        elif found.dtype != value.dtype:
            differences.append(f"{names[ours]} ({found.dtype}, not {value.dtype})")
    return odd + differences
