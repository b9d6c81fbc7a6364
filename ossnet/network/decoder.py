"""Occupancy decoder: from locations, local and global latent vectors to logits (Section 3.1, Figure 2).

Departure: in training, batch norms take their statistics from the whole batch, on any number of devices. The paper
spread each batch over two GPUs (Section 4.1), and each GPU normalised its half by that half alone; `recipe.norm_parts`
of 2 does the same, on two devices or on one.
"""

from dataclasses import replace
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from ossnet.network.activation import Activation
from ossnet.network.execution import ExecutableModule
from ossnet.network.normalization import BatchNormalization

NormalizationName = Literal["scalar", "feature"]


class ScalarBatchNorm(BatchNormalization, nn.BatchNorm1d):
    """Batch normalisation of x [B, n, F] by a single mean and variance over all samples, locations and features.

    It has no affine map. The paper does not say so, but the released weights require it; statistics for each feature,
    as in `FeatureBatchNorm`, are usual; here they are an ablation.
    """

    def __init__(self) -> None:
        super().__init__(1, affine=False)

    def by_feature(self, x: Tensor) -> Tensor:
        """Return x [B, n, F] as a single feature [1, 1, B n F]."""
        return x.reshape(1, 1, -1)


class FeatureBatchNorm(BatchNormalization, nn.BatchNorm1d):
    """Batch normalisation of each feature of x [B, n, F] over all samples and locations, without affine map."""

    def __init__(self, features: int) -> None:
        super().__init__(features, affine=False)

    def by_feature(self, x: Tensor) -> Tensor:
        """Return x [B, n, F] as [B n, F]."""
        return x.flatten(0, 1)


class Constant(nn.Module):
    """Learned vector [F] in the place of a linear map of the latent: the bias of such a map, without its weight."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.empty(features))

    def forward(self, latent: Tensor) -> Tensor:
        """Return the vector for each sample, [B, F], whatever the latent [B, L] is."""
        return self.bias.expand(len(latent), -1)


class ConditionalBatchNorm(nn.Module):
    """Conditional batch normalisation gamma(latent) * norm(x) + beta(latent) (de Vries et al. 2017; Section 4.1).

    The linear maps gamma and beta start with weights 0 and biases 1 and 0, as a plain normalisation. Without
    conditioning only these biases are learned.
    """

    def __init__(
        self, latent_size: int, features: int, normalization: NormalizationName, conditioning: bool = True
    ) -> None:
        super().__init__()
        self.norm = ScalarBatchNorm() if normalization == "scalar" else FeatureBatchNorm(features)
        self.gamma = nn.Linear(latent_size, features) if conditioning else Constant(features)
        self.beta = nn.Linear(latent_size, features) if conditioning else Constant(features)
        for affine, bias in ((self.gamma, 1.0), (self.beta, 0.0)):
            if isinstance(affine, nn.Linear):
                nn.init.zeros_(affine.weight)
            nn.init.constant_(affine.bias, bias)

    def forward(self, x: Tensor, latent: Tensor) -> Tensor:
        """Return x [B, n, F], normalised and conditioned on latent [B, L]."""
        return self.beta(latent)[:, None] + self.gamma(latent)[:, None] * self.norm(x)


class DecoderBlock(nn.Module):
    """Fully connected residual block with conditional batch normalisation."""

    def __init__(
        self,
        in_features: int,
        width: int,
        latent_size: int,
        normalization: NormalizationName,
        activation: Activation,
        conditioning: bool = True,
    ) -> None:
        super().__init__()
        self.linear1 = nn.Linear(in_features, width)
        self.norm1 = ConditionalBatchNorm(latent_size, width, normalization, conditioning)
        self.activation1 = activation()
        self.linear2 = nn.Linear(width, width)
        self.norm2 = ConditionalBatchNorm(latent_size, width, normalization, conditioning)
        self.skip = nn.Identity() if in_features == width else nn.Linear(in_features, width)
        self.activation2 = activation()

    def forward(self, x: Tensor, latent: Tensor) -> Tensor:
        """Return [B, n, width] for x [B, n, in_features] and latent [B, L]."""
        hidden = self.activation1(self.norm1(self.linear1(x), latent))
        return self.activation2(self.norm2(self.linear2(hidden), latent) + self.skip(x))


class OccupancyDecoder(ExecutableModule):
    """Occupancy decoder: residual blocks and a linear map to logits (`ossnet.losses` makes them probabilities).

    Args:
        local_size: length l of the local latent vectors, 0 for none (O-Net).
        latent_size: length L of the global latent vectors.
        width: number of features of each block, 512 in Section 4.1.
        blocks: number of residual blocks, 5 in Section 4.1.
        outputs: number of logits: 1 for the occupancy, k for k classes.
        normalization: batch norm inside the conditional one, `scalar` or `feature`.
        activation: function that makes the activation of a layer.
        location_size: number of coordinates of a location, see `ossnet.network.coordinates`.
        conditioning: whether global latents condition the norms.
        latent_input: whether a global latent joins the input.
    """

    has_lean: ClassVar[bool] = True

    def __init__(
        self,
        local_size: int,
        latent_size: int,
        width: int,
        blocks: int,
        outputs: int,
        normalization: NormalizationName,
        activation: Activation,
        location_size: int = 3,
        conditioning: bool = True,
        latent_input: bool = True,
    ) -> None:
        super().__init__()
        self.latent_input = latent_input
        inputs = location_size + local_size + (latent_size if latent_input else 0)
        self.blocks = nn.ModuleList(
            DecoderBlock(features, width, latent_size, normalization, activation, conditioning)
            for features in (inputs, *[width] * (blocks - 1))
        )
        self.head = nn.Linear(width, outputs, bias=False)

    def forward(self, locations: Tensor, local: Tensor | None, latents: Tensor) -> Tensor:
        """Return logits [B, n, outputs] at locations [B, n, 3], for local latents [B, n, l] and global ones [B, m, L].

        The first global latent joins the input; see `conditions` for the others. Locations are in the form that the
        decoder takes, which may have more than 3 coordinates.
        """
        inputs = [locations] if local is None else [locations, local]
        if self.latent_input:
            inputs.append(latents[:, :1].expand(-1, locations.shape[1], -1))
        x = torch.cat(inputs, -1)  # [B, n, 3 + l + L]
        # bfloat16 does not hold every integer above 256, so the block that reads voxel indices never uses it.
        execution = replace(self.execution, precision="float32")
        for block, condition in zip(self.blocks, self.conditions(latents), strict=True):
            x = execution.run(block, x, condition)  # [B, n, width]
            execution = self.execution
        return self.head(x.to(locations.dtype))

    def conditions(self, latents: Tensor) -> list[Tensor]:
        """Return the global latent vectors [B, L] that condition each block, of the vectors [B, m, L].

        Behind the first, which joins the input, there is one for each block; if there is only one (m = 1), it
        conditions all blocks. The released weights require this; the text has a single global latent vector. Without a
        latent in the input there is none that joins it, either.
        """
        first, *others = latents.unbind(1)
        if not others:
            return [first] * len(self.blocks)
        return others if self.latent_input else [first, *others]
