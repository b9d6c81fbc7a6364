"""Occupancy network for semantic segmentation: f_theta(p, x, z) of Equation 1 and its training loss, Equation 2.

`OccupancyNetwork` joins volume encoder, patch encoder and occupancy decoder; `ossnet.network.field` evaluates it for
one image. The OSS-Nets A to D of Table 2 are presets of its configuration, at the end.
"""

import math
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from ossnet.losses import class_loss, class_probabilities
from ossnet.model import HOST, PATCHES, Batch, ModelConfig, Parts, SegmentationModel
from ossnet.network.activation import ACTIVATIONS, by_learning_rate
from ossnet.network.compiled import CompiledDecoder
from ossnet.network.configuration import OccupancyNetworkConfig
from ossnet.network.coordinates import (
    draw_frequencies,
    fourier_features,
    location_size,
    scale_locations,
    scaling,
)
from ossnet.network.decoder import OccupancyDecoder
from ossnet.network.encoder import Encoding, VolumeEncoder
from ossnet.network.field import CompiledField, EncodedImage, NetworkField
from ossnet.network.lean.host import to_device
from ossnet.network.lean.sweep import DecoderSweep
from ossnet.network.patches import PatchEncoder, PatchVolume
from ossnet.network.resolution import encoder_channels
from ossnet.network.tiles import encode_in_tiles


