"""The decoder and the patch encoder of an occupancy network as affine maps and activations, for one encoded volume.

In evaluation mode conditional batch norm is an affine map of its input, fixed by running statistics and latent vector.
It joins the linear layer before it, and what the global latent adds to the first layer is a constant.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ossnet.network.decoder import ConditionalBatchNorm, Constant, DecoderBlock, OccupancyDecoder
from ossnet.network.patches import PatchConvolution, PatchEncoder


@dataclass(frozen=True, eq=False)
class Affine:
    """Affine map of columns: weight [out, in] times x [in, n], plus a bias [out, 1]."""

    weight: Tensor
    bias: Tensor

    def to(self, dtype: torch.dtype) -> "Affine":
        """Return the map in another dtype."""
        return Affine(self.weight.to(dtype), self.bias.to(dtype))


@dataclass(frozen=True, eq=False)
class FoldedBlock:
    """Residual block activation2(second(activation1(first(x))) + x), whose norms are in its maps.

    Attributes:
        first: first linear layer. In the first block of a decoder the weight of the skip connection lies below its
            own, [2 width, in], so that one product has both.
        activation1: activation of the hidden features.
        second: second linear layer; in the first block its bias has the constants of the skip connection.
        activation2: activation of the block's output.
    """

    first: Affine
    activation1: nn.Module
    second: Affine
    activation2: nn.Module


def fold_decoder(decoder: OccupancyDecoder, latents: Tensor, scale: Tensor, shift: Tensor) -> list[FoldedBlock]:
    """Fold a decoder in evaluation mode for one volume; the maps are computed in float64.

    Args:
        decoder: decoder, which is left as it is.
        latents: global latent vectors [m, L], see `OccupancyDecoder.forward`.
        scale: factors [3] from voxel coordinates to the coordinates that the decoder takes.
        shift: what is added to them after that, [3].

    Returns:
        The blocks. The input of the first one is the voxel coordinates, what `fold_frequencies` adds to them, and the
        local latent vector, [3 + l, n].
    """
    first, conditions = latents[0].double(), decoder.conditions(latents.double()[None])
    folded = []
    for index, (block, (condition,)) in enumerate(zip(decoder.blocks, conditions, strict=True)):
        assert isinstance(block, DecoderBlock)
        maps = fold_block(block, condition)
        if index == 0:
            skip = block.skip if isinstance(block.skip, nn.Linear) else None
            joined = first if decoder.latent_input else first[:0]
            maps = _with_inputs(maps, skip, joined, scale.double(), shift.double())
        dtype = block.linear1.weight.dtype
        folded.append(FoldedBlock(maps[0].to(dtype), block.activation1, maps[1].to(dtype), block.activation2))
    return folded


def fold_block(block: DecoderBlock, latent: Tensor) -> tuple[Affine, Affine]:
    """Return the two linear layers of a block with their conditional batch norms, for a latent [L] in float64."""
    return _fold(block.linear1, block.norm1, latent), _fold(block.linear2, block.norm2, latent)


def _fold(linear: nn.Linear, norm: ConditionalBatchNorm, latent: Tensor) -> Affine:
    """Join gamma * (W x + b - mean) / sqrt(variance + epsilon) + beta into one map."""
    mean, variance = norm.norm.running_mean, norm.norm.running_var
    assert mean is not None
    assert variance is not None
    gamma, beta = (_for_latent(affine, latent) for affine in (norm.gamma, norm.beta))
    gain = gamma / (variance.double() + norm.norm.eps).sqrt()
    bias = gain * (linear.bias.double() - mean.double()) + beta
    return Affine(gain[:, None] * linear.weight.double(), bias[:, None])


def _for_latent(affine: nn.Linear | Constant, latent: Tensor) -> Tensor:
    bias = affine.bias.double()
    return affine.weight.double() @ latent + bias if isinstance(affine, nn.Linear) else bias


def fold_frequencies(frequencies: Tensor, scale: Tensor, shift: Tensor) -> Affine:
    """Return the map from voxel coordinates [3, n] to the phases [k, n] of Fourier features, for B [3, k].

    Args:
        frequencies: B, see `ossnet.network.coordinates`.
        scale: factors [3] from voxel coordinates to the coordinates that B takes.
        shift: what is added to them after that, [3].
    """
    columns = 2 * math.pi * frequencies.T.double()
    return Affine(columns * scale.double(), columns @ shift.double()[:, None]).to(frequencies.dtype)


def _with_inputs(
    maps: tuple[Affine, Affine], skip: nn.Linear | None, latent: Tensor, scale: Tensor, shift: Tensor
) -> tuple[Affine, Affine]:
    """Stack the first block's skip connection below its first layer, for inputs without the latent vector."""
    first, second = maps
    if skip is None:
        weight = torch.eye(len(second.weight), dtype=latent.dtype, device=latent.device)
        bias = torch.zeros_like(second.bias)
    else:
        weight, bias = skip.weight.double(), skip.bias.double()[:, None]
    stacked = torch.cat([first.weight, weight])
    inputs, of_latent = stacked.split([stacked.shape[1] - len(latent), len(latent)], 1)
    constants = of_latent @ latent[:, None] + inputs[:, :3] @ shift[:, None]
    of_first, of_skip = constants.chunk(2)
    inputs = torch.cat([inputs[:, :3] * scale, inputs[:, 3:]], 1)
    return Affine(inputs, first.bias + of_first), Affine(second.weight, second.bias + bias + of_skip)


