"""Execution of networks, apart from what they compute: what memory training takes, and in which precision."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.utils.checkpoint import checkpoint

from ossnet.errors import UserError
from ossnet.network.activation import PadeActivationUnit

Precision = Literal["float32", "bfloat16", "float16"]
Memory = Literal["plain", "checkpointing", "lean", "leanest"]

HALF = {"bfloat16": torch.bfloat16, "float16": torch.float16}
"""Precisions of 16 bits and their dtypes."""


def widened(x: Tensor) -> Tensor:
    """Return x in float32 if it has 16 bits, for what torch does not compute in them, or what should not be."""
    return x.float() if x.dtype in HALF.values() else x


BatchNorm = nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d


@dataclass(frozen=True)
class Execution:
    """How the blocks of a network are computed; the defaults are the paper's.

    `torch.autocast` does not replace `precision` here: it keeps the results of group norm and interpolation in float32,
    which are most of what a U-Net keeps, and it does not work on the meta device, on which memory is predicted.

    Attributes:
        checkpointing: whether a block keeps only its inputs for the backward pass, in which it is computed again (Chen
            et al. 2016). This takes less memory for about a third more time; losses, gradients and statistics stay the
            same.
        precision: `bfloat16` holds the activations between the network's input and its output in bfloat16, and the
            weights while they are multiplied with them. Weights, gradients and optimiser stay in float32, and so do
            the sums of batch norms and Padé units, the latents, the logits and the loss. `float16` is the same for GPUs
            that have no bfloat16, such as the paper's V100 and RTX 2080 Ti. It rounds less, but holds no gradient below
            6e-8 and nothing beyond 65504, so that training scales the loss, see `ossnet.training.loop`.
        lean: whether training goes through locations and large volumes in parts and keeps images, labels and optimiser
            in host memory, see `ossnet.network.lean`; the rest is checkpointed. Losses, gradients and statistics stay
            the same but for rounding. Only in float32, and only for parts with `has_lean`.
        least: whether lean training computes even more again.
    """

    checkpointing: bool = False
    precision: Precision = "float32"
    lean: bool = False
    least: bool = False

    @classmethod
    def of(cls, memory: Memory, precision: Precision = "float32") -> "Execution":
        """Return the execution of a training that is to take as much memory as `memory` says."""
        lean = memory in ("lean", "leanest")
        return cls(memory == "checkpointing", precision, lean, least=memory == "leanest")

    @property
    def memory(self) -> Memory:
        """Name of the memory that training takes; the inverse of `of`."""
        if self.lean:
            return "leanest" if self.least else "lean"
        return "checkpointing" if self.checkpointing else "plain"

    def run(self, block: nn.Module, *inputs: Tensor) -> Tensor:
        """Return `block(*inputs)`, in 16 bits if that is the precision.

        The block must draw nothing at random, since checkpointing computes it twice.
        """
        compute: Callable[..., Tensor] = block
        if self.precision in HALF:
            inputs = tuple(tensor.to(HALF[self.precision]) for tensor in inputs)
            compute = partial(_in_half, block)
        if not self.checkpointing and not self.lean:
            return compute(*inputs)
        result: Tensor = checkpoint(
            compute,
            *inputs,
            use_reentrant=False,
            preserve_rng_state=False,
            context_fn=lambda: (nullcontext(), _frozen_statistics(block)),
        )
        return result


DEFAULT = Execution()


class ExecutableModule(nn.Module):
    """Part of a model that computes its blocks by `execution.run`; its inputs and outputs have the weights' dtype.

    Attributes:
        has_lean: whether the part can be trained leanly.
        execution: execution of the part.
    """

    has_lean: ClassVar[bool] = False
    execution = DEFAULT


def set_execution(model: nn.Module, execution: Execution) -> None:
    """Set the execution of all parts of a model.

    Raises:
        UserError: the model has no `ExecutableModule`, so that only the default execution is possible; or lean training
            is asked of a model that has none, or in 16 bits.
    """
    modules = [module for module in model.modules() if isinstance(module, ExecutableModule)]
    if not modules and execution != DEFAULT:
        raise UserError(
            f"model {type(model).__name__} has neither checkpointing nor another precision; "
            "leave checkpointing and precision at their defaults"
        )
    if execution.lean and execution.precision != "float32":
        raise UserError(f"lean training is in float32 only; choose checkpointing with {execution.precision}")
    if execution.lean and not all(module.has_lean for module in modules):
        raise UserError(f"model {type(model).__name__} has no lean training; choose checkpointing")
    for part in modules:
        part.execution = execution


def _in_half(block: nn.Module, *inputs: Tensor) -> Tensor:
    """Return `block(*inputs)` for inputs of 16 bits."""
    weights = {
        name: parameter.to(inputs[0].dtype)
        for prefix, module in block.named_modules()
        # `BatchNorm` and `PadeActivationUnit` take such inputs with weights in float32, and sum in float32.
        if not isinstance(module, BatchNorm | PadeActivationUnit)
        for name, parameter in module.named_parameters(prefix, recurse=False)
    }
    result: Tensor = functional_call(block, weights, inputs)
    return result


@contextmanager
def _frozen_statistics(block: nn.Module) -> Iterator[None]:
    """Leave the running statistics of the block's batch norms as they are, while the block is computed again."""
    norms = [module for module in block.modules() if isinstance(module, BatchNorm)]
    before: list[tuple[BatchNorm, Any, Any]] = [(norm, norm.momentum, norm.num_batches_tracked) for norm in norms]
    for norm in norms:
        # Turning the statistics off would change which tensors a batch norm keeps for the backward pass.
        norm.momentum, norm.num_batches_tracked = 0.0, None
    try:
        yield
    finally:
        for norm, momentum, batches in before:
            norm.momentum, norm.num_batches_tracked = momentum, batches
