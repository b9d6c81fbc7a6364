"""Patch encoder and decoder, swept layer by layer over chunks of locations.

A batch norm looks at all locations; everything else in patch encoder and decoder is local to one. So the forward pass
is a sweep over the chunks for each batch norm, and once the statistics are known, the input of any block can be
computed again for one chunk after the other. Of all locations, only these are in memory: the local latent vectors, the
input of a block in the middle, input and both linear maps of the block at hand, and, in the backward pass, its
gradient. The paper's decoder computes half of its products a third time, after the forward and with the backward pass.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from ossnet.network.decoder import DecoderBlock, OccupancyDecoder
from ossnet.network.lean.block import SweptBlock, swept_block
from ossnet.network.lean.gradients import Gradients
from ossnet.network.lean.moments import Moments
from ossnet.network.lean.patch_layers import PatchLayers
from ossnet.network.patches import PatchEncoder
from ossnet.network.valueless import representative

CHUNK = 2**10
"""Number of locations per chunk. Smaller ones take less memory and more time."""

LEAST_CHUNK = 3 * 2**8
"""The same where the least memory is to be taken."""

Gather = Callable[[int, slice], Tensor]
"""Function of a sample and a range of its locations: the patches [c, s, s, s, C] there, on the network's device."""


class _Swept(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, sweep: "DecoderSweep", *tensors: Tensor) -> Tensor:
        ctx.sweep = sweep
        return sweep.forward()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        sweep: DecoderSweep = ctx.sweep
        # The graph, and with it this context, outlives the backward pass.
        ctx.sweep = None
        return None, *sweep.backward(upstream).of_all(sweep.values())


