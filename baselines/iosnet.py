"""IOSNet (2022), a successor of OSS-Net: features of all scales, sampled at a location, in place of patches.

Departure: by default the encoder is OSS-Net's own, without its heads, which answers whether a model needs the patch of
7^3 voxels where the decoder sees features of every scale. The published encoder is the second configuration,
`encoder = "resnet"` with `half_resolution = false` and the channels 64, 128, 256 and 512.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ossnet.checks import STRICT, Field, PositiveInt, checked
from ossnet.losses import class_loss, class_probabilities
from ossnet.model import PATCHES, Batch, ModelConfig, Parts, SegmentationModel
from ossnet.network.activation import ACTIVATIONS, ActivationName, by_learning_rate
from ossnet.network.encoder import ResidualBlock, lowest_grid
from ossnet.network.execution import ExecutableModule
from ossnet.network.field import LogitField
from ossnet.network.normalization import BatchNorm3d
from ossnet.network.patches import validate_locations
from ossnet.network.resolution import encoder_channels

DISPLACEMENT = 0.0722
"""Distance of the neighbours along each axis, where the volume reaches from -1 to 1."""


@checked(frozen=True, config=STRICT)
class IOSNetConfig(ModelConfig):
    """Sizes and switches of an IOSNet; the defaults are those with OSS-Net's encoder for BraTS 2020.

    Attributes:
        encoder: `ossnet`, the residual blocks of OSS-Net's encoder, or `resnet`, a stem and stages of two residual
            blocks each.
        encoder_channels: number of output channels of each block of `ossnet`, or of each stage of `resnet`, whose stem
            has as many as the first stage.
        half_resolution: whether the encoder reads the volume at half the resolution, as OSS-Net's does.
        location: whether the decoder gets the location itself, too.
        global_average: whether the decoder gets the average of the last features, too.
        neighbours: whether samples are averaged with those of six neighbours, displaced by `DISPLACEMENT`.
        decoder_width: number of features of each hidden layer of the decoder.
        decoder_layers: number of hidden layers of the decoder.
        activation: activation of the encoder `ossnet`; all others are ReLU.
    """

    encoder: Literal["ossnet", "resnet"] = "ossnet"
    encoder_channels: tuple[PositiveInt, ...] = Field(default=(16, 32, 64, 128), min_length=1)
    half_resolution: bool = True
    location: bool = False
    global_average: bool = False
    neighbours: bool = False
    decoder_width: int = Field(default=1024, ge=1)
    decoder_layers: int = Field(default=3, ge=1)
    activation: ActivationName = "pau"

    def __post_init__(self) -> None:
        if min(lowest_grid(self.encoder_shape, len(self.encoder_channels))) < 1:
            raise ValueError(
                f"{len(self.encoder_channels)} encoder_channels halve shape {self.encoder_shape} to nothing; use fewer"
            )

    @property
    def encoder_shape(self) -> tuple[int, int, int]:
        """Input grid of the encoder."""
        height, width, depth = (size // 2 if self.half_resolution else size for size in self.shape)
        return height, width, depth


class BasicBlock(nn.Module):
    """Residual block of the published encoder: two convolutions of size 3 with batch norm, the first with a stride."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.main = nn.Sequential(
            nn.Conv3d(in_channels, out_channels, 3, stride, padding=1, bias=False),
            BatchNorm3d(out_channels),
            nn.ReLU(),
            nn.Conv3d(out_channels, out_channels, 3, padding=1, bias=False),
            BatchNorm3d(out_channels),
        )
        same = in_channels == out_channels and stride == 1
        self.skip: nn.Module = nn.Identity()
        if not same:
            self.skip = nn.Sequential(
                nn.Conv3d(in_channels, out_channels, 1, stride, bias=False), BatchNorm3d(out_channels)
            )

    def forward(self, x: Tensor) -> Tensor:
        """Return [B, out, *grid / stride], rounded up, for x [B, in, *grid]."""
        return F.relu(self.main(x) + self.skip(x))


def resnet_stages(modalities: int, channels: Sequence[int]) -> list[nn.Module]:
    """Make the stem, which keeps the grid, and the stages, each of two blocks of which the first halves it.

    The published text leaves open the stem's kernel, here of size 3, and where the grid is halved.
    """
    stem = nn.Sequential(
        nn.Conv3d(modalities, channels[0], 3, padding=1, bias=False), BatchNorm3d(channels[0]), nn.ReLU()
    )
    stages = [
        nn.Sequential(BasicBlock(before, after, stride=2), BasicBlock(after, after, stride=1))
        for before, after in pairwise((channels[0], *channels))
    ]
    return [stem, *stages]


class FeatureEncoder(ExecutableModule):
    """Encoder that returns the features of each of its stages."""

    def __init__(self, config: IOSNetConfig) -> None:
        super().__init__()
        channels = config.encoder_channels
        stages: Sequence[nn.Module]
        if config.encoder == "resnet":
            stages = resnet_stages(config.modalities, channels)
            self.channels = (channels[0], *channels)
        else:
            activation = ACTIVATIONS[config.activation]
            stages = [ResidualBlock(*pair, activation) for pair in pairwise((config.modalities, *channels))]
            self.channels = channels
        self.stages = nn.ModuleList(stages)

    def forward(self, volumes: Tensor) -> list[Tensor]:
        """Return features [B, c, *grid] of each stage for volumes [B, C, H, W, D]."""
        features, x = [], volumes
        for stage in self.stages:
            x = self.execution.run(stage, x)
            features.append(x.to(volumes.dtype))
        return features