class OccupancyNetwork(SegmentationModel):
    """Volume encoder, patch encoder and occupancy decoder (Figure 2), joined as the configuration says.

    In shapes, B is the number of images, C of modalities, n of locations per image, s the edge of a patch, and m and L
    the number and length of the global latent vectors. `outputs` is 1, or the number of classes if there are more than
    two, or that of nested regions.
    """

    config: OccupancyNetworkConfig
    config_type: ClassVar[type[ModelConfig]] = OccupancyNetworkConfig
    family: ClassVar[str] = "occupancy"
    evaluates_locations: ClassVar[bool] = True
    extraction: ClassVar[str] = "mise"
    host_images: ClassVar[bool] = True
    nests_regions: ClassVar[bool] = True

    def __init__(self, config: OccupancyNetworkConfig) -> None:
        super().__init__()
        self.config = config
        activation = ACTIVATIONS[config.activation]
        latent_size = math.prod(config.lowest_grid)
        self.encoder = VolumeEncoder(
            config.encoder_shape,
            config.modalities,
            config.encoder_channels,
            latents=config.latents,
            output_skips=config.output_skips,
            segmentation_channels=config.outputs if config.auxiliary_weight > 0 else 0,
            activation=activation,
        )
        self.patch_encoder = (
            PatchEncoder(config.modalities * (1 + config.larger_context), config.patch_size, activation)
            if config.patches
            else None
        )
        self.decoder = OccupancyDecoder(
            config.patch_size**3 if config.patches else 0,
            latent_size,
            config.decoder_width,
            config.decoder_blocks,
            config.outputs,
            config.normalization,
            activation,
            location_size(config.locations),
            config.conditioning,
            config.latent_input,
        )
        frequencies = draw_frequencies().to(self.decoder.head.weight) if config.locations == "fourier" else None
        self.frequencies: Tensor | None
        self.register_buffer("frequencies", frequencies)

    def forward(self, images: Tensor, locations: Tensor) -> tuple[Tensor, Encoding]:
        """Return the logits [B, n, outputs] of f_theta(p, x, z) and the encoding of the images.

        Args:
            images: normalised images x, [B, C, H, W, D], at full resolution.
            locations: voxel indices p, [B, n, 3].
        """
        encoding = self.encode(images)
        if self.training and self.decoder.execution.lean:
            return self.sweep(images, locations, encoding.latents), encoding
        return self.decode(locations, self.read_patches(images, locations), encoding.latents), encoding

    def encode(self, images: Tensor) -> Encoding:
        """Encode images [B, C, H, W, D], scaled down trilinearly to half the resolution."""
        return self.encoder(self.scale_down(images))

    def scale_down(self, images: Tensor) -> Tensor:
        """Scale images [B, C, H, W, D] down trilinearly to half the resolution, the input of the encoder."""
        return F.interpolate(images, self.config.encoder_shape, mode="trilinear", align_corners=False)

    def read_patches(self, images: Tensor, locations: Tensor) -> Tensor | None:
        """Return the patches z, [B, n, s, s, s, C], at voxels [B, n, 3] of images [B, C, H, W, D].

        They have 2 C channels with the larger context. A network without patches has None.
        """
        if not self.config.patches:
            return None
        return torch.stack([self.patch_volume(image)(p) for image, p in zip(images, locations, strict=True)])

    def patch_volume(self, image: Tensor) -> PatchVolume:
        """Make the volume from which the patches of an image [C, H, W, D] are read."""
        config = self.config
        return PatchVolume(image, config.patch_size, config.larger_context, config.context_pooling)

    def decode(self, locations: Tensor, patches: Tensor | None, latents: Tensor) -> Tensor:
        """Return logits [B, n, outputs] at voxel coordinates [B, n, 3], from their patches and latents [B, m, L]."""
        local = None
        if self.patch_encoder is not None and patches is not None:
            local = self.patch_encoder(patches.flatten(0, 1)).unflatten(0, locations.shape[:2])  # [B, n, s^3]
            # Saves 1.4 GB while the decoder runs at inference (OSS-Net D, BraTS, 2^17 locations).
            del patches
        return self.decoder(self._coordinates(locations, latents), local, latents)

    def sweep(self, images: Tensor, locations: Tensor, latents: Tensor) -> Tensor:
        """Return logits [B, n, outputs] in lean training, see `ossnet.network.lean.sweep`.

        Args:
            images: normalised images [B, C, H, W, D], on the device or in host memory.
            locations: voxel indices [B, n, 3], likewise.
            latents: global latent vectors [B, m, L], on the device.
        """
        volumes = [self.patch_volume(image) for image in images] if self.config.patches else []
        near = locations.to(images.device)

        def gather(sample: int, rows: slice) -> Tensor:
            return to_device(volumes[sample](near[sample, rows]), latents.device)

        coordinates = self._coordinates(locations.to(latents.device), latents)
        least = self.decoder.execution.least
        return DecoderSweep(self.patch_encoder, self.decoder, coordinates, gather, latents, least).logits()

    def _coordinates(self, locations: Tensor, latents: Tensor) -> Tensor:
        """Return voxel coordinates [B, n, 3] in the form and dtype that the decoder takes."""
        coordinates = locations.to(latents.dtype)
        if self.config.locations == "voxel":
            return coordinates
        scaled = scale_locations(coordinates, self.config.shape)
        return scaled if self.frequencies is None else fourier_features(scaled, self.frequencies)

    def loss(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """Return the loss L of Equation 2: the occupancy term plus alpha times the auxiliary term (Section 3.2).

        Both terms are mean binary cross-entropies: over the n locations of all volumes, and over the voxels of the
        lowest grid of all volumes. For more than two classes they are cross-entropies over the classes, and for nested
        regions means over the regions of their binary ones.

        Departure: a sampling strategy may weight the losses of the first term.
        """
        locations, weights = batch.draw_locations(generator)
        coarse_label = None
        if self.has_prior:
            # The label y on the lowest grid, [B, h, w, d]: before the network, so that the labels in floating point,
            # 0.5 GB for a LiTS volume, are not in memory together with its activations.
            coarse_label = self.coarse_labels(batch)
        # f_theta(p, x, z) and, in the encoding, f_theta^e(x), both as logits.
        logits, encoding = self(batch.images, locations)
        occupancy = batch.labels_at(locations)
        if weights is not None:
            weights = weights.to(logits.device)
        classes = self.config.classes
        occupancy_term = class_loss(logits.movedim(-1, 1), occupancy.to(logits.device), weights, classes=classes)
        batch.remember(locations, class_probabilities(logits.detach(), dim=-1, classes=classes))
        if encoding.segmentation is None or coarse_label is None:
            return occupancy_term
        auxiliary_term = class_loss(encoding.segmentation, coarse_label.to(logits.device), classes=classes)
        return occupancy_term + self.config.auxiliary_weight * auxiliary_term

    def coarse_labels(self, batch: Batch) -> Tensor:
        """Return the labels [B, h, w, d] of the auxiliary segmentation, the highest class index in each of its voxels.

        The paper does not say how the label is down-sampled to y.
        """
        return F.adaptive_max_pool3d(batch.labels.to(batch.images.dtype), self.config.lowest_grid)

    def field(self, image: Tensor) -> EncodedImage:
        """Return the occupancy field of a normalised image [C, H, W, D], which is encoded once.

        It is a `CompiledField` in evaluation mode with the precision float32, otherwise the `plain_field`.
        """
        if self.training or self.decoder.execution.precision != "float32":
            return self.plain_field(image)
        return self.compiled_field(image)

    @torch.no_grad()
    def plain_field(self, image: Tensor) -> NetworkField:
        """Return the field that evaluates the network as it is, the reference for the compiled one."""
        self.check_image(image)
        image = image.to(next(self.parameters()).device)
        encoding = self.encode(image[None])
        return NetworkField(self.config, encoding, self, self.patch_volume(image) if self.config.patches else None)

    @torch.no_grad()
    def compiled_field(self, image: Tensor) -> CompiledField:
        """Return the field that evaluates a decoder compiled for the image, for a network in evaluation mode.

        The image may be in host memory and the network on another device. The image then stays there, with the volume
        that patches are read from: the encoder gets it at half the resolution, and the decoder patches, a chunk of
        locations at a time.
        """
        self.check_image(image)
        encoding = self.encode_in_tiles(image)
        patches = self.patch_volume(image) if self.config.patches else None
        decoder = self.compile_decoder(encoding.latents[0])
        return CompiledField(self.config, encoding, decoder, patches, image.device)

    def encode_in_tiles(self, image: Tensor) -> Encoding:
        """Encode an image [C, H, W, D] in evaluation mode, as `encode` does, in less memory."""
        half = to_device(self.scale_down(image[None]), next(self.parameters()).device)
        return encode_in_tiles(self.encoder, half)

    def compile_decoder(self, latents: Tensor) -> CompiledDecoder:
        """Compile patch encoder and decoder for the latents [m, L] of an image."""
        scale, shift = scaling(self.config.shape, latents)
        if self.config.locations == "voxel":
            scale, shift = torch.ones_like(scale), torch.zeros_like(shift)
        return CompiledDecoder(self.decoder, self.patch_encoder, latents, scale, shift, self.frequencies)

    @property
    def has_prior(self) -> bool:
        """True if the encoder has an auxiliary segmentation, from which an extraction can start."""
        return self.config.auxiliary_weight > 0

    def parameter_groups(self) -> dict[str, list[torch.nn.Parameter]]:
        """Return the coefficients of Padé units as `activation`, all other parameters as `weights` (Section 4.1)."""
        return by_learning_rate(self)

    @classmethod
    def config_for(cls, shape: tuple[int, int, int], modalities: int, **settings: Any) -> ModelConfig:
        """Return the configuration as inherited, with the encoder's channels chosen for the resolution."""
        return super().config_for(shape, modalities, **{"encoder_channels": encoder_channels(shape)} | settings)

    def parts(self) -> Parts:
        """Return the encoder, the decoder and what reads patches, and in lean training what is done on the host.

        The compiled decoder includes the patch encoder.
        """
        parts: dict[str, Any] = {
            **super().parts(),
            "encoder": [self.encoder, self.encode_in_tiles],
            "decoder": [self.decoder, self.compile_decoder],
            PATCHES: [self.patch_volume, self.read_patches],
        }
        if not (self.training and self.decoder.execution.lean):
            return parts
        on_host = [self.scale_down, self.patch_volume, self.coarse_labels]
        return {**parts, "decoder": [self.sweep], PATCHES: [self.read_patches], HOST: on_host}


class OSSNetA(OccupancyNetwork):
    """OSS-Net A: O-Net with a patch encoder for small patches."""


class OSSNetB(OccupancyNetwork):
    """OSS-Net B: A with a larger context, average-pooled patches of twice the edge."""

    preset = {"larger_context": True}


class OSSNetC(OccupancyNetwork):
    """OSS-Net C: A with output skip-connections in the encoder and the auxiliary loss."""

    preset = {"output_skips": True, "auxiliary_weight": 0.1}


class OSSNetD(OccupancyNetwork):
    """OSS-Net D: B with output skip-connections in the encoder and the auxiliary loss."""

    preset = OSSNetB.preset | OSSNetC.preset
