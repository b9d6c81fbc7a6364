"""Layers that do what the released OSS-Net code does, where this package gets the same result otherwise.

They hold the same tensors in memory. For an account of memory, values are not computed where only sizes matter.
"""

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from ossnet.network.activation import PadeActivationUnit
from ossnet.network.convolution import Conv3d
from ossnet.network.decoder import ConditionalBatchNorm, DecoderBlock
from ossnet.network.encoder import ResidualBlock
from ossnet.network.occupancy_network import OccupancyNetwork
from ossnet.network.patches import PatchConvolution, PatchEncoder


class _PadeKernel(torch.autograd.Function):
    """Padé unit as one GPU kernel each way: without a workspace, and only the input is kept."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, numerator: Tensor, denominator: Tensor) -> Tensor:
        ctx.save_for_backward(x, numerator, denominator)
        return torch.empty_like(x)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x, numerator, denominator = ctx.saved_tensors
        return torch.empty_like(x), torch.empty_like(numerator), torch.empty_like(denominator)


def _pade(unit: PadeActivationUnit, x: Tensor) -> Tensor:
    return _PadeKernel.apply(x, unit.numerator, unit.denominator)


def _computed_pade(unit: PadeActivationUnit, x: Tensor) -> Tensor:
    """Compute a unit by its formula on whole tensors, as without the kernel."""
    powers = torch.stack([x**i for i in range(len(unit.numerator))], -1)
    sizes = powers[..., 1 : len(unit.denominator) + 1].abs()
    return (powers @ unit.numerator) / (1 + sizes @ unit.denominator.abs())


def _conditional_batch_norm(layer: ConditionalBatchNorm, x: Tensor, latent: Tensor) -> Tensor:
    """Apply a layer with scale and shift repeated for each location, where broadcasting would be enough."""
    normalised = layer.norm(x)
    gamma = layer.gamma(latent)[:, None].repeat_interleave(x.shape[1], 1)
    beta = layer.beta(latent)[:, None].repeat_interleave(x.shape[1], 1)
    return gamma * normalised + beta


def _decoder_block(block: DecoderBlock, x: Tensor, latent: Tensor) -> Tensor:
    """Apply a block whose hidden features are released when the second linear map has read them."""
    out = block.activation1(block.norm1(block.linear1(x), latent))
    out = block.linear2(out)
    out = block.norm2(out, latent)
    out = out + block.skip(x)
    return block.activation2(out)


def _encoder_block(block: ResidualBlock, x: Tensor) -> Tensor:
    """Apply a block that pools behind its skip connection's convolution."""
    return block.activation(block.main(x) + block.halve(block.skip(x)))


def _patch_convolution(layer: PatchConvolution, patches: Tensor) -> Tensor:
    """Apply a layer as a convolution, not as a matrix product."""
    return nn.Conv3d.forward(layer, patches)


def _patch_encoder(encoder: PatchEncoder, patches: Tensor) -> Tensor:
    return encoder.layers(patches.movedim(-1, 1)).flatten(1)


_FORWARD: dict[type[nn.Module], Any] = {
    PadeActivationUnit: _pade,
    ConditionalBatchNorm: _conditional_batch_norm,
    DecoderBlock: _decoder_block,
    ResidualBlock: _encoder_block,
    Conv3d: nn.Conv3d.forward,
    PatchConvolution: _patch_convolution,
    PatchEncoder: _patch_encoder,
}


def use_released_layers(network: nn.Module, computed: bool = False) -> None:
    """Replace the layers of a network, which then does what the released code does.

    Args:
        network: the network.
        computed: whether to compute the values of Padé units, without their kernel; otherwise the output of the network
            has no meaning, and only its memory is that of the released code.
    """
    forward = _FORWARD | {PadeActivationUnit: _computed_pade} if computed else _FORWARD
    for module in network.modules():
        if type(module) in forward:
            module.forward = partial(forward[type(module)], module)


def decode(network: OccupancyNetwork, locations: Tensor, patches: Tensor | None, latents: Tensor) -> Tensor:
    """Decode one sample as `OccupancyNetwork.decode`; local features are released when they are joined to the input."""
    first, *others = latents.unbind(1)
    # Without names for the parts, which would keep them for as long as this runs.
    x = torch.cat(
        [
            locations,
            *([] if network.patch_encoder is None or patches is None else [network.patch_encoder(patches[0])[None]]),
            first[:, None].repeat_interleave(locations.shape[1], 1),
        ],
        -1,
    )
    for block, condition in zip(network.decoder.blocks, others or [first] * len(network.decoder.blocks), strict=True):
        x = block(x, condition)
    return network.decoder.head(x)
