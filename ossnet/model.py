"""The one interface of every model: learn from cases, tell the occupancy at locations, segment a volume."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from ossnet.checks import STRICT, Field, checked
from ossnet.data.slices import Slicing
from ossnet.errors import UserError
from ossnet.field import OccupancyField, evaluate
from ossnet.inference.extraction import dense

Edge = Annotated[int, Field(ge=1)]


@checked(frozen=True, config=STRICT)
class ModelConfig:
    """What every model is made for.

    Attributes:
        shape: the grid (H, W, D) of its images in voxels.
        modalities: the number C of image channels.
        classes: with the background; 2 makes one sigmoid output, more make a softmax over them (Sec. 3, Eq. 1).
    """

    shape: tuple[Edge, Edge, Edge]
    modalities: int = Field(ge=1)
    classes: int = Field(default=2, ge=2)

    @property
    def outputs(self) -> int:
        """Logits a location or voxel."""
        return 1 if self.classes == 2 else self.classes


def as_tensor(values: Tensor | np.ndarray, device: torch.device, dtype: torch.dtype | None = None) -> Tensor:
    """A tensor or any array, a flipped one too, as a tensor on a device; its own dtype by default."""
    if isinstance(values, np.ndarray):
        values = np.ascontiguousarray(values)  # Torch takes no negative strides.
    return torch.as_tensor(values, dtype=dtype, device=device)


def forget(locations: Tensor, probabilities: Tensor) -> None:
    """What becomes of predictions where the sampling strategy does not learn from them: nothing."""


class Draw(NamedTuple):
    """Locations to learn from.

    Attributes:
        locations: voxel indices [..., n, 3] int64.
        weights: of the losses at the locations in their mean, [..., n] float32; None where all weigh the same.
    """

    locations: Tensor
    weights: Tensor | None = None


@dataclass(frozen=True)
class Batch:
    """Cases to learn from in one step.

    A model that learns from locations draws them, weighs their losses as the draw says and hands its predictions back.
    A model that learns from all voxels does none of the three.

    Attributes:
        images: [B, C, H, W, D] float32, normalised; for a model with a `slicing`, its slices alone along that axis.
        labels: [B, H, W, D] uint8 class indices, of the same voxels.
        draw_locations: locations [B, n, 3] by the run's sampling strategy with weights [B, n] or None.
        remember: takes drawn locations [B, n, 3] and the probabilities [B, n] (two classes) or [B, n, k] that the model
            predicts there, detached; later draws may depend on them.
    """

    images: Tensor
    labels: Tensor
    draw_locations: Callable[[torch.Generator], Draw]
    remember: Callable[[Tensor, Tensor], None] = forget


class SegmentationModel(nn.Module, ABC):
    """A model of the suite, whatever its kind.

    A concrete model is made by `Model(config)`; its weights are drawn from torch's global generator.

    Attributes:
        config: what the model was made with.
        config_type: the configuration's class.
        family: of models that share settings in a profile.
        extraction: how its segmentations are made by default, a name of `ossnet.inference.extraction.EXTRACTORS`.
        any_grid: whether images may be on another grid than the configuration's `shape`.
        preset: field values that make the model the one of its name.
    """

    config: ModelConfig
    config_type: ClassVar[type[ModelConfig]]
    family: ClassVar[str]
    extraction: ClassVar[str] = "dense"
    any_grid: ClassVar[bool] = False
    preset: ClassVar[dict[str, Any]] = {}

    @abstractmethod
    def loss(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """The scalar to minimise for `batch`; every random draw is from `generator` (on the CPU)."""

    @abstractmethod
    def field(self, image: Tensor) -> OccupancyField:
        """The occupancy field of a normalised image [C, H, W, D] float32, on the model's device.

        Raises:
            UserError: the image is not of this model's channels or grid (see `check_image`).
        """

    def check_image(self, image: Tensor) -> None:
        """Refuse what is no image of this model; every `field` begins with it.

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

    def learned_per_case(self, locations: int) -> int:
        """The number of places of a case whose labels a training step learns from; by default its voxels.

        Args:
            locations: that the sampling strategy draws of a case; they matter to models that learn from locations.
        """
        return math.prod(self.config.shape)

    @property
    def slicing(self) -> Slicing | None:
        """The slices that it learns from instead of whole volumes; None for a model that takes these."""
        return None

    @property
    def has_prior(self) -> bool:
        """Whether its fields have a prior, a coarse segmentation for the extraction to start from."""
        return False

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Parameters by learning rate: `weights`, and `activation` for learned activations (may be empty)."""
        return {"weights": list(self.parameters()), "activation": []}

    @torch.no_grad()
    def occupancy(
        self, image: Tensor | np.ndarray, locations: Tensor | np.ndarray, max_locations: int = 2**14
    ) -> Tensor:
        """Probabilities [n], or [n, k] for k > 2 classes, at voxel coordinates [n, 3] of an image [C, H, W, D].

        The image is at full resolution and normalised; coordinates are in the order of its axes, at voxels or between.
        At most `max_locations` are evaluated a pass, which bounds the memory and leaves the answer as it is.

        Raises:
            UserError: the image is not of this model's channels or grid (see `check_image`).
            ValueError: a location is more than one voxel outside the image (occupancy networks; the prediction of a
                voxelised model goes on beyond it).
        """
        device = next(self.parameters()).device
        image = as_tensor(image, device, torch.float32)
        return evaluate(self.field(image), as_tensor(locations, device), max_locations)

    @torch.no_grad()
    def segment(self, image: Tensor | np.ndarray, max_locations: int = 2**14) -> Tensor:
        """Class indices [H, W, D] uint8 at every voxel of a normalised image [C, H, W, D].

        Raises:
            UserError: the image is not of this model's channels or grid (see `check_image`).
        """
        field = self.field(as_tensor(image, next(self.parameters()).device, torch.float32))
        return dense(field, max_locations=max_locations).segmentation
