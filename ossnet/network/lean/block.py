"""A decoder block for a chunk of locations at a time: its layers, and the three steps of their backward pass."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ossnet.network.decoder import DecoderBlock
from ossnet.network.lean.gradients import Gradients, RecordedActivation
from ossnet.network.lean.moments import Normalization

Totals = tuple[Tensor, Tensor]
"""Sums over the whole batch of the gradient with respect to x_hat, and of that gradient times x_hat."""


@dataclass(eq=False)
class ConditionedLayer:
    """Linear map and conditional batch norm: y = gamma x_hat + beta for x_hat = norm(x W + shift).

    Attributes:
        weight: matrix W^T, [F, in].
        shift: bias of each sample, [B, F]; in the first block it holds the share of the global latent vector, which is
            the same at all locations of a sample.
        gamma: factors [B, F] for each sample.
        beta: summands [B, F] for each sample.
        normalization: norm by the statistics of the batch; None before these are known.
    """

    weight: Tensor
    shift: Tensor
    gamma: Tensor
    beta: Tensor
    normalization: Normalization | None = None

    def linear(self, sample: int, x: Tensor) -> Tensor:
        """Return the linear map [c, F] of a chunk x [c, in]."""
        return torch.addmm(self.shift[sample], x, self.weight.T)

    def normalized(self, linear: Tensor) -> Tensor:
        """Return x_hat [c, F] for the result [c, F] of the linear map."""
        assert self.normalization is not None
        return self.normalization(linear)

    def conditioned(self, sample: int, linear: Tensor) -> Tensor:
        """Return y [c, F] for the result [c, F] of the linear map."""
        assert self.normalization is not None
        factor = self.gamma[sample] * self.normalization.scale
        return torch.addcmul(self.beta[sample] - self.normalization.mean * factor, linear, factor)

    def add_to(self, gradients: Gradients, sample: int, linear: Tensor, upstream: Tensor) -> None:
        """Add the gradients of gamma and beta for a chunk with the gradient [c, F] of y."""
        gradients.of(self.beta)[sample] += upstream.sum(0)
        gradients.of(self.gamma)[sample] += self.normalized(linear).mul_(upstream).sum(0)

    def totals(self, gradients: Gradients) -> Totals:
        """Return the sums that the gradient of the norm needs; they follow from the gradients of beta and gamma."""
        assert self.normalization is not None
        shape = self.normalization.mean.shape
        of_beta, of_gamma = (self.gamma * gradients.of(tensor) for tensor in (self.beta, self.gamma))
        return of_beta.sum_to_size(shape), of_gamma.sum_to_size(shape)

    def linear_gradient(
        self, gradients: Gradients, sample: int, x: Tensor, linear: Tensor, upstream: Tensor, totals: Totals
    ) -> Tensor:
        """Return the gradient [c, F] of the linear map's result for that of y, and add those of weight and shift."""
        assert self.normalization is not None
        upstream = self.normalization.input_gradient(
            self.normalized(linear), upstream * self.gamma[sample], *totals
        )  # [c, F]
        gradients.of(self.weight).addmm_(upstream.T, x)
        gradients.of(self.shift)[sample] += upstream.sum(0)
        return upstream


