"""From logits to probabilities and losses, for one output (inside or outside) and for k classes alike."""

import torch.nn.functional as F
from torch import Tensor


def class_loss(logits: Tensor, targets: Tensor, weights: Tensor | None = None) -> Tensor:
    """Mean binary cross-entropy of logits [B, 1, ...], or cross-entropy of logits [B, k, ...], for targets [B, ...].

    Args:
        weights: of the targets, [B, ...]. The weighted losses are divided by their number and not by the sum of the
            weights, which leaves the mean unbiased under importance weights.
    """
    if logits.shape[1] == 1:
        return F.binary_cross_entropy_with_logits(logits[:, 0], targets.to(logits.dtype), weights)
    if weights is None:
        return F.cross_entropy(logits, targets.long())
    return (weights * F.cross_entropy(logits, targets.long(), reduction="none")).mean()


def probabilities(logits: Tensor, dim: int) -> Tensor:
    """Sigmoid with `dim` removed where that holds one output, else softmax along it."""
    return logits.squeeze(dim).sigmoid() if logits.shape[dim] == 1 else logits.softmax(dim)
