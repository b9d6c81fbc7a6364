"""Nested regions: an output with a sigmoid for each region, in place of a softmax over classes.

Regions lie within each other, such as whole tumour, its core and the enhancing part of that. The class index of a
location is the number of regions that hold it: class 0 is outside the outermost region, and class k - 1 in the
innermost of k - 1 regions. Region j holds the classes j, ..., k - 1.

Two locations are in the same regions if they are of the same class, so that an extraction which refines where classes
differ refines the surface of every region.

A location is in a region if it is in all regions around it, too. The occupancy of a region is therefore limited to that
of the next outer one (`nest`): a location outside an outer region is outside all inner ones.

Outputs and probabilities of k > 2 classes have an axis of k values for a softmax and of k - 1 values for nested
regions, and this number alone tells which they are (`is_nested`). Two classes have a single output, which is the
foreground's.
"""

import torch
from torch import Tensor


def is_nested(values: Tensor, classes: int, dim: int = -1) -> bool:
    """Return whether logits or probabilities of k > 2 classes are those of k - 1 nested regions along an axis."""
    return classes > 2 and values.shape[dim] == classes - 1


def nest(values: Tensor, dim: int) -> Tensor:
    """Limit the logits or occupancies of each region to those of the next outer one, in place and without gradients."""
    for region in range(1, values.shape[dim]):
        values.select(dim, region).clamp_(max=values.select(dim, region - 1))
    return values


def regions_of(classes: Tensor, regions: int) -> Tensor:
    """Return masks [B, regions, ...] bool of the regions that hold class indices [B, ...]."""
    first_classes = torch.arange(1, regions + 1, device=classes.device)
    return classes[:, None] >= first_classes.view(-1, *[1] * (classes.ndim - 1))


def class_of(occupancies: Tensor) -> Tensor:
    """Return class indices [...] uint8 from nested occupancies [..., regions]: the number of those above one half."""
    return (occupancies > 0.5).sum(-1, dtype=torch.uint8)


def probabilities_of_classes(occupancies: Tensor, dim: int) -> Tensor:
    """Return the probabilities of k classes from nested occupancies of k - 1 regions along an axis.

    That of a class is the occupancy of its region minus that of the next inner one. They sum to one.
    """
    outer, inner = occupancies.narrow(dim, 0, 1), occupancies.narrow(dim, occupancies.shape[dim] - 1, 1)
    return -torch.diff(occupancies, dim=dim, prepend=torch.ones_like(outer), append=torch.zeros_like(inner))
