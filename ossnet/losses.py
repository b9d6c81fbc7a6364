"""Terms of Equation 2 (Section 3.2), and probabilities, from logits of one output or of k classes.

`ossnet.network.occupancy_network.OccupancyNetwork.loss` puts Equation 2 together: its first term is `class_loss` of the
logits at the drawn locations, its second term alpha times `class_loss` of the encoder's segmentation. (k is the number
of classes here; in Equation 2 it is the batch size.)
"""

import torch.nn.functional as F
from torch import Tensor


def class_loss(logits: Tensor, targets: Tensor, weights: Tensor | None = None) -> Tensor:
    """Return the mean cross-entropy, binary for one output, over all targets of a batch.

    It is computed from logits: the logarithm of a rounded probability could be infinite.

    Args:
        logits: logits [B, 1, ...] of the foreground, or [B, k, ...] of k classes.
        targets: class indices [B, ...] of any dtype.
        weights: weights [B, ...] of the targets; None if all weigh the same. The weighted losses are divided by their
            number and not by the sum of the weights, which leaves the mean unbiased under importance weights.
    """
    if logits.shape[1] == 1:
        return F.binary_cross_entropy_with_logits(logits[:, 0], targets.to(logits.dtype), weights)
    if weights is None:
        return F.cross_entropy(logits, targets.long())
    return (weights * F.cross_entropy(logits, targets.long(), reduction="none")).mean()


def probabilities(logits: Tensor, dim: int) -> Tensor:
    """Return the sigmoid of a single output, without its axis `dim`, or the softmax of several outputs along `dim`."""
    return logits.squeeze(dim).sigmoid() if logits.shape[dim] == 1 else logits.softmax(dim)
