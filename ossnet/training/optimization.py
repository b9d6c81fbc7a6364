"""Optimiser of a training: Lookahead over RAdam, with a learning rate for activations (Section 4.1), or others.

The package of Lookahead takes a second to import and is imported with the first one.
"""

import math
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

import torch
from pydantic import Field
from pydantic.dataclasses import dataclass

from ossnet.checks import STRICT, newer
from ossnet.model import SegmentationModel
from ossnet.network.lean.host import HostWeights

if TYPE_CHECKING:
    from pytorch_optimizer import Lookahead

Beta = Annotated[float, Field(ge=0, lt=1)]
Algorithm = Literal["radam", "adamax"]

ALGORITHMS: dict[Algorithm, type[torch.optim.RAdam] | type[torch.optim.Adamax]] = {
    "radam": torch.optim.RAdam,
    "adamax": torch.optim.Adamax,
}


@dataclass(frozen=True, config=STRICT)
class Optimization:
    """Optimiser and learning rates; the defaults are the paper's for function-space models.

    Attributes:
        learning_rate: learning rate of the weights.
        activation_learning_rate: learning rate of the coefficients of learned activations.
        betas: decay rates of the optimiser's running means; the paper names none.
        lookahead: whether Lookahead is around the optimiser. Without it, its two fields are set to their defaults, so
            that runs that differ only in them are the same run.
        lookahead_k: number of steps between two updates of Lookahead's slow weights.
        lookahead_alpha: part of the way from the slow to the fast weights that an update takes.
        schedule: `step`, the paper's, multiplies each rate by `decay` after each number of epochs in `milestones`;
            `cosine` lowers it to 0 over the run. Departure: `cosine` is for runs that are too short for milestones.
        milestones: numbers of epochs after which `step` lowers the rates.
        decay: factor by which `step` lowers the rates.
        algorithm: name of the optimiser, see `ALGORITHMS`. Departure: `adamax` is that of a successor, HNOSeg-XS.
    """

    learning_rate: float = Field(default=3e-4, gt=0)
    activation_learning_rate: float = Field(default=1e-2, gt=0)
    betas: tuple[Beta, Beta] = (0.9, 0.999)
    lookahead_k: int = Field(default=5, ge=1)
    lookahead_alpha: float = Field(default=0.8, gt=0, le=1)
    schedule: Literal["step", "cosine"] = "step"
    milestones: tuple[int, ...] = (20, 30)
    decay: float = Field(default=0.1, gt=0, le=1)
    lookahead: bool = newer(True)
    algorithm: Algorithm = newer("radam")

    def __post_init__(self) -> None:
        if not self.lookahead:
            object.__setattr__(self, "lookahead_k", 5)
            object.__setattr__(self, "lookahead_alpha", 0.8)

    def factor(self, epoch: float, epochs: int) -> float:
        """Return the factor of the learning rates after `epoch` of `epochs` epochs; `epoch` may be fractional."""
        if self.schedule == "cosine":
            return (1 + math.cos(math.pi * epoch / epochs)) / 2
        return self.decay ** sum(epoch >= milestone for milestone in self.milestones)


class HostOptimizer:
    """Optimiser that works in host memory on copies of a model's weights, and writes them back after each step.

    Its state and its checkpoints are those of the optimiser that it holds.
    """

    def __init__(self, optimizer: "Lookahead | torch.optim.Optimizer", weights: HostWeights) -> None:
        self._optimizer = optimizer
        self._weights = weights

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """The parameter groups of the copies."""
        groups: list[dict[str, Any]] = self._optimizer.param_groups
        return groups

    def zero_grad(self) -> None:
        """Forget the gradients."""
        self._optimizer.zero_grad()

    def step(self) -> None:
        """Update the weights."""
        self._optimizer.step()
        self._weights.write()

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the optimiser."""
        state: dict[str, Any] = self._optimizer.state_dict()
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a state; the model must have its weights already."""
        self._weights.read()
        self._optimizer.load_state_dict(state)


Optimizer: TypeAlias = "Lookahead | torch.optim.Optimizer | HostOptimizer"


def make_optimizer(model: SegmentationModel, optimization: Optimization, on_host: bool = False) -> Optimizer:
    """Make the optimiser of a model; each parameter group keeps its initial learning rate as `initial_lr`.

    Args:
        model: model on its device.
        optimization: optimiser and learning rates.
        on_host: whether the optimiser works in host memory.
    """
    weights = HostWeights(model) if on_host else None
    rates = {"weights": optimization.learning_rate, "activation": optimization.activation_learning_rate}
    groups = [
        {
            "params": parameters if weights is None else weights.of(parameters),
            "lr": rates[name],
            "initial_lr": rates[name],
        }
        for name, parameters in model.parameter_groups().items()
        if parameters
    ]
    optimizer: Lookahead | torch.optim.Optimizer
    optimizer = ALGORITHMS[optimization.algorithm](groups, betas=optimization.betas, foreach=True)
    if optimization.lookahead:
        optimizer = _within_lookahead(optimizer, optimization)
    return optimizer if weights is None else HostOptimizer(optimizer, weights)


def _within_lookahead(optimizer: torch.optim.Optimizer, optimization: Optimization) -> "Lookahead":
    from pytorch_optimizer import Lookahead

    return Lookahead(optimizer, k=optimization.lookahead_k, alpha=optimization.lookahead_alpha)


def set_learning_rates(optimizer: Optimizer, factor: float) -> None:
    """Set the learning rate of every parameter group to `factor` times its initial one."""
    for group in optimizer.param_groups:
        group["lr"] = factor * group["initial_lr"]
