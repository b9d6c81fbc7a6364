"""Occupancy network for semantic segmentation, f_theta(p, x, z) of Equation 1, and its training loss (Equation 2)."""

import math
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from ossnet.checks import STRICT, Field, PositiveInt, checked
from ossnet.losses import class_loss, probabilities
from ossnet.model import PATCHES, Batch, ModelConfig, Parts, SegmentationModel
from ossnet.network.activation import ACTIVATIONS, ActivationName, PadeActivationUnit
from ossnet.network.decoder import OccupancyDecoder
from ossnet.network.encoder import Encoding, VolumeEncoder, lowest_grid
from ossnet.network.normalization import NormalizationName
from ossnet.network.patch_encoder import PatchEncoder
from ossnet.network.patches import PatchVolume, Pooling, within_reach
from ossnet.network.resolution import encoder_channels


@checked(frozen=True, config=STRICT)
class OccupancyNetworkConfig(ModelConfig):
    """Sizes and switches; the defaults are OSS-Net A for BraTS 2020.

    Each modification of the paper is a switch of its own: `patches`, `larger_context`, `output_skips`,
    `auxiliary_weight` (alpha of Equation 2; 0 leaves the auxiliary segmentation out), `activation`. So are two facts
    of the released weights that the paper leaves open: `normalization` (see `ConditionalBatchNorm`) and `locations`,
    fed as plain voxel indices or scaled to [-1, 1] over the volume.
    """

    encoder_channels: tuple[PositiveInt, ...] = Field(default=(16, 32, 64, 128), min_length=1)
    output_skips: bool = False
    auxiliary_weight: float = Field(default=0.0, ge=0)
    patches: bool = True
    patch_size: int = Field(default=7, ge=1)
    larger_context: bool = False
    context_pooling: Pooling = "average"
    decoder_width: int = Field(default=512, ge=1)
    decoder_blocks: int = Field(default=5, ge=1)
    activation: ActivationName = "pau"
    normalization: NormalizationName = "scalar"
    locations: Literal["voxel", "scaled"] = "voxel"

    def __post_init__(self) -> None:
        if self.patch_size % 2 == 0:
            raise ValueError(f"patch_size is {self.patch_size}; a patch centred on a voxel has an odd size")
        if self.larger_context and not self.patches:
            raise ValueError("larger_context widens the patches; set patches = true with it")
        if self.output_skips and min(self.encoder_channels) < 2:
            raise ValueError(f"output_skips halve encoder_channels {self.encoder_channels}; each must be 2 or more")
        if min(self.lowest_grid) < 1:
            raise ValueError(
                f"{len(self.encoder_channels)} encoder blocks halve shape {self.shape} (half resolution) to nothing; "
                "use fewer encoder_channels"
            )
        if math.prod(self.lowest_grid) == 1:
            raise ValueError(
                f"{len(self.encoder_channels)} encoder blocks halve shape {self.shape} (half resolution) to one voxel, "
                "which a batch of one cannot be normalised over; use fewer encoder_channels or a larger shape"
            )

    @property
    def encoder_shape(self) -> tuple[int, int, int]:
        """The encoder's input grid: half the resolution of the volume."""
        height, width, depth = (size // 2 for size in self.shape)
        return height, width, depth

    @property
    def lowest_grid(self) -> tuple[int, int, int]:
        """The encoder's last grid; its number of voxels is the latent length L."""
        return lowest_grid(self.encoder_shape, len(self.encoder_channels))


class OccupancyNetwork(SegmentationModel):
    """Volume encoder, patch encoder and occupancy decoder, joined as its configuration says."""

    config: OccupancyNetworkConfig
    config_type: ClassVar[type[ModelConfig]] = OccupancyNetworkConfig
    family: ClassVar[str] = "occupancy"
    evaluates_locations: ClassVar[bool] = True
    extraction: ClassVar[str] = "mise"

    @classmethod
    def config_for(cls, shape: tuple[int, int, int], modalities: int, **settings: Any) -> ModelConfig:
        """Return the configuration as inherited, with the encoder's filters by the resolution."""
        return super().config_for(shape, modalities, **{"encoder_channels": encoder_channels(shape)} | settings)

    def parts(self) -> Parts:
        """Return encoder, patch encoder and decoder as parts, and what reads patches."""
        return {**super().parts(), PATCHES: [self.patch_volume, self.read_patches]}

    def __init__(self, config: OccupancyNetworkConfig) -> None:
        super().__init__()
        self.config = config
        activation = ACTIVATIONS[config.activation]
        latent_size = math.prod(config.lowest_grid)
        self.encoder = VolumeEncoder(
            config.encoder_shape,
            config.modalities,
            config.encoder_channels,
            latents=config.decoder_blocks + 1 if config.output_skips else 1,
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
        )

    @property
    def has_prior(self) -> bool:
        return self.config.auxiliary_weight > 0

    def parameter_groups(self) -> dict[str, list[torch.nn.Parameter]]:
        learned = {
            id(p) for module in self.modules() if isinstance(module, PadeActivationUnit) for p in module.parameters()
        }
        groups: dict[str, list[torch.nn.Parameter]] = {"weights": [], "activation": []}
        for parameter in self.parameters():
            groups["activation" if id(parameter) in learned else "weights"].append(parameter)
        return groups

    def encode(self, images: Tensor) -> Encoding:
        """The encoding of full-resolution images [B, C, H, W, D], which are scaled down trilinearly to half."""
        half = F.interpolate(images, self.config.encoder_shape, mode="trilinear", align_corners=False)
        return self.encoder(half)

    def patch_volume(self, image: Tensor) -> PatchVolume:
        """An image [C, H, W, D] ready for reading patches."""
        config = self.config
        return PatchVolume(image, config.patch_size, config.larger_context, config.context_pooling)

    def read_patches(self, images: Tensor, locations: Tensor) -> Tensor | None:
        """Patches [B, n, s, s, s, C] at voxels [B, n, 3] of images [B, C, H, W, D].

        None for a network without patches.
        """
        if not self.config.patches:
            return None
        # Without a name for the volume, so that each is gone before the next is made.
        return torch.stack([self.patch_volume(image)(p) for image, p in zip(images, locations, strict=True)])

    def decode(self, locations: Tensor, patches: Tensor | None, latents: Tensor) -> Tensor:
        """Logits [B, n, outputs] at coordinates [B, n, 3] with patches [B, n, s, s, s, C] and latents [B, m, L]."""
        local = None
        if self.patch_encoder is not None and patches is not None:
            local = self.patch_encoder(patches.flatten(0, 1)).unflatten(0, locations.shape[:2])
            # They need not take memory any longer, unless the caller holds them or gradients do.
            del patches
        coordinates = locations.to(latents.dtype)
        if self.config.locations == "scaled":
            last = torch.tensor(self.config.shape, device=coordinates.device) - 1
            coordinates = 2 * coordinates / last.clamp(min=1) - 1
        return self.decoder(coordinates, local, latents)

    def forward(self, images: Tensor, locations: Tensor) -> tuple[Tensor, Encoding]:
        """Logits [B, n, outputs] at voxels [B, n, 3] of images [B, C, H, W, D], and the images' encoding."""
        encoding = self.encode(images)
        return self.decode(locations, self.read_patches(images, locations), encoding.latents), encoding

    def learned_per_case(self, locations: int) -> int:
        return locations

    def loss(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """Equation 2. With k > 2 classes both terms are cross-entropies over the classes.

        The auxiliary term's target is the label max-pooled to the lowest grid; with several classes a cell takes the
        highest class index that occurs in it, which for two classes is the same.
        """
        locations, weights = batch.draw_locations(generator)
        coarse = None
        if self.has_prior:
            # Before the network, whose activations then need not share the memory with labels in floating point.
            coarse = F.adaptive_max_pool3d(batch.labels.to(batch.images.dtype), self.config.lowest_grid)
        logits, encoding = self(batch.images, locations)
        targets = torch.stack([label[tuple(p.T)] for label, p in zip(batch.labels, locations, strict=True)])
        loss = class_loss(logits.movedim(-1, 1), targets, weights)
        batch.remember(locations, probabilities(logits.detach(), dim=-1))
        if encoding.segmentation is not None and coarse is not None:
            loss = loss + self.config.auxiliary_weight * class_loss(encoding.segmentation, coarse)
        return loss

    @torch.no_grad()
    def field(self, image: Tensor) -> "NetworkField":
        self.check_image(image)
        # Before the patches' volume, which then need not lie beside the encoder's activations.
        encoding = self.encode(image[None])
        return NetworkField(self, encoding, self.patch_volume(image) if self.config.patches else None)


@dataclass(frozen=True, eq=False)
class NetworkField:
    """The occupancy field of one image: its encoding and its patches, made once, for any number of locations.

    Called, it raises ValueError for a location more than one voxel outside the volume.
    """

    network: OccupancyNetwork
    encoding: Encoding
    patches: PatchVolume | None

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.network.config.shape

    @property
    def device(self) -> torch.device:
        return self.encoding.latents.device

    @property
    def classes(self) -> int:
        return self.network.config.classes

    @property
    def prior(self) -> Tensor | None:
        if self.encoding.segmentation is None:
            return None
        return probabilities(self.encoding.segmentation[0], dim=0)

    @torch.no_grad()
    def __call__(self, locations: Tensor) -> Tensor:
        decode, latents = self.network.decode, self.encoding.latents
        if self.patches is None:
            logits = decode(within_reach(locations, self.shape)[None], None, latents)
        else:
            logits = decode(locations[None], self.patches(locations)[None], latents)
        return probabilities(logits[0], dim=-1)
