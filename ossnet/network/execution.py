"""How a network is computed, whatever it computes: with gradient checkpointing, and in float32 or bfloat16."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.utils.checkpoint import checkpoint

from ossnet.errors import UserError
from ossnet.network.activation import PadeActivationUnit

Precision = Literal["float32", "bfloat16"]

BatchNorm = nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d


@dataclass(frozen=True)
class Execution:
    """How the blocks of a network are computed; the defaults are the paper's.

    `torch.autocast` would do for `bfloat16` too, but the meta device does not know it, so that no memory could be
    predicted; and it holds the results of group norm and interpolation in float32, most of what a U-Net keeps.

    Attributes:
        checkpointing: for the backward pass a block keeps its inputs alone, from which it is computed again (Chen et
            al. 2016): less memory for about a third more time, and the same losses, gradients and statistics.
        precision: `bfloat16`: activations between the network's input and its output, and the weights for the time that
            they are multiplied with them. Weights, gradients and optimiser stay float32, and so do the sums of batch
            norms and Padé units, the latents, the logits and the loss.
    """

    checkpointing: bool = False
    precision: Precision = "float32"

    def run(self, block: nn.Module, *inputs: Tensor) -> Tensor:
        """`block(*inputs)`, which must draw nothing at random; in bfloat16 if that is the precision."""
        compute: Callable[..., Tensor] = block
        if self.precision == "bfloat16":
            inputs = tuple(tensor.to(torch.bfloat16) for tensor in inputs)
            compute = partial(_in_bfloat16, block)
        if not self.checkpointing:
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
    """A part of a model that computes its blocks by `execution.run`; what it takes and gives is as its weights are."""

    execution = DEFAULT


def set_execution(model: nn.Module, execution: Execution) -> None:
    """Have a model computed so from now on.

    Raises:
        UserError: the model has no `ExecutableModule`, and so is always computed in the one way that it knows.
    """
    modules = [module for module in model.modules() if isinstance(module, ExecutableModule)]
    if not modules and execution != DEFAULT:
        raise UserError(
            f"model {type(model).__name__} has neither checkpointing nor bfloat16; "
            "leave checkpointing and precision at their defaults"
        )
    for part in modules:
        part.execution = execution


def _in_bfloat16(block: nn.Module, *inputs: Tensor) -> Tensor:
    weights = {
        name: parameter.to(torch.bfloat16)
        for prefix, module in block.named_modules()
        # These two take bfloat16 as it is, and sum in float32.
        if not isinstance(module, BatchNorm | PadeActivationUnit)
        for name, parameter in module.named_parameters(prefix, recurse=False)
    }
    result: Tensor = functional_call(block, weights, inputs)
    return result


@contextmanager
def _frozen_statistics(block: nn.Module) -> Iterator[None]:
    """The block's batch norms take what they see for seen before: their running statistics stay."""
    norms = [module for module in block.modules() if isinstance(module, BatchNorm)]
    before: list[tuple[BatchNorm, Any, Any]] = [(norm, norm.momentum, norm.num_batches_tracked) for norm in norms]
    for norm in norms:
        # Without running statistics they would not keep for the backward pass what they kept the first time.
        norm.momentum, norm.num_batches_tracked = 0.0, None
    try:
        yield
    finally:
        for norm, momentum, batches in before:
            norm.momentum, norm.num_batches_tracked = momentum, batches
