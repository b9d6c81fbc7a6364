"""The released code's own answers, for weights that are made from the names of the entries.

`released/` holds what the released code came to: names and shapes of each of its state dicts, and for three of its
networks the occupancy probabilities at 600 locations, the auxiliary segmentation and the first 40 latent values of each
level. Weights, volume and locations are in no file: the functions below make them as they were made for the released
code.
"""

import math
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from ossnet.network.configuration import OccupancyNetworkConfig
from ossnet.network.occupancy_network import OccupancyNetwork
from ossnet.network.released import DATASETS, VARIANTS, load_released, released_name, rename

ANSWERS = Path(__file__).parent / "released"

TOLERANCE = 2e-4
"""Sums are in another order, over up to millions of float32."""

PAIRS = [(variant, dataset) for variant in VARIANTS for dataset in DATASETS]

CHANNELS_AND_SHAPE = {"brats": (4, (256, 256, 160)), "lits": (1, (512, 512, 512))}

# The rational function that the released activation begins with: Padé coefficients of a leaky ReLU.
NUMERATOR = (3.35583603e-02, 5.05000375e-01, 1.65343934e00, 2.01001052e00, 9.31901999e-01, 1.52424124e-01)
DENOMINATOR = (3.30847488e-06, 3.98021568e00, 5.12471206e-07, 3.01830109e-01)


def weight(name: str, shape: tuple[int, ...]) -> NDArray[np.generic]:
    """An entry of a state dict, float32, from its released name alone; scaled so that no layer saturates."""
    noise = np.random.default_rng(zlib.crc32(name.encode())).standard_normal(shape)
    first_block = "decoder.blocks.0." in name
    if name.endswith("num_batches_tracked"):
        return np.zeros(shape, dtype=np.int64)
    if name.endswith("weight_numerator"):
        value = np.asarray(NUMERATOR) * (1 + 0.05 * noise)
    elif name.endswith("weight_denominator"):
        value = np.asarray(DENOMINATOR) * (1 + 0.05 * noise)
    elif name.endswith("running_var"):
        value = (1 + 0.5 * np.abs(noise)) * (900 if first_block else 1)
    elif name.endswith("running_mean"):
        value = 0.1 * noise
    elif "linear_gamma.bias" in name or (name.endswith(".weight") and len(shape) == 1):
        value = 1 + 0.1 * noise
    elif len(shape) == 1:
        value = 0.1 * noise
    else:
        of_norm = "linear_gamma" in name or "linear_beta" in name
        gain = 3.0 if "decoder.final_mapping" in name else 0.3 if of_norm else 1.0
        value = gain * noise / math.sqrt(math.prod(shape[1:]))
        if first_block and shape[1] > 512:
            value[:, :3] *= 0.2  # The coordinates, in voxels, beside the features.
    return np.asarray(value, dtype=np.float32)


def volume(dataset: str) -> NDArray[np.float32]:
    """A normalised volume [C, H, W, D]: sums of waves along the axes and along the diagonal."""
    channels, (height, width, depth) = CHANNELS_AND_SHAPE[dataset]
    i, j, k = np.arange(height), np.arange(width), np.arange(depth)
    diagonal = np.cos(0.31 * np.arange(height + width + depth))
    made = np.empty((channels, height, width, depth), dtype=np.float32)
    for channel in range(channels):
        along_height = np.sin(0.05 * (channel + 1) * i + 0.3 * channel)
        along_width, along_depth = np.cos(0.04 * j)[:, None], np.sin(0.07 * k + channel)
        for row in range(height):
            waves = along_depth * diagonal[row + j[:, None] + k]
            made[channel, row] = along_height[row] * along_width + waves
    return made


def locations(dataset: str, count: int = 600) -> NDArray[np.int64]:
    """Voxel indices [n, 3]: at and near the corners and the centre, then a spread over the whole volume."""
    _, shape = CHANNELS_AND_SHAPE[dataset]
    special = [(0, 1, size // 2, size - 2, size - 1) for size in shape]
    corners = np.stack(np.meshgrid(*special, indexing="ij"), axis=-1).reshape(-1, 3)
    spread = np.random.default_rng(2021).random((count - len(corners), 3)) * shape
    return np.concatenate([corners, spread.astype(np.int64)])


def released_shapes(variant: str, dataset: str) -> Mapping[str, tuple[int, ...]]:
    """Names and shapes of a released state dict."""
    lines = (ANSWERS / f"{variant}_{dataset}.txt").read_text(encoding="utf-8").splitlines()
    entries = (line.split() for line in lines)
    return {name: () if shape == "scalar" else tuple(map(int, shape.split("x"))) for name, shape in entries}


@pytest.mark.parametrize(("variant", "dataset"), PAIRS)
def test_every_released_entry_has_its_place(variant: str, dataset: str) -> None:
    released = released_shapes(variant, dataset)
    with torch.device("meta"):
        network = OccupancyNetwork(OccupancyNetworkConfig(**VARIANTS[variant], **DATASETS[dataset]))
    ours = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    assert {rename(name): shape for name, shape in released.items()} == ours
    assert len(released) == len(ours)
    assert [released_name(rename(name)) for name in released] == list(released)


@pytest.mark.parametrize(("variant", "dataset"), [("o-net", "brats"), ("ossnet-a", "brats"), ("ossnet-c", "lits")])
def test_answers_are_those_of_the_released_code(variant: str, dataset: str, tmp_path: Path) -> None:
    shapes = released_shapes(variant, dataset)
    path = tmp_path / "released.pt"
    torch.save({name: torch.from_numpy(np.asarray(weight(name, shape))) for name, shape in shapes.items()}, path)
    network = load_released(path, variant, dataset)
    assert not network.training
    field = network.field(torch.from_numpy(volume(dataset)))
    answers = {
        "probability": field(torch.from_numpy(locations(dataset))),
        "latent_head": field.encoding.latents[0, :, :40],
    }
    if field.prior is not None:
        answers["segmentation"] = field.prior
    with np.load(ANSWERS / f"{variant}_{dataset}.npz") as expected:
        assert set(expected.files) == set(answers)
        for name, answer in answers.items():
            np.testing.assert_allclose(
                answer.numpy().ravel(), expected[name].ravel(), rtol=0, atol=TOLERANCE, err_msg=name
            )