class LocationDecoder(ExecutableModule):
    """Fully connected decoder: hidden layers with ReLU and a linear map to logits, without normalisation."""

    def __init__(self, in_features: int, width: int, layers: int, outputs: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *(
                nn.Sequential(nn.Linear(before, after), nn.ReLU())
                for before, after in pairwise((in_features, *[width] * layers))
            )
        )
        self.head = nn.Linear(width, outputs)

    def forward(self, features: Tensor) -> Tensor:
        """Return logits [B, n, outputs] for features [B, n, in_features]."""
        return self.head(self.execution.run(self.layers, features).to(features.dtype))


def sample(volumes: Tensor, coordinates: Tensor) -> Tensor:
    """Return the trilinear samples [B, n, c] of volumes [B, c, *grid] at coordinates [B, n, 3].

    Coordinates reach from -1 to 1 over the cells of the volume, axes in their order; beyond it there are zeros.
    """
    grid = coordinates.flip(-1)[:, :, None, None]  # grid_sample takes the axes in reverse order.
    return F.grid_sample(volumes, grid, align_corners=False)[..., 0, 0].mT


class IOSNet(SegmentationModel):
    """Encoder, samples of its features at a location, and decoder; trained on the cross-entropy at drawn locations.

    In shapes, B is the number of images, C of modalities and n of locations per image.
    """

    config: IOSNetConfig
    config_type: ClassVar[type[ModelConfig]] = IOSNetConfig
    family: ClassVar[str] = "iosnet"
    evaluates_locations: ClassVar[bool] = True
    extraction: ClassVar[str] = "mise"
    nests_regions: ClassVar[bool] = True
    displacements: Tensor

    def __init__(self, config: IOSNetConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = FeatureEncoder(config)
        last = self.encoder.channels[-1]
        width = config.modalities + sum(self.encoder.channels) + 3 * config.location + last * config.global_average
        self.decoder = LocationDecoder(width, config.decoder_width, config.decoder_layers, config.outputs)
        displacements = torch.cat([torch.zeros(1, 3), torch.eye(3), -torch.eye(3)]) * DISPLACEMENT
        self.register_buffer("displacements", displacements, persistent=False)

    def forward(self, images: Tensor, locations: Tensor) -> Tensor:
        """Return logits [B, n, outputs] at voxel coordinates [B, n, 3] of images [B, C, H, W, D]."""
        return self.decode(self.encode(images), locations)

    def encode(self, images: Tensor) -> list[Tensor]:
        """Return the images [B, C, H, W, D] themselves and the features [B, c, *grid] of each stage of the encoder.

        OSS-Net's blocks leave out the last voxel of an odd axis; its features are then stretched over the volume.
        """
        volumes = images
        if self.config.half_resolution:
            volumes = F.interpolate(images, self.config.encoder_shape, mode="trilinear", align_corners=False)
        return [images, *self.encoder(volumes)]

    def decode(self, volumes: Sequence[Tensor], locations: Tensor) -> Tensor:
        """Return logits [B, n, outputs] at voxel coordinates [B, n, 3], by the volumes that `encode` returns."""
        return self.decoder(self.gather(volumes, locations))

    def gather(self, volumes: Sequence[Tensor], locations: Tensor) -> Tensor:
        """Return the decoder's input [B, n, features] at voxel coordinates [B, n, 3]."""
        shape = torch.tensor(self.config.shape, device=locations.device)
        # Voxels are cells: the centre of voxel 0 is half a voxel within the volume, which begins at -1.
        coordinates = (2 * locations + 1).to(volumes[0].dtype) / shape - 1
        places = coordinates[:, None] + self.displacements[: 7 if self.config.neighbours else 1, None]  # [B, m, n, 3]
        inputs = [sample(volume, places.flatten(1, 2)).unflatten(1, places.shape[1:3]).mean(1) for volume in volumes]
        if self.config.location:
            inputs.append(coordinates)
        if self.config.global_average:
            inputs.append(volumes[-1].mean((2, 3, 4))[:, None].expand(-1, locations.shape[1], -1))
        return torch.cat(inputs, -1)

    def loss(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """Return the mean cross-entropy at the locations that the sampling strategy draws, weighted as it says."""
        locations, weights = batch.draw_locations(generator)
        logits = self(batch.images, locations)
        classes = self.config.classes
        batch.remember(locations, class_probabilities(logits.detach(), dim=-1, classes=classes))
        return class_loss(logits.movedim(-1, 1), batch.labels_at(locations), weights, classes=classes)

    @torch.no_grad()
    def field(self, image: Tensor) -> "SampledField":
        """Return the occupancy field of a normalised image [C, H, W, D], which is encoded once."""
        self.check_image(image)
        return SampledField(self.config, self, self.encode(image[None]))

    @classmethod
    def config_for(cls, shape: tuple[int, int, int], modalities: int, **settings: Any) -> ModelConfig:
        """Return the configuration as inherited, with as many blocks as OSS-Net's encoder has at the resolution."""
        return super().config_for(shape, modalities, **{"encoder_channels": encoder_channels(shape)} | settings)

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Return the coefficients of Padé units as `activation`, all other parameters as `weights`."""
        return by_learning_rate(self)

    def parts(self) -> Parts:
        """Return the encoder, the decoder, and what samples features."""
        return {**super().parts(), PATCHES: [self.gather]}


@dataclass(frozen=True, eq=False)
class SampledField(LogitField):
    """Occupancy field of one image by an IOSNet.

    Attributes:
        network: network that is evaluated.
        volumes: volumes of the image that are sampled, see `IOSNet.encode`, with B = 1.
    """

    network: IOSNet
    volumes: Sequence[Tensor]

    @property
    def device(self) -> torch.device:
        """Device of locations and probabilities."""
        return self.volumes[0].device

    @torch.no_grad()
    def _outputs(self, locations: Tensor) -> Tensor:
        return self.network.decode(self.volumes, validate_locations(locations, self.shape)[None])[0]
