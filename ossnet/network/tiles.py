"""Encoder at inference, tile by tile: a residual block never has its activations at full size all at once.

In evaluation mode a batch norm works on each voxel by itself, so that a tile needs one voxel more on each side for a
convolution, and nothing else. The result is the plain one's up to rounding.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ossnet.network.activation import activate_in_place
from ossnet.network.encoder import Encoding, ResidualBlock, VolumeEncoder
from ossnet.network.valueless import representative

TILE_BYTES = 2**24
"""Memory of one activation of a tile. A block whose activations take less than twice that is computed as a whole."""


def encode_in_tiles(encoder: VolumeEncoder, volume: Tensor) -> Encoding:
    """Return the encoding of a volume [1, C, H, W, D] by an encoder in evaluation mode, in float32."""
    joined = []
    features = volume
    for index, block in enumerate(encoder.blocks):
        assert isinstance(block, ResidualBlock)
        features = run_in_tiles(block, features)
        if encoder.skips is not None:
            joined.append(encoder.skips[index](features))
    return encoder.join(features, joined)


def run_in_tiles(block: ResidualBlock, x: Tensor) -> Tensor:
    """Return `block(x)`, with tiles along the last axis.

    Along another axis, torch would take a slower convolution for small tiles on a CPU.
    """
    first, norm1, activation, halve, second, norm2 = block.main
    assert isinstance(first, nn.Conv3d)
    assert isinstance(second, nn.Conv3d)
    channels, (height, width, depth) = first.out_channels, x.shape[2:]
    whole = channels * height * width * depth * x.itemsize
    if whole < 2 * TILE_BYTES:
        result: Tensor = block(x)
        return result
    grid = (height // 2, width // 2, depth // 2)
    planes = max(1, TILE_BYTES * depth // whole // 2)
    pooled = x.new_empty(1, channels, *grid)
    for tile in representative(_tiles(grid[2], planes), x):
        hidden = norm1(_convolve(first, x, 2 * tile.start, 2 * tile.stop))
        activate_in_place(activation, hidden.view(channels * height, -1), hidden.new_zeros(channels * height, 1))
        pooled[..., tile] = halve(hidden)
    out = torch.empty_like(pooled)
    for tile in representative(_tiles(grid[2], 8 * planes), x):
        # Pooling before the skip connection's convolution of size 1 is the same as after it.
        skipped = block.skip(block.halve(x[..., 2 * tile.start : 2 * tile.stop]))
        main = norm2(_convolve(second, pooled, tile.start, tile.stop))
        out[..., tile] = block.activation(main.add_(skipped))
    return out


def _tiles(depth: int, planes: int) -> list[slice]:
    return [slice(start, min(start + planes, depth)) for start in range(0, depth, planes)]


def _convolve(convolution: nn.Conv3d, x: Tensor, start: int, stop: int) -> Tensor:
    """Return the convolution of size 3 of the planes from `start` to `stop` along the last axis."""
    depth = x.shape[-1]
    planes = F.pad(x[..., max(0, start - 1) : min(depth, stop + 1)], (int(start == 0), int(stop == depth)))
    return F.conv3d(planes, convolution.weight, padding=(1, 1, 0))
