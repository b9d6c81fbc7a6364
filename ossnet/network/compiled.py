"""Decoder and patch encoder of an occupancy network, compiled for one volume: the fast path of inference.

`OccupancyNetwork.decode` is the same computation written for reading. It takes longer: it normalises in steps of its
own, multiplies with the global latent vector at every location, and writes the result of each step to a new tensor.
"""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from ossnet.network.activation import activate_in_place
from ossnet.network.chunks import ChunkSize
from ossnet.network.decoder import OccupancyDecoder
from ossnet.network.folding import fold_decoder, fold_frequencies, fold_patch_encoder
from ossnet.network.patches import PatchEncoder

ReadPatches = Callable[[Tensor], Tensor]
"""Function that returns the patches at locations, such as a `PatchVolume`."""


class CompiledDecoder:
    """Logits at locations by the maps of `ossnet.network.folding`, computed in chunks of locations.

    Later changes of the network's weights change nothing here. Matrices have a column for each location of a chunk, and
    layers work on them in place.

    Args:
        decoder: decoder in evaluation mode.
        patch_encoder: patch encoder; None for a network without patches.
        latents: global latent vectors [m, L] of the volume.
        scale: factors [3] from voxel coordinates to the coordinates that the decoder takes.
        shift: what is added to them after that, [3].
        frequencies: matrix B [3, k] of Fourier features; None for a decoder that takes none.
    """

    def __init__(
        self,
        decoder: OccupancyDecoder,
        patch_encoder: PatchEncoder | None,
        latents: Tensor,
        scale: Tensor,
        shift: Tensor,
        frequencies: Tensor | None = None,
    ) -> None:
        self.blocks = fold_decoder(decoder, latents, scale, shift)
        self.head = decoder.head.weight.detach()
        self.phases = None if frequencies is None else fold_frequencies(frequencies, scale, shift)
        self.location_size = 3 if frequencies is None else 3 + 2 * frequencies.shape[1]
        self.convolutions = [] if patch_encoder is None else fold_patch_encoder(patch_encoder)
        patch, hidden = 0, 0
        if self.convolutions:
            last = self.convolutions[0].products[-1]
            patch, hidden = last.columns.stop, last.rows.stop
        # Rows of the matrices: patches, their encoder's hidden features, inputs of the decoder, features of its blocks.
        self.rows = (patch, hidden, self.blocks[0].first.weight.shape[1], 2 * self.head.shape[1])
        self.chunk_size = ChunkSize.of(self.head.device, sum(self.rows), self.head.itemsize)
        self.buffers = [self.head.new_empty(0) for _ in self.rows]

    def __call__(self, locations: Tensor, read_patches: ReadPatches | None) -> Tensor:
        """Return logits [n, outputs] at voxel coordinates [n, 3]; a network with patches reads them by a function.

        Locations and patches may be on another device.
        """
        logits = self.head.new_empty(len(locations), len(self.head))
        self._reserve(min(len(locations), self.chunk_size.largest))
        for chunk, part in self.chunk_size.split(locations):
            logits[chunk] = self._chunk(part, None if read_patches is None else read_patches(part))
        return logits

    def _chunk(self, locations: Tensor, patches: Tensor | None) -> Tensor:
        patch, hidden, inputs, features = self._matrices(len(locations))
        inputs[:3] = locations.T
        if self.phases is not None:
            cosines, sines = inputs[3 : self.location_size].chunk(2)  # [k, n] each
            torch.addmm(self.phases.bias, self.phases.weight, inputs[:3], out=cosines)
            torch.sin(cosines, out=sines)
            cosines.cos_()
        if patches is not None:
            source = patch.view(patches.shape).copy_(patches).flatten(1).T  # [s^3 C, n], then [s^3 C', n]
            for convolution, result in zip(self.convolutions, (hidden, inputs[self.location_size :]), strict=True):
                for product in convolution.products:
                    torch.mm(product.weight, source[product.columns], out=result[product.rows])
                activate_in_place(convolution.activation, result, convolution.bias)
                source = result
        wide, x = features.chunk(2)  # [width, n] each
        for index, block in enumerate(self.blocks):
            torch.mm(block.first.weight, x if index else inputs, out=wide if index else features)
            activate_in_place(block.activation1, wide, block.first.bias)
            x.addmm_(block.second.weight, wide)
            activate_in_place(block.activation2, x, block.second.bias)
        return (self.head @ x).T

    def _reserve(self, count: int) -> None:
        """Make room for matrices with `count` columns."""
        if len(self.buffers[-1]) < self.rows[-1] * count:
            self.buffers = []  # Released before there are new ones.
            self.buffers = [self.head.new_empty(rows * count) for rows in self.rows]

    def _matrices(self, count: int) -> Iterator[Tensor]:
        """Return the matrices [rows, count], each contiguous."""
        return (buffer[: rows * count].view(rows, count) for rows, buffer in zip(self.rows, self.buffers, strict=True))
