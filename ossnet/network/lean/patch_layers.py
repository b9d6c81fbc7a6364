"""Patch encoder for a chunk of locations at a time."""

import torch
from torch import Tensor, nn

from ossnet.network.lean.gradients import Gradients, RecordedActivation
from ossnet.network.patches import PatchConvolution, PatchEncoder


class PatchLayers:
    """The two layers of a patch encoder as matrices, each made once for all chunks.

    Gradients are summed with respect to the matrices, and go back through the making of them once.

    Attributes:
        tensors: matrix and bias of each layer in their graph: inputs of the function that the layers are part of.
        values: the same without the graph; gradients are known by them.
    """

    def __init__(self, encoder: PatchEncoder) -> None:
        convolution1, self._activation1, convolution2, self._activation2 = encoder.layers
        self.tensors = [*_matrix_and_bias(convolution1), *_matrix_and_bias(convolution2)]
        self.values = [tensor.detach() for tensor in self.tensors]

    @property
    def activations(self) -> list[nn.Module]:
        """The activations of both layers."""
        return [self._activation1, self._activation2]

    @property
    def hidden_features(self) -> int:
        """Number of features of the hidden layer."""
        return len(self.values[1])

    def hidden(self, patches: Tensor) -> Tensor:
        """Return the hidden layer before its activation, [c, s^3 C'], for patches [c, s, s, s, C]."""
        matrix, bias, _, _ = self.values
        return torch.addmm(bias, patches.flatten(1), matrix)

    def local(self, hidden: Tensor) -> Tensor:
        """Return local latent vectors [c, s^3] for the hidden layer."""
        _, _, matrix, bias = self.values
        result: Tensor = self._activation2(torch.addmm(bias, self._activation1(hidden), matrix))
        return result

    def backward(self, patches: Tensor, linear: Tensor, upstream: Tensor, gradients: Gradients) -> None:
        """Add the gradients for patches, their hidden layer, and the gradient [c, s^3] of the local latent vectors."""
        matrix1, bias1, matrix2, bias2 = self.values
        patches = patches.flatten(1)
        hidden = RecordedActivation(self._activation1, linear)
        local = RecordedActivation(self._activation2, torch.addmm(bias2, hidden.result, matrix2))
        upstream = local.backward(upstream, gradients)
        gradients.of(matrix2).addmm_(hidden.result.T, upstream)
        gradients.of(bias2).add_(upstream.sum(0))
        upstream = hidden.backward(upstream @ matrix2.T, gradients)
        gradients.of(matrix1).addmm_(patches.T, upstream)
        gradients.of(bias1).add_(upstream.sum(0))


def _matrix_and_bias(convolution: nn.Module) -> tuple[Tensor, Tensor]:
    assert isinstance(convolution, PatchConvolution)
    assert convolution.bias is not None
    return convolution.matrix(), convolution.bias.repeat(convolution.size**3)
