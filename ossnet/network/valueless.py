"""Tensors without values, on the meta device or fake ones, on which memory is predicted by running the code itself."""

from collections.abc import Sequence
from typing import TypeVar

from torch import Tensor

T = TypeVar("T")


def has_no_values(tensor: Tensor) -> bool:
    """Return whether a tensor is a meta or fake tensor."""
    return tensor.untyped_storage().device.type == "meta"


def representative(parts: Sequence[T], tensor: Tensor) -> Sequence[T]:
    """Return the parts of work on a tensor that have to be done: all of them, or the first if the tensor has no values.

    Parts are of one size, except for the last, which may be smaller: the first one takes as much memory as any other.
    """
    return parts[:1] if has_no_values(tensor) else parts
