"""The interface of every model: learn from cases, predict occupancy at locations, segment a volume."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from ossnet.checks import STRICT, Field, checked, newer
from ossnet.data.slices import Slicing
from ossnet.errors import UserError
from ossnet.field import OccupancyField, VoxelField, evaluate, labels_of
from ossnet.inference.extraction import dense

Edge = Annotated[int, Field(ge=1)]

Parts = Mapping[str, Sequence[Any]]
"""Modules and bound methods of a model by the name of the part that they compute."""

SLICE_FIELDS = ("slices_per_case", "max_slices")
"""Configuration fields of a model with a `slice_axis`: the number of slices of each case that a training step learns
from, and the number of slices per pass at inference."""

PATCHES = "patches"
"""Name of the part of a model that reads local observations around locations: the stage `gather` of an extraction."""

HOST = "host"
"""Name of the part of a model that is computed in host memory, which does not count as memory of the device."""


@checked(frozen=True, config=STRICT)
class ModelConfig:
    """Sizes that every model has.

    Attributes:
        shape: grid (H, W, D) of the images in voxels.
        modalities: number C of image channels.
        classes: number of classes with the background; 2 classes have one sigmoid output, more have a softmax over them
            (Sec. 3, Eq. 1).
        nested: whether the classes are nested regions with a sigmoid for each in place of the softmax, see
            `ossnet.nested`. The paper has two classes, for which both are the same.
    """

    shape: tuple[Edge, Edge, Edge]
    modalities: int = Field(ge=1)
    classes: int = Field(default=2, ge=2)
    nested: bool = newer(False)

    @property
    def outputs(self) -> int:
        """Number of logits per location or voxel."""
        return self.classes - 1 if self.nested or self.classes == 2 else self.classes


class Draw(NamedTuple):
    """Locations to learn from.

    Attributes:
        locations: voxel indices [..., n, 3] int64.
        weights: weights of the losses at the locations in their mean, [..., n] float32; None where all weigh the same.
    """

    locations: Tensor
    weights: Tensor | None = None


def ignore_predictions(locations: Tensor, probabilities: Tensor) -> None:
    """Discard predictions, for sampling strategies that do not learn from them."""


@dataclass(frozen=True)
class Batch:
    """Cases to learn from in one step.

    A model that learns from locations draws them, weighs their losses as the draw says and hands its predictions back.
    A model that learns from all voxels does none of the three.

    Attributes:
        images: normalised images [B, C, H, W, D] float32; for a model with a `slicing`, only the drawn slices along
            that axis.
        labels: class indices [B, H, W, D] uint8 of the same voxels.
        draw_locations: function that draws locations [B, n, 3] by the run's sampling strategy, with weights [B, n] or
            None.
        remember: function of the drawn locations [B, n, 3] and of the probabilities [B, n] (two classes) or [B, n, k]
            of the classes (`ossnet.losses.class_probabilities`) that the model predicts there, detached; later draws
            may depend on them.
    """

    images: Tensor
    labels: Tensor
    draw_locations: Callable[[torch.Generator], Draw]
    remember: Callable[[Tensor, Tensor], None] = ignore_predictions

    def labels_at(self, locations: Tensor) -> Tensor:
        """Return the labels o [B, n] at voxel indices [B, n, 3]."""
        return torch.stack([label[tuple(p.T)] for label, p in zip(self.labels, locations, strict=True)])


class SegmentationModel(nn.Module, ABC):
    """Interface of every model; a study asks nothing else of one.

    A concrete model is made by `Model(config)`; its weights are drawn from torch's global generator. It must define
    `config`, `config_type`, `loss` and `field`. The other members have defaults, those of a model that predicts all
    voxels of a volume at once.

    Attributes:
        config: configuration that the model was made with.
        config_type: class of the configuration.
        preset: values of configuration fields that make the model the one of its name.
        family: name of the profile's table that the model shares with related ones; `every` for none of its own.
        evaluates_locations: whether the model learns from drawn locations, and evaluates its network at the locations
            that its field is called with; False where the network predicts all voxels at once.
        extraction: name in `ossnet.inference.extraction.EXTRACTORS` of the default extraction of segmentations.
        slice_axis: axis of (H, W, D) across which the model takes slices, if it goes through volumes slice by slice.
            Its configuration then has the `SLICE_FIELDS`.
        repeats_passes: whether its prediction goes through parts of a volume, such as slices, in passes of its child
            modules that take the same memory; each that it calls maps a tensor to a tensor.
        any_grid: whether images may have another grid than the configuration's `shape`.
        host_images: whether `field` takes an image in host memory and leaves it there, for a model on another device.
        nests_regions: whether the configuration may be `nested`: loss and field then are those of `ossnet.nested`.
    """

    config: ModelConfig
    config_type: ClassVar[type[ModelConfig]]
    preset: ClassVar[dict[str, Any]] = {}
    family: ClassVar[str] = "every"
    evaluates_locations: ClassVar[bool] = False
    extraction: ClassVar[str] = "dense"
    slice_axis: ClassVar[int | None] = None
    repeats_passes: ClassVar[bool] = False
    any_grid: ClassVar[bool] = False
    host_images: ClassVar[bool] = False
    nests_regions: ClassVar[bool] = False

    @abstractmethod
    def loss(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """Return the scalar to minimise for `batch`; every random draw is from `generator` (on the CPU)."""

    @abstractmethod
    def field(self, image: Tensor) -> OccupancyField:
        """Return the occupancy field of a normalised image [C, H, W, D] float32.

        The image is on the model's device, or where `place` leaves it.

        Raises:
            UserError: the image does not have this model's channels or grid (see `check_image`).
        """

    @classmethod
    def config_for(cls, shape: tuple[int, int, int], modalities: int, **settings: Any) -> ModelConfig:
        """Return the configuration for volumes of any resolution: the paper's where it has one, else the default.

        Args:
            shape: grid (H, W, D) of the volumes in voxels.
            modalities: number of image channels.
            settings: further fields of the configuration.
        """
        return cls.config_type(shape=shape, modalities=modalities, **settings, **cls.preset)

    def parts(self) -> Parts:
        """Return the model's parts by name, to which the memory that they take is attributed.

        A part consists of child modules and bound methods of the model; by default each child module is a part of its
        own name. An extraction is timed by the part `PATCHES`, if there is one.
        """
        return {name: [module] for name, module in self.named_children()}

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Return parameters by learning rate: `weights`, and `activation` for learned activations (may be empty)."""
        return {"weights": list(self.parameters()), "activation": []}

    @property
    def slicing(self) -> Slicing | None:
        """Slices that a training step learns from instead of whole volumes; None for a model without `slice_axis`."""
        if self.slice_axis is None:
            return None
        config: Any = self.config
        return Slicing(self.slice_axis, config.slices_per_case)

    @property
    def has_prior(self) -> bool:
        """Whether the model's fields have a prior, a coarse segmentation for the extraction to start from."""
        return False

    def learned_per_case(self, locations: int) -> int:
        """Return the number of places of a case whose labels a training step learns from.

        Args:
            locations: number of locations per case that the sampling strategy draws; they only matter to models that
                evaluate locations.
        """
        if self.evaluates_locations:
            return locations
        slicing = self.slicing
        return math.prod(self.config.shape if slicing is None else slicing.grid(self.config.shape))

    def place(self, image: Tensor | np.ndarray) -> Tensor:
        """Return an image in float32 where `field` takes it: on the model's device, or with `host_images` as it is."""
        if not self.host_images:
            device = next(self.parameters()).device
        else:
            device = image.device if isinstance(image, Tensor) else torch.device("cpu")
        return as_tensor(image, device, torch.float32)

    def check_image(self, image: Tensor) -> None:
        """Refuse an image that does not fit this model; every `field` begins with it.

        Raises:
            UserError: the image is not [modalities, *shape], or with `any_grid` not [modalities, H, W, D].
        """
        grid = ("H", "W", "D") if self.any_grid else self.config.shape
        expected = (self.config.modalities, *(image.shape[1:] if self.any_grid else grid))
        if image.ndim != 4 or tuple(image.shape) != expected:
            raise UserError(
                f"image has shape {list(image.shape)}, this model takes [{', '.join(map(str, (expected[0], *grid)))}]: "
                "pad or resize it with ossnet.data.preprocessing.prepare"
            )

    @torch.no_grad()
    def occupancy(
        self, image: Tensor | np.ndarray, locations: Tensor | np.ndarray, max_locations: int = 2**14
    ) -> Tensor:
        """Return probabilities [n] (two classes), [n, k] or [n, k - 1] (nested regions) at locations in an image.

        Args:
            image: normalised image [C, H, W, D] at full resolution.
            locations: voxel coordinates [n, 3] in the order of the image's axes, at voxels or between.
            max_locations: largest number of locations per pass; it bounds the memory and does not change the result.

        Raises:
            UserError: the image does not have this model's channels or grid (see `check_image`).
            ValueError: a location is more than one voxel outside the image (occupancy networks; the prediction of a
                voxelised model goes on beyond it).
        """
        device = next(self.parameters()).device
        return evaluate(self.field(self.place(image)), as_tensor(locations, device), max_locations)

    @torch.no_grad()
    def segment(self, image: Tensor | np.ndarray, max_locations: int = 2**14) -> Tensor:
        """Return class indices [H, W, D] uint8 of a normalised image [C, H, W, D].

        Every voxel is evaluated, as by the extraction `dense`. The command `ossnet segment` extracts by the model's
        `extraction` unless another is given, and on the case's own grid.

        Raises:
            UserError: the image does not have this model's channels or grid (see `check_image`).
        """
        field = self.field(self.place(image))
        return dense(field, max_locations=max_locations).segmentation


