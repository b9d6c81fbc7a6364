"""Configuration of the occupancy networks: their sizes, and a switch for each modification of the paper."""

import math

from ossnet.checks import STRICT, Field, PositiveInt, checked, newer
from ossnet.model import ModelConfig
from ossnet.network.activation import ActivationName
from ossnet.network.coordinates import LocationForm
from ossnet.network.decoder import NormalizationName
from ossnet.network.encoder import lowest_grid
from ossnet.network.patches import Pooling


@checked(frozen=True, config=STRICT)
class OccupancyNetworkConfig(ModelConfig):
    """Sizes and switches of an occupancy network; the defaults are OSS-Net A for BraTS 2020.

    Each modification of the paper is a switch of its own: `patches`, `larger_context`, `output_skips`,
    `auxiliary_weight` and `activation`. Two choices that the paper leaves open and the released weights
    settle are switches as well: `normalization` and `locations`. `conditioning` and `latent_input` are the two ways by
    which the global latents reach the decoder; at least one of them is needed.

    Attributes:
        encoder_channels: number of output channels of each residual block of the encoder.
        output_skips: whether output skip-connections join features of every block into the latents (Section 3.1).
        auxiliary_weight: weight alpha of the auxiliary loss in Equation 2, 0.1 in Section 3.2; 0 leaves out the
            auxiliary segmentation.
        patches: whether the decoder gets local observations z (Section 3).
        patch_size: edge of a patch in voxels, odd.
        larger_context: whether a patch of twice the edge, pooled by 2, is stacked with the patch (Table 2).
        context_pooling: pooling of the larger patch, see `PatchVolume`.
        decoder_width: number of features of each decoder block.
        decoder_blocks: number of residual blocks of the decoder.
        activation: activation of all parts of the network.
        normalization: batch norm of the decoder: `scalar` with one mean and one variance, as the released weights
            require, or `feature` with those of each feature.
        locations: form in which locations are fed to the decoder, see `ossnet.network.coordinates`: `voxel`, as the
            released weights require, `scaled` or `fourier`.
        conditioning: whether global latents condition the decoder's norms (Section 4.1). Otherwise each norm is
            followed by a learned factor and summand for each feature.
        latent_input: whether a global latent joins the decoder's input at every location (Figure 2).
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
    locations: LocationForm = "voxel"
    conditioning: bool = newer(True)
    latent_input: bool = newer(True)

    def __post_init__(self) -> None:
        if self.patch_size % 2 == 0:
            raise ValueError(f"patch_size is {self.patch_size}; a patch centred on a voxel has an odd size")
        if self.larger_context and not self.patches:
            raise ValueError("larger_context widens the patches; set patches = true with it")
        if not (self.conditioning or self.latent_input):
            raise ValueError("conditioning and latent_input are both false, so that no latent reaches the decoder")
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
    def latents(self) -> int:
        """Number m of global latent vectors of an image.

        Without output skips it is one, for every use of it (Section 4.1). With them, the decoder's input has one of its
        own and so has each of its blocks, as the released weights require.
        """
        if not self.output_skips:
            return 1
        return self.latent_input + (self.decoder_blocks if self.conditioning else 0)

    @property
    def encoder_shape(self) -> tuple[int, int, int]:
        """Input grid of the encoder: half the resolution of the volume, rounded down."""
        height, width, depth = (size // 2 for size in self.shape)
        return height, width, depth

    @property
    def lowest_grid(self) -> tuple[int, int, int]:
        """Last grid of the encoder; its number of voxels is the latent length L."""
        return lowest_grid(self.encoder_shape, len(self.encoder_channels))