PLANES = 2
"""Number of planes of a patch convolution's result that are computed by one product: with each plane by its own the
products are too small for the full rate."""


@dataclass(frozen=True, eq=False)
class PlaneProduct:
    """Part of a patch convolution's matrix: what planes of the result take from the planes within their reach.

    Attributes:
        rows: rows of the result, those of its planes.
        columns: columns of the patch.
        weight: the matrix's block of these rows and columns; the rest of the rows is zero.
    """

    rows: slice
    columns: slice
    weight: Tensor


@dataclass(frozen=True, eq=False)
class FoldedConvolution:
    """Patch convolution and its activation.

    Attributes:
        products: parts of its matrix.
        bias: bias [s^3 C', 1].
        activation: activation of the result.
    """

    products: Sequence[PlaneProduct]
    bias: Tensor
    activation: nn.Module


def fold_patch_encoder(encoder: PatchEncoder) -> list[FoldedConvolution]:
    """Return the two convolutions of a patch encoder."""
    first, activation1, second, activation2 = encoder.layers
    assert isinstance(first, PatchConvolution)
    assert isinstance(second, PatchConvolution)
    return [
        FoldedConvolution(split_convolution(layer), _bias(layer), activation)
        for layer, activation in ((first, activation1), (second, activation2))
    ]


def _bias(convolution: PatchConvolution) -> Tensor:
    assert convolution.bias is not None
    return convolution.bias.repeat(convolution.size**3)[:, None]


def split_convolution(convolution: PatchConvolution) -> list[PlaneProduct]:
    """Return a patch convolution's matrix as products for planes of its result.

    A kernel of s^3 on a patch of s^3 positions reaches s // 2 positions to each side, the rest of its matrix is zero.
    Leaving out the planes beyond reach along the first axis saves 9 of 49 products for s = 7.
    """
    size, reach = convolution.size, convolution.size // 2
    channels, plane = convolution.in_channels, size * size
    matrix = convolution.matrix().T
    products = []
    for start in range(0, size, PLANES):
        stop = min(start + PLANES, size)
        rows = slice(start * plane * convolution.out_channels, stop * plane * convolution.out_channels)
        begin, end = max(0, start - reach), min(size, stop + reach)
        columns = slice(begin * plane * channels, end * plane * channels)
        products.append(PlaneProduct(rows, columns, matrix[rows, columns].contiguous()))
    return products
