"""Tensors without values, on the meta device or fake ones, on which memory is predicted by running the code itself."""

from collections.abc import Sequence
from typing import TypeVar

from torch import Tensor

T = TypeVar("T")


def has_no_values(tensor: Tensor) -> bool:
    """Return whether a tensor is a meta or fake tensor."""
    return tensor.untyped_storage().device.type == "meta"


def representative(parts: Sequence[T], tensor: Tensor, count: int = 1) -> Sequence[T]:
    """Return the parts of work on a tensor that have to be done: all of them, or the first if the tensor has no values.

    Parts are of one size, except for the last, which may be smaller.

    Args:
        parts: the parts, in order.
        tensor: tensor that is worked on.
        count: number of first parts that together take as much memory as all.
    """
    return parts[:count] if has_no_values(tensor) else parts