class VoxelisedModel(SegmentationModel):
    """A model that predicts all voxels at once; its occupancy field interpolates between them.

    It defines `predict` in place of `field`.
    """

    any_grid: ClassVar[bool] = True

    @abstractmethod
    def predict(self, image: Tensor) -> Tensor:
        """Return probabilities of a normalised image [C, H, W, D].

        They are [H, W, D] for two classes, [k, H, W, D] for more, and [k - 1, H, W, D] for nested regions.
        """

    def parts(self) -> Parts:
        """Return the child modules as parts, and `predictions` of all voxels."""
        return {**super().parts(), "predictions": [self.predict]}

    @torch.no_grad()
    def field(self, image: Tensor) -> VoxelField:
        """Return the field of the prediction; see `SegmentationModel.field`."""
        self.check_image(image)
        return VoxelField(self.predict(image), self.config.classes)

    @torch.no_grad()
    def segment(self, image: Tensor | np.ndarray, max_locations: int = 2**14) -> Tensor:
        """Return class indices as inherited, without a walk over the voxels: `max_locations` has no effect."""
        field = self.field(self.place(image))
        values = field.probabilities[0] if field.classes == 2 else field.probabilities.movedim(0, -1)
        return labels_of(values, field.classes)


def as_tensor(values: Tensor | np.ndarray, device: torch.device, dtype: torch.dtype | None = None) -> Tensor:
    """Return a tensor or any array, even a flipped one, as a tensor on a device; its dtype is kept by default."""
    if isinstance(values, np.ndarray):
        values = np.ascontiguousarray(values)  # Torch takes no negative strides.
    return torch.as_tensor(values, dtype=dtype, device=device)