class DecoderSweep:
    """Sweep over the locations of a batch in training.

    Args:
        patch_encoder: patch encoder; None for a network without patches.
        decoder: occupancy decoder.
        coordinates: locations [B, n, 3], in the form that the decoder takes, which may have more than 3 coordinates.
        gather: function that gathers patches; it is called twice for each chunk.
        latents: global latent vectors [B, m, L].
        least: whether more is computed again to keep even less.
    """

    def __init__(
        self,
        patch_encoder: PatchEncoder | None,
        decoder: OccupancyDecoder,
        coordinates: Tensor,
        gather: Gather,
        latents: Tensor,
        least: bool,
    ) -> None:
        self._patch_layers = None if patch_encoder is None else PatchLayers(patch_encoder)
        blocks = cast(Sequence[DecoderBlock], decoder.blocks)
        self._blocks = [
            swept_block(block, condition, latents[:, 0] if i == 0 and decoder.latent_input else None)
            for i, (block, condition) in enumerate(zip(blocks, decoder.conditions(latents), strict=True))
        ]
        self._head = decoder.head.weight
        self._width = decoder.head.in_features
        self._coordinates = coordinates
        self._gather = gather
        self._least = least
        self._chunk = LEAST_CHUNK if least else CHUNK
        # From the first to the second are the blocks whose inputs are kept from the forward pass.
        self._middle = len(self._blocks) // 2
        self._kept: dict[int, Tensor] = {}
        self._hidden: Tensor | None = None
        self._local: Tensor | None = None
        # The last block's input and what its norms normalise, for the backward pass.
        self._last: tuple[Tensor | None, Tensor, Tensor] | None = None

    def logits(self) -> Tensor:
        """Return the logits [B, n, outputs] in the graph of their backward pass; the running statistics follow."""
        result: Tensor = _Swept.apply(self, *self.tensors())
        return result

    def tensors(self) -> list[Tensor]:
        """Return all tensors in a graph that the logits depend on."""
        return [tensor for part in self._parts() for tensor in part.tensors] + self._parameters()

    def values(self) -> list[Tensor]:
        """Return the tensors that gradients are known by, in the order of `tensors`."""
        return [tensor for part in self._parts() for tensor in part.values] + self._parameters()

    def forward(self) -> Tensor:
        """Return the logits [B, n, outputs]."""
        if self._patch_layers is not None:
            self._local = self._buffer(self._blocks[0].layer1.weight.shape[1] - self._coordinates.shape[2])
            self._hidden = None if self._least else self._buffer(self._patch_layers.hidden_features)
            for b, rows in self._chunks():
                part = self._patch_layers.hidden(self._gather(b, rows))
                self._local[b, rows] = self._patch_layers.local(part)
                if self._hidden is not None:
                    self._hidden[b, rows] = part
        x: Tensor | None = None
        u = v = self._buffer(self._width)
        for i, block in enumerate(self._blocks):
            if x is not None and (i == self._middle or (i > self._middle and not self._least)):
                self._kept[i] = x
            dims = (0, 1) if block.module.norm1.norm.num_features == 1 else (0,)
            moments = Moments(dims)
            for b, rows in self._chunks():
                u[b, rows] = part = block.layer1.linear(b, self._input(x, b, rows))
                moments.add(part)
            block.layer1.normalization = moments.normalization(block.module.norm1.norm)
            moments = Moments(dims)
            v = self._buffer(self._width)
            for b, rows in self._chunks():
                v[b, rows] = part = block.second(b, u[b, rows])
                moments.add(part)
            block.layer2.normalization = moments.normalization(block.module.norm2.norm)
            del part
            if i + 1 < len(self._blocks):
                for b, rows in self._chunks():
                    v[b, rows] = block.output(b, self._input(x, b, rows), v[b, rows])
                x = v
        self._last = x, u, v
        logits = self._buffer(len(self._head))
        for b, rows in self._chunks():
            logits[b, rows] = block.output(b, self._input(x, b, rows), v[b, rows]) @ self._head.T
        return logits

    def backward(self, of_logits: Tensor) -> Gradients:
        """Return the gradients of all tensors for that of the logits [B, n, outputs]."""
        assert self._last is not None
        gradients = Gradients()
        x, u, last_v = self._last
        self._last = None
        block = self._blocks[-1]
        of_z = last_v if self._least else torch.empty_like(last_v)
        for b, rows in self._chunks():
            of_z[b, rows], output = block.output_gradient(
                gradients, b, self._input(x, b, rows), last_v[b, rows], of_logits[b, rows] @ self._head
            )
            gradients.of(self._head).addmm_(of_logits[b, rows].T, output)
            del output
        self._backward_from_z(len(self._blocks) - 1, gradients, x, u, None if self._least else last_v, of_z)
        del last_v
        for i in reversed(range(len(self._blocks) - 1)):
            self._kept.pop(i + 1, None)
            del x, u
            x, u, v = self._rebuilt(i)
            block = self._blocks[i]
            for b, rows in self._chunks():
                # The gradient of the block's output becomes that of z.
                of_z[b, rows] = block.output_gradient(
                    gradients, b, self._input(x, b, rows), self._v(block, u, v, b, rows), of_z[b, rows]
                )[0]
            self._backward_from_z(i, gradients, x, u, v, of_z)
            del v
        return gradients

    def _backward_from_z(
        self, i: int, gradients: Gradients, x: Tensor | None, u: Tensor, v: Tensor | None, of_z: Tensor
    ) -> None:
        """Add the gradients of block i; the gradient of z becomes that of the block's input.

        Without v, that and later u are computed again, and u is overwritten.
        """
        block = self._blocks[i]
        of_y = u if v is None else v
        totals = block.layer2.totals(gradients)
        for b, rows in self._chunks():
            own = None if v is None else v[b, rows]
            of_y[b, rows] = block.hidden_gradient(gradients, b, u[b, rows], own, of_z[b, rows], totals)
        totals = block.layer1.totals(gradients)
        for b, rows in self._chunks():
            own = self._input(x, b, rows)
            linear = block.layer1.linear(b, own) if v is None else u[b, rows]
            of_input = block.input_gradient(gradients, b, own, linear, of_y[b, rows], of_z[b, rows], totals)
            if i > 0:
                of_z[b, rows] = of_input
            elif self._patch_layers is not None:
                patches = self._gather(b, rows)
                hidden = self._patch_layers.hidden(patches) if self._hidden is None else self._hidden[b, rows]
                of_local = of_input[:, self._coordinates.shape[2] :]
                self._patch_layers.backward(patches, hidden, of_local, gradients)
                del patches, hidden
            del own, linear, of_input

    def _v(self, block: SweptBlock, u: Tensor, v: Tensor | None, sample: int, rows: slice) -> Tensor:
        return block.second(sample, u[sample, rows]) if v is None else v[sample, rows]

    def _rebuilt(self, i: int) -> tuple[Tensor | None, Tensor, Tensor | None]:
        """Return the input of block i and the results of its two linear maps at all locations.

        The second one is None where it would be too much beside the input of the block in the middle.
        """
        start = max((kept for kept in self._kept if kept <= i), default=0)
        kept = self._kept.get(start)
        x = kept if i == start else self._buffer(self._width)
        u = self._buffer(self._width)
        v = None if self._least and i > self._middle else self._buffer(self._width)
        for b, rows in self._chunks():
            part = self._input(kept, b, rows)
            for block in self._blocks[start:i]:
                part = block.forward(b, part)
            if x is not None and x is not kept:
                x[b, rows] = part
            u[b, rows] = part = self._blocks[i].layer1.linear(b, part)
            if v is not None:
                v[b, rows] = self._blocks[i].second(b, part)
        return x, u, v

    def _parts(self) -> list[PatchLayers | SweptBlock]:
        return [*([] if self._patch_layers is None else [self._patch_layers]), *self._blocks]

    def _parameters(self) -> list[Tensor]:
        activations = [activation for part in self._parts() for activation in part.activations]
        return [self._head, *(parameter for activation in activations for parameter in activation.parameters())]

    def _chunks(self) -> Iterator[tuple[int, slice]]:
        samples, locations = self._coordinates.shape[:2]
        for sample in range(samples):
            for start in representative(range(0, locations, self._chunk), self._coordinates, 2):
                yield sample, slice(start, min(start + self._chunk, locations))

    def _input(self, x: Tensor | None, sample: int, rows: slice) -> Tensor:
        """Return the input of a block for one chunk; x is None for the first block."""
        if x is not None:
            return x[sample, rows]
        own = [self._coordinates[sample, rows]]
        return torch.cat(own if self._local is None else [*own, self._local[sample, rows]], -1)

    def _buffer(self, features: int) -> Tensor:
        return self._head.new_empty(*self._coordinates.shape[:2], features)
