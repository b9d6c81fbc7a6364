"""Occupancy fields of one image by an occupancy network: the plain one, and the fast one that inference uses."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ossnet.losses import probabilities
from ossnet.model import ModelConfig
from ossnet.nested import is_nested, nest
from ossnet.network.compiled import CompiledDecoder
from ossnet.network.encoder import Encoding
from ossnet.network.patches import PatchVolume, validate_locations

if TYPE_CHECKING:
    from ossnet.network.configuration import OccupancyNetworkConfig
    from ossnet.network.occupancy_network import OccupancyNetwork


@dataclass(frozen=True, eq=False)
class LogitField(ABC):
    """Occupancy field f_theta(., x, .) of one image x, by a network that returns logits at locations.

    A subclass defines `device` and `_outputs`.

    Attributes:
        config: configuration of the network.
    """

    config: ModelConfig

    @property
    def shape(self) -> tuple[int, int, int]:
        """Grid (H, W, D) of the image in voxels."""
        return self.config.shape

    @property
    @abstractmethod
    def device(self) -> torch.device:
        """Device of locations and probabilities."""

    @property
    def classes(self) -> int:
        """Number of classes with the background."""
        return self.config.classes

    @property
    def prior(self) -> Tensor | None:
        """None, for a network without a segmentation of its encoder."""
        return None

    def __call__(self, locations: Tensor) -> Tensor:
        """Return probabilities at voxel coordinates [n, 3], integer or in between.

        They are [n] for two classes, [n, k] for more, and [n, k - 1] for nested regions.

        Raises:
            ValueError: a location is more than one voxel outside the volume.
        """
        return probabilities(self._outputs(locations), dim=-1, classes=self.classes)

    def logits(self, locations: Tensor) -> Tensor:
        """Return logits [n] (two classes), [n, k] or [n, k - 1], of which `__call__` makes probabilities.

        Raises:
            ValueError: a location is more than one voxel outside the volume.
        """
        outputs = self._outputs(locations)
        if is_nested(outputs, self.classes):
            return nest(outputs, dim=-1)
        return outputs.squeeze(-1) if self.classes == 2 else outputs

    @abstractmethod
    def _outputs(self, locations: Tensor) -> Tensor:
        """Return logits [n, outputs]."""


@dataclass(frozen=True, eq=False)
class EncodedImage(LogitField):
    """Occupancy field of one image that an occupancy network has encoded.

    Attributes:
        encoding: encoding of the image, with B = 1.
    """

    config: "OccupancyNetworkConfig"
    encoding: Encoding

    @property
    def device(self) -> torch.device:
        """Device of locations and probabilities."""
        return self.encoding.latents.device

    @property
    def prior(self) -> Tensor | None:
        """Auxiliary segmentation: probabilities [h, w, d] (two classes), [k, h, w, d] or [k - 1, h, w, d], or None."""
        if self.encoding.segmentation is None:
            return None
        return probabilities(self.encoding.segmentation[0], dim=0, classes=self.classes)


@dataclass(frozen=True, eq=False)
class NetworkField(EncodedImage):
    """Field that evaluates the network as it is: the reference for `CompiledField`.

    Attributes:
        network: network that is evaluated.
        patches: volume from which patches are read; None for a network without them.
    """

    network: "OccupancyNetwork"
    patches: PatchVolume | None

    @torch.no_grad()
    def _outputs(self, locations: Tensor) -> Tensor:
        decode, latents = self.network.decode, self.encoding.latents
        if self.patches is None:
            return decode(validate_locations(locations, self.shape)[None], None, latents)[0]
        return decode(locations[None], self.patches(locations)[None], latents)[0]


@dataclass(frozen=True, eq=False)
class CompiledField(EncodedImage):
    """Field by a decoder that is compiled for the image, with the answers of `NetworkField` up to rounding.

    Attributes:
        decoder: compiled decoder, with the patch encoder.
        patches: volume from which patches are read; None for a network without them.
        image_device: device of the image and of that volume.
    """

    decoder: CompiledDecoder
    patches: PatchVolume | None
    image_device: torch.device

    @torch.no_grad()
    def _outputs(self, locations: Tensor) -> Tensor:
        # A whole pass is moved at once: moving each chunk would wait for the one before it.
        return self.decoder(validate_locations(locations, self.shape).to(self.image_device), self.patches)
