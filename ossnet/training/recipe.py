"""Recipe of a training: budget, optimisation, sampling, augmentation, validation and execution."""

from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from ossnet.checks import STRICT
from ossnet.config import newer
from ossnet.network.execution import Execution, Memory, Precision
from ossnet.sampling import Sampling
from ossnet.training.augmentation import Augmentation
from ossnet.training.optimization import Optimization
from ossnet.training.validation import Validation


@dataclass(frozen=True, config=STRICT)
class Recipe:
    """Recipe of a training; the defaults are the paper's for function-space models on BraTS 2020 (Section 4.1).

    Departure: the paper trains on two GPUs, on each of which batch norms take their statistics from half of the batch.
    By default they take them here from the whole batch, on any number of devices; `norm_parts` of 2 divides it.

    Attributes:
        epochs: number of epochs.
        batch_size: number of cases per step, of all devices together.
        steps_per_epoch: number of steps per epoch; None for one pass over the training cases. It serves the slicing
            U-Net, which learns from a few slices of a case per step, and data sets of very few cases.
        optimization: optimiser and learning rates.
        sampling: locations per case and how they are drawn.
        augmentation: augmentation of the training cases.
        validation: protocol and interval of the validation.
        checkpointing: older name of `memory = "checkpointing"`. Identities are computed from this one.
        memory: how much memory a training takes: `plain`; `checkpointing`, less by computing blocks of the network
            again; `lean`, far less, by going through locations and volumes in parts and by using host memory; or
            `leanest`, by computing more of that again. See `Execution`. On a CPU `checkpointing` changes no number,
            the lean ones round otherwise. All are part of a run's identity: on a GPU, kernels may be chosen anew and
            sum in another order.
        precision: floating-point precision of the blocks of the network, in training and whenever the trained model is
            used, see `Execution`.
        norm_parts: number of parts of a batch that batch norms normalise separately in training, as data-parallel
            training does on each of as many devices. It defines what is computed and not where: several processes may
            have one part, whose statistics are then synchronised, or a part each, and one process any number.
    """

    epochs: int = Field(default=50, ge=1)
    batch_size: int = Field(default=8, ge=1)
    steps_per_epoch: int | None = Field(default=None, ge=1)
    optimization: Optimization = Field(default_factory=Optimization)
    sampling: Sampling = Field(default_factory=Sampling)
    augmentation: Augmentation = Field(default_factory=Augmentation)
    validation: Validation = Field(default_factory=Validation)
    checkpointing: bool = newer(False)
    precision: Precision = newer("float32")
    norm_parts: Annotated[int, Field(ge=1)] = newer(1)
    memory: Memory = Field(default="plain", exclude_if=lambda memory: memory in ("plain", "checkpointing"))

    def __post_init__(self) -> None:
        if self.norm_parts > self.batch_size:
            raise ValueError(f"norm_parts is {self.norm_parts}, but a batch has only {self.batch_size} cases")
        if self.execution.lean and (self.checkpointing or self.precision != "float32"):
            raise ValueError(f"memory is {self.memory}; leave checkpointing out and precision at float32")
        # Both names stand for one training, and so for one identity.
        checkpointing = self.checkpointing or self.memory == "checkpointing"
        object.__setattr__(self, "checkpointing", checkpointing)
        object.__setattr__(self, "memory", "checkpointing" if checkpointing else self.memory)

    @property
    def execution(self) -> Execution:
        """Execution of the blocks of the network."""
        return Execution.of(self.memory, self.precision)

    def steps(self, cases: int) -> int:
        """Return the number of steps per epoch for a number of training cases."""
        return -(-cases // self.batch_size) if self.steps_per_epoch is None else self.steps_per_epoch

    def cases_per_epoch(self, cases: int) -> int:
        """Return the number of cases per epoch, repeated ones included, for a number of training cases."""
        return cases if self.steps_per_epoch is None else self.steps_per_epoch * self.batch_size
