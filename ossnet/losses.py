"""From logits to probabilities and losses, for one output (inside or outside) and for k classes alike."""

import torch.nn.functional as F
from torch import Tensor


def class_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Mean binary cross-entropy of logits [B, 1, ...], or cross-entropy of logits [B, k, ...], for targets [B, ...]."""
    if logits.shape[1] == 1:
        return F.binary_cross_entropy_with_logits(logits[:, 0], targets.to(logits.dtype))
    return F.cross_entropy(logits, targets.long())


def probabilities(logits: Tensor, dim: int) -> Tensor:
    """Sigmoid with `dim` removed where that holds one output, else softmax along it."""
    return logits.squeeze(dim).sigmoid() if logits.shape[dim] == 1 else logits.softmax(dim)
