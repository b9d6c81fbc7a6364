"""Workloads whose memory or time is measured: a training step, an evaluation of the network, or an extraction."""

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
from ossnet.network.lean.host import HostWeights
from ossnet.network.valueless import has_no_values
from ossnet.registry import model_type

Phase = Literal["training", "inference", "extraction"]

EXTRACTION = "mise"
"""Extraction of the phase `extraction`, for models that evaluate locations."""


@dataclass(eq=False)
class Step:
    """A step that is ready on its device; each call makes it once.

    A training step takes as much memory as all later ones from the second call on, when the optimiser has its state.

    Attributes:
        model: model that is trained or evaluated.
        inputs: tensors that are on the device before the step.
        host_inputs: tensors that stay in host memory.
        evaluate: function that evaluates the network; in training it returns the loss.
        optimizer: optimiser of a training step; None at inference.
        slow_weights: copy of the weights that Lookahead holds from its beginning on; empty at inference.
        extracts: whether the evaluation is a whole extraction.
        backward: function that computes the gradients of the loss.
        host_weights: weights in host memory, which the optimiser works on in lean training; None otherwise.
    """

    model: SegmentationModel
    inputs: Sequence[Tensor]
    evaluate: Callable[[], Tensor | None]
    optimizer: torch.optim.Optimizer | None = None
    slow_weights: Sequence[Tensor] = ()
    host_inputs: Sequence[Tensor] = ()
    extracts: bool = False
    backward: Callable[[Tensor], None] = Tensor.backward
    host_weights: HostWeights | None = None

    def __call__(self) -> None:
        """Make the step."""
        if self.optimizer is not None:
            self.optimizer.zero_grad()  # In the order of `ossnet.training.loop`.
        loss = self.evaluate()
        if self.optimizer is not None and loss is not None:
            self.backward(loss)
            self.update()

    def update(self) -> None:
        """Let the optimiser update the weights."""
        assert self.optimizer is not None
        self.optimizer.step()
        if self.host_weights is not None:
            self.host_weights.write()


@dataclass(frozen=True)
class Workload:
    """One training step, evaluation of the network or extraction, on volumes that are made for it.

    Attributes:
        model: name of the model in the registry.
        config: configuration of the model.
        phase: `inference` is one evaluation of the network, encoder included; `extraction` is a segmentation of all
            voxels of the volume's own grid, for models that evaluate locations by `EXTRACTION` of an object in closed
            form (see `ossnet.memory.ellipsoid`).
        batch_size: number of volumes of a training step; the other phases take one volume.
        locations: number of locations of each volume in training, and per pass in the other phases; None for models of
            all voxels.
        execution: execution of the model.
        lookahead: whether a training step's optimiser is within Lookahead, which holds a copy of the weights.
    """

    model: str
    config: ModelConfig
    phase: Phase
    batch_size: int = 1
    locations: int | None = None
    execution: Execution = DEFAULT
    lookahead: bool = True

    def prepare(self, device: torch.device | str, seed: int = 0) -> Step:
        """Return the step, with its model, optimiser and inputs on a device.

        The images are Gaussian noise, labels and locations are uniform. On the meta device, and under torch's
        `FakeTensorMode`, tensors have no values; then the step only shows how much memory it would take.

        Raises:
            UserError: the model is unknown, or locations are missing, or given for a model that does not evaluate them.
        """
        device = torch.device(device)
        kind = model_type(self.model)
        check_locations(self.model, kind, self.locations)
        with torch.random.fork_rng([device] if device.type == "cuda" else []), device:
            torch.manual_seed(seed)
            model = kind(self.config).train(self.phase == "training")
        set_execution(model, self.execution)
        volumes = self.batch_size if self.phase == "training" else 1
        lean = self.execution.lean and self.phase == "training"
        host_weights = HostWeights(model) if lean else None
        if lean and device.type != "meta":
            device = torch.device("cpu")
        # The meta device has no generator, and draws nothing.
        generator = None if device.type == "meta" else torch.Generator(device).manual_seed(seed)
        slicing = model.slicing
        learned = self.config.shape if slicing is None else slicing.grid(self.config.shape)
        grid = learned if self.phase == "training" else self.config.shape
        # On the meta device, which stands for a GPU, host memory is a matter of the account.
        on_host = model.host_images and self.phase != "training" and device.type != "cpu"
        image_device = torch.device("cpu") if on_host and device.type != "meta" else device
        images = torch.empty(volumes, self.config.modalities, *grid, device=image_device)
        images.normal_(generator=generator if image_device == device else torch.Generator().manual_seed(seed))
        locations = None
        if self.locations is not None and self.phase != "extraction":
            along_axes = (
                torch.randint(edge, (volumes, self.locations), generator=generator, device=device)
                for edge in self.config.shape
            )
            locations = torch.stack(list(along_axes), -1)
        located = [] if locations is None else [locations]
        held, in_host_memory = ([], [images]) if on_host else ([images], [])
        if self.phase == "inference":
            infer = partial(_infer, model, images[0], locations)
            return Step(model, [*held, *located], infer, host_inputs=in_host_memory)
        if self.phase == "extraction":
            extract = partial(_extract, model, images[0], self.locations)
            return Step(model, held, extract, host_inputs=in_host_memory, extracts=True)
        labels = torch.empty(volumes, *grid, dtype=torch.uint8, device=device)
        labels.random_(0, self.config.classes, generator=generator)
        batch = Batch(images, labels, partial(_drawn, locations))
        learn = partial(model.loss, batch, torch.Generator().manual_seed(seed))
        optimizer, slow_weights = _make_optimizer(model, host_weights, self.lookahead)
        inputs = [images, labels, *located]
        if lean:
            return Step(model, [], learn, optimizer, slow_weights, inputs, host_weights=host_weights)
        return Step(model, inputs, learn, optimizer, slow_weights)


def locations_for(model: str, count: int) -> int | None:
    """Return `count` for a model that evaluates locations, None for a model of all voxels.

    Raises:
        UserError: the model is unknown.
    """
    return count if model_type(model).evaluates_locations else None


def check_locations(model: str, kind: type[SegmentationModel], locations: int | None) -> None:
    """Raise UserError if a model that evaluates locations has none, or if another model has some."""
    if kind.evaluates_locations:
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
    config = model.config
    around = PointsAroundEllipsoid(config.shape, max_locations, config.classes)
    with around if has_no_values(image) else nullcontext():
        EXTRACTORS[EXTRACTION](EllipsoidField(model.field(image)), None, max_locations)


def _drawn(locations: Tensor | None, generator: torch.Generator) -> Draw:
    if locations is None:
        raise TypeError("a model of all voxels draws no locations")
    return Draw(locations)


def _make_optimizer(
    model: SegmentationModel, host_weights: HostWeights | None, lookahead: bool
) -> tuple[torch.optim.Optimizer, list[Tensor]]:
    """Return RAdam over the model's parameter groups and the slow weights of Lookahead, if any, as training has them.

    `ossnet.training.optimization.make_optimizer` needs packages that a machine that only measures models need not have.
    Adamax, which a recipe may have instead, holds two tensors for each weight as RAdam does.
    Every few steps Lookahead joins weights and slow weights in place; this is left out, as it takes no memory and next
    to no time.
    """
    parameters = [group for group in model.parameter_groups().values() if group]
    groups = [{"params": group if host_weights is None else host_weights.of(group)} for group in parameters]
    optimizer = torch.optim.RAdam(groups, foreach=True)
    weights = [weight for group in groups for weight in group["params"]]
    return optimizer, [weight.detach().clone() for weight in weights] if lookahead else []
