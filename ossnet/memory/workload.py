"""A workload whose memory or time is measured: a training step, an evaluation of the network, or an extraction."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from torch import Tensor

from ossnet.errors import UserError
from ossnet.inference.extraction import EXTRACTORS
from ossnet.memory.ellipsoid import EllipsoidField, PointsAroundEllipsoid
from ossnet.model import Batch, Draw, ModelConfig, SegmentationModel
from ossnet.network.execution import DEFAULT, Execution, set_execution
from ossnet.network.occupancy_network import OccupancyNetwork
from ossnet.network.patches import has_no_values
from ossnet.registry import model_type

Phase = Literal["training", "inference", "extraction"]

EXTRACTION = "mise"
"""The one that the phase `extraction` makes where the model evaluates locations."""


@dataclass(eq=False)
class Step:
    """A step that is ready on its device; called, it makes one, any number of times.

    From the second one on a training step takes as much memory as all later ones: the optimiser's state is there.

    Attributes:
        model: that the step is of.
        inputs: the tensors that were on the device before.
        evaluate: the evaluation of the network; in training it gives the loss.
        optimizer: None at inference.
        slow_weights: the copy of the weights that Lookahead holds from its beginning on; none at inference.
        extracts: whether the evaluation is a whole extraction.
        backward: what makes the loss's gradients.
    """

    model: SegmentationModel
    inputs: Sequence[Tensor]
    evaluate: Callable[[], Tensor | None]
    optimizer: torch.optim.Optimizer | None = None
    slow_weights: Sequence[Tensor] = ()
    extracts: bool = False
    backward: Callable[[Tensor], None] = Tensor.backward

    def __call__(self) -> None:
        if self.optimizer is not None:
            self.optimizer.zero_grad()  # In the order of `ossnet.training.loop`.
        loss = self.evaluate()
        if self.optimizer is not None and loss is not None:
            self.backward(loss)
            self.optimizer.step()


@dataclass(frozen=True)
class Workload:
    """One training step, evaluation of the network or extraction, on volumes that are made for it.

    Attributes:
        model: a name of the registry, made for `config`.
        phase: `inference` is one evaluation of the network, encoder included; `extraction` a segmentation of all voxels
            of the volume's own grid, by `EXTRACTION` of an object in closed form (`ossnet.memory.ellipsoid`) where the
            model evaluates locations.
        batch_size: volumes of a training step; the other phases are of one volume.
        locations: of each volume, in training; otherwise of a pass. None for models of all voxels.
        execution: how the model is computed.
    """

    model: str
    config: ModelConfig
    phase: Phase
    batch_size: int = 1
    locations: int | None = None
    execution: Execution = DEFAULT

    def prepare(self, device: torch.device | str, seed: int = 0) -> Step:
        """Model, optimiser and inputs on a device; called, it makes one step.

        The images are Gaussian noise, labels and locations uniform. On the meta device, and under torch's
        `FakeTensorMode`, nothing has values, and the step tells only what it would take.

        Raises:
            UserError: an unknown model, or locations are missing, or given to a model that has none.
        """
        device = torch.device(device)
        kind = model_type(self.model)
        check_locations(self.model, kind, self.locations)
        with torch.random.fork_rng([device] if device.type == "cuda" else []), device:
            torch.manual_seed(seed)
            model = kind(self.config).train(self.phase == "training")
        set_execution(model, self.execution)
        volumes = self.batch_size if self.phase == "training" else 1
        # The meta device has no generator, and draws nothing.
        generator = None if device.type == "meta" else torch.Generator(device).manual_seed(seed)
        learned = self.config.shape if model.slicing is None else model.slicing.grid(self.config.shape)
        grid = learned if self.phase == "training" else self.config.shape
        images = torch.empty(volumes, self.config.modalities, *grid, device=device)
        images.normal_(generator=generator)
        locations = None
        if self.locations is not None and self.phase != "extraction":
            along_axes = (
                torch.randint(edge, (volumes, self.locations), generator=generator, device=device)
                for edge in self.config.shape
            )
            locations = torch.stack(list(along_axes), -1)
        located = [] if locations is None else [locations]
        if self.phase == "inference":
            return Step(model, [images, *located], partial(_infer, model, images[0], locations))
        if self.phase == "extraction":
            return Step(model, [images], partial(_extract, model, images[0], self.locations), extracts=True)
        labels = torch.empty(volumes, *grid, dtype=torch.uint8, device=device)
        labels.random_(0, self.config.classes, generator=generator)
        batch = Batch(images, labels, partial(_drawn, locations))
        learn = partial(model.loss, batch, torch.Generator().manual_seed(seed))
        return Step(model, [images, labels, *located], learn, *_make_optimizer(model, device))


def locations_for(model: str, count: int) -> int | None:
    """`count`, of a model that evaluates locations; None of one of all voxels.

    Raises:
        UserError: an unknown model.
    """
    return count if issubclass(model_type(model), OccupancyNetwork) else None


def check_locations(model: str, kind: type[SegmentationModel], locations: int | None) -> None:
    """Raises UserError where a model that evaluates locations was given none, or another was given some."""
    if issubclass(kind, OccupancyNetwork):
        if locations is None:
            raise UserError(f"model {model} evaluates locations; say how many")
    elif locations is not None:
        raise UserError(f"model {model} evaluates no locations; leave locations out")


def _infer(model: SegmentationModel, image: Tensor, locations: Tensor | None) -> None:
    field = model.field(image)
    if locations is not None:
        field(locations[0])


def _extract(model: SegmentationModel, image: Tensor, max_locations: int | None) -> None:
    if max_locations is None:
        model.segment(image)
        return
    # On tensors without values an octree cannot find its points.
    unknown = PointsAroundEllipsoid(model.config.shape, max_locations) if has_no_values(image) else nullcontext()
    with unknown:
        EXTRACTORS[EXTRACTION](EllipsoidField(model.field(image)), None, max_locations)


def _drawn(locations: Tensor | None, generator: torch.Generator) -> Draw:
    if locations is None:
        raise TypeError("a model of all voxels draws no locations")
    return Draw(locations)


def _make_optimizer(model: SegmentationModel, device: torch.device) -> tuple[torch.optim.Optimizer, list[Tensor]]:
    """Make what `ossnet.training.optimization.make_optimizer` does: RAdam over the same groups, and Lookahead's slow
    weights.

    Without the packages that come with it, which a machine that only measures models need not have. Every few steps
    Lookahead joins weights and slow weights in place, which is left out: it takes no memory and next to no time.
    """
    groups = [{"params": parameters} for parameters in model.parameter_groups().values() if parameters]
    # The meta device stands for a GPU, where torch's optimisers work on all parameters at once.
    optimizer = torch.optim.RAdam(groups, foreach=True if device.type == "meta" else None)
    return optimizer, [parameter.detach().clone() for parameter in model.parameters()]
