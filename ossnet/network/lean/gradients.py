"""Gradients that are summed over parts of a batch, and activations that are differentiated part by part."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Gradients:
    """Sums of gradients with respect to some tensors; a sum is allocated when it is first asked for."""

    def __init__(self) -> None:
        self._sums: dict[int, Tensor] = {}

    def of(self, tensor: Tensor) -> Tensor:
        """Return the sum of a tensor's gradient so far, to which parts are added in place."""
        if id(tensor) not in self._sums:
            self._sums[id(tensor)] = torch.zeros_like(tensor, requires_grad=False)
        return self._sums[id(tensor)]

    def of_all(self, tensors: Sequence[Tensor]) -> list[Tensor | None]:
        """Return the sums of several tensors; None for a tensor whose gradient has no part."""
        return [self._sums.get(id(tensor)) for tensor in tensors]


class RecordedActivation:
    """Activation of a part of a layer, with what its derivative needs.

    Args:
        activation: activation, perhaps with learned coefficients.
        x: its input, which nothing else may change.

    Attributes:
        result: its output.
    """

    def __init__(self, activation: nn.Module, x: Tensor) -> None:
        self._x = x.detach().requires_grad_()
        self._coefficients = list(activation.parameters())
        with torch.enable_grad():
            self._recorded = activation(self._x)
        self.result = self._recorded.detach()

    def backward(self, upstream: Tensor, gradients: Gradients | None) -> Tensor:
        """Return the gradient of the input, and add those of the coefficients to `gradients`, if there are some."""
        gradient, *parts = torch.autograd.grad(self._recorded, [self._x, *self._coefficients], upstream)
        for coefficient, part in zip(self._coefficients, parts, strict=True):
            if gradients is not None:
                gradients.of(coefficient).add_(part)
        return gradient
