"""Terms of Equation 2 (Section 3.2), and probabilities, from logits of one output, of k classes or of nested regions.

`ossnet.network.occupancy_network.OccupancyNetwork.loss` puts Equation 2 together: its first term is `class_loss` of the
logits at the drawn locations, its second term alpha times `class_loss` of the encoder's segmentation. (k is the number
of classes here; in Equation 2 it is the batch size.)
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from ossnet.nested import is_nested, nest, probabilities_of_classes, regions_of


def class_loss(logits: Tensor, targets: Tensor, weights: Tensor | None = None, *, classes: int | None = None) -> Tensor:
    """Return the mean cross-entropy, binary for one output, over all targets of a batch.

    For nested regions it is the mean over the regions of their binary cross-entropies.

    It is computed from logits: the logarithm of a rounded probability could be infinite.

    Args:
        logits: logits [B, 1, ...] of the foreground, [B, k, ...] of k classes, or [B, k - 1, ...] of nested regions.
        targets: class indices [B, ...] of any dtype.
        weights: weights [B, ...] of the targets; None if all weigh the same. The weighted losses are divided by their
            number and not by the sum of the weights, which leaves the mean unbiased under importance weights.
        classes: number k of classes, which tells nested regions from classes; None for logits that are no regions'.
    """
    if classes is not None and is_nested(logits, classes, dim=1):
        regions = regions_of(targets, logits.shape[1]).to(logits.dtype)
        of_regions = None if weights is None else weights[:, None]
        return F.binary_cross_entropy_with_logits(logits, regions, of_regions)
    if logits.shape[1] == 1:
        return F.binary_cross_entropy_with_logits(logits[:, 0], targets.to(logits.dtype), weights)
    if weights is None:
        return F.cross_entropy(logits, targets.long())
    return (weights * F.cross_entropy(logits, targets.long(), reduction="none")).mean()


def probabilities(logits: Tensor, dim: int, *, classes: int | None = None) -> Tensor:
    """Return the sigmoid of a single output, without its axis `dim`, or the softmax of several outputs along `dim`.

    For k - 1 outputs of k `classes`, they are the occupancies of nested regions, which are not differentiable.
    """
    if classes is not None and is_nested(logits, classes, dim):
        return nest(logits.sigmoid(), dim)
    return logits.squeeze(dim).sigmoid() if logits.shape[dim] == 1 else logits.softmax(dim)


def class_probabilities(logits: Tensor, dim: int, *, classes: int) -> Tensor:
    """Return the probabilities of classes along `dim`, also for nested regions; of two, that of the foreground."""
    values = probabilities(logits, dim, classes=classes)
    return probabilities_of_classes(values, dim) if is_nested(logits, classes, dim) else values


def mean_over_regions(loss: Callable[[Tensor, Tensor], Tensor], logits: Tensor, targets: Tensor) -> Tensor:
    """Return the mean over nested regions of a loss for two classes.

    Args:
        loss: function of the logits and of the mask, both [B, 1, ...], of a region.
        logits: logits [B, k - 1, ...] of nested regions.
        targets: class indices [B, ...].
    """
    masks = regions_of(targets, logits.shape[1]).to(logits.dtype)
    regions = zip(logits.split(1, dim=1), masks.split(1, dim=1), strict=True)
    return torch.stack([loss(*region) for region in regions]).mean()