@dataclass(eq=False)
class SweptBlock:
    """Residual block of the decoder, for chunks x [c, in] of one sample.

    Below, u and v [c, F] are what the two batch norms normalise, and z is what the last activation is applied to.

    Attributes:
        module: block of the network.
        layer1: first linear map and norm.
        layer2: second linear map and norm.
        skip: matrix and shifts of the skip connection, as in `ConditionedLayer`; None for the identity.
        tensors: all these in their graph: inputs of the function that the block is part of.
        values: the same without the graph; gradients are known by them.
    """

    module: DecoderBlock
    layer1: ConditionedLayer
    layer2: ConditionedLayer
    skip: tuple[Tensor, Tensor] | None
    tensors: list[Tensor]
    values: list[Tensor]

    @property
    def activations(self) -> list[nn.Module]:
        """Both activations of the block."""
        return [self.module.activation1, self.module.activation2]

    def second(self, sample: int, u: Tensor) -> Tensor:
        """Return v for u."""
        return self.layer2.linear(sample, self.module.activation1(self.layer1.conditioned(sample, u)))

    def output(self, sample: int, x: Tensor, v: Tensor) -> Tensor:
        """Return the block's output [c, F] for x and v."""
        result: Tensor = self.module.activation2(self._z(sample, x, v))
        return result

    def forward(self, sample: int, x: Tensor) -> Tensor:
        """Return the block's output [c, F], once all statistics are known."""
        return self.output(sample, x, self.second(sample, self.layer1.linear(sample, x)))

    def output_gradient(
        self, gradients: Gradients, sample: int, x: Tensor, v: Tensor, upstream: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the gradient of z for that of the output, and the output: the first step."""
        output = RecordedActivation(self.module.activation2, self._z(sample, x, v))
        upstream = output.backward(upstream, gradients)
        self.layer2.add_to(gradients, sample, v, upstream)
        if self.skip is not None:
            weight, shift = self.skip
            gradients.of(weight).addmm_(upstream.T, x)
            gradients.of(shift)[sample] += upstream.sum(0)
        return upstream, output.result

    def hidden_gradient(
        self, gradients: Gradients, sample: int, u: Tensor, v: Tensor | None, of_z: Tensor, totals: Totals
    ) -> Tensor:
        """Return the gradient of the first norm's result for that of z and the totals of `layer2`: the second step.

        If v is None, it is computed from u.
        """
        hidden = RecordedActivation(self.module.activation1, self.layer1.conditioned(sample, u))
        if v is None:
            v = self.layer2.linear(sample, hidden.result)
        upstream = self.layer2.linear_gradient(gradients, sample, hidden.result, v, of_z, totals)
        del v
        upstream = hidden.backward(upstream @ self.layer2.weight, gradients)
        self.layer1.add_to(gradients, sample, u, upstream)
        return upstream

    def input_gradient(
        self, gradients: Gradients, sample: int, x: Tensor, u: Tensor, of_y: Tensor, of_z: Tensor, totals: Totals
    ) -> Tensor:
        """Return the gradient of x for those of the first norm's result and of z, and the totals of `layer1`."""
        of_u = self.layer1.linear_gradient(gradients, sample, x, u, of_y, totals)
        of_skip = of_z if self.skip is None else of_z @ self.skip[0]
        return torch.addmm(of_skip, of_u, self.layer1.weight)

    def _z(self, sample: int, x: Tensor, v: Tensor) -> Tensor:
        z = self.layer2.conditioned(sample, v)
        return z.add_(x) if self.skip is None else z.add_(self.skip[1][sample]).addmm_(x, self.skip[0].T)


def swept_block(module: DecoderBlock, condition: Tensor, first: Tensor | None) -> SweptBlock:
    """Make the block of a sweep for latent vectors of the samples.

    Args:
        module: block of the network.
        condition: latent vectors [B, L] that condition the block.
        first: latent vectors [B, L] that are part of the input at every location, as its last features; None for a
            block behind the first.
    """
    tensors: list[Tensor] = []
    for linear, norm in ((module.linear1, module.norm1), (module.linear2, module.norm2)):
        joined = first if linear is module.linear1 else None
        tensors += [*_split(linear, joined, len(condition)), norm.gamma(condition), norm.beta(condition)]
    if isinstance(module.skip, nn.Linear):
        tensors += _split(module.skip, first, len(condition))
    values = [tensor.detach() for tensor in tensors]
    weight, shift, gamma, beta = values[:4]
    layer1 = ConditionedLayer(weight, shift, gamma, beta)
    weight, shift, gamma, beta = values[4:8]
    layer2 = ConditionedLayer(weight, shift, gamma, beta)
    skip = (values[8], values[9]) if len(values) > 8 else None
    return SweptBlock(module, layer1, layer2, skip, tensors, values)


def _split(linear: nn.Linear, first: Tensor | None, samples: int) -> list[Tensor]:
    """Return the weights of a linear map for the features that differ by location, and the share [B, F] of all else."""
    if first is None:
        return [linear.weight, linear.bias.expand(samples, -1)]
    own = linear.in_features - first.shape[1]
    return [linear.weight[:, :own], nn.functional.linear(first, linear.weight[:, own:], linear.bias)]
