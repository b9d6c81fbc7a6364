"""Occupancy decoder: location, local and global latent vectors to occupancy (Sec. 3.1, Fig. 2)."""

from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor, nn

from ossnet.network.activation import Activation
from ossnet.network.execution import ExecutableModule

NormalizationName = Literal["scalar", "feature"]


class ScalarBatchNorm(nn.BatchNorm1d):
    """Batch normalisation without affine map and with one mean and one variance over everything in [B, n, F].

    The released OSS-Net weights need it (the paper does not say); normalising each feature on its own is the usual
    batch normalisation and an ablation here.
    """

    def __init__(self) -> None:
        super().__init__(1, affine=False)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.reshape(1, 1, -1)).view_as(x)


class FeatureBatchNorm(nn.BatchNorm1d):
    """Batch normalisation without affine map, each feature of [B, n, F] over all samples and locations."""

    def __init__(self, features: int) -> None:
        super().__init__(features, affine=False)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.flatten(0, 1)).view_as(x)


class ConditionalBatchNorm(nn.Module):
    """gamma(latent) * norm(x) + beta(latent), with linear maps gamma and beta (de Vries 2017; Sec. 4.1).

    Starts as a plain normalisation: the maps' weights at 0, their biases at 1 and 0.
    """

    def __init__(self, latent_size: int, features: int, normalization: NormalizationName) -> None:
        super().__init__()
        self.norm = ScalarBatchNorm() if normalization == "scalar" else FeatureBatchNorm(features)
        self.gamma = nn.Linear(latent_size, features)
        self.beta = nn.Linear(latent_size, features)
        for linear, bias in ((self.gamma, 1.0), (self.beta, 0.0)):
            nn.init.zeros_(linear.weight)
            nn.init.constant_(linear.bias, bias)

    def forward(self, x: Tensor, latent: Tensor) -> Tensor:
        """Normalised x [B, n, F], conditioned on latent [B, L]."""
        return self.beta(latent)[:, None] + self.gamma(latent)[:, None] * self.norm(x)


class DecoderBlock(nn.Module):
    """Fully connected residual block with conditional batch normalisation: [B, n, in] to [B, n, width]."""

    def __init__(
        self, in_features: int, width: int, latent_size: int, normalization: NormalizationName, activation: Activation
    ) -> None:
        super().__init__()
        self.linear1 = nn.Linear(in_features, width)
        self.norm1 = ConditionalBatchNorm(latent_size, width, normalization)
        self.activation1 = activation()
        self.linear2 = nn.Linear(width, width)
        self.norm2 = ConditionalBatchNorm(latent_size, width, normalization)
        self.skip = nn.Identity() if in_features == width else nn.Linear(in_features, width)
        self.activation2 = activation()

    def forward(self, x: Tensor, latent: Tensor) -> Tensor:
        hidden = self.activation1(self.norm1(self.linear1(x), latent))
        return self.activation2(self.norm2(self.linear2(hidden), latent) + self.skip(x))


class OccupancyDecoder(ExecutableModule):
    """Logits at locations.

    Args:
        local_size: length of the local latent vectors, 0 for none (O-Net).
        latent_size: length L of a global latent vector.
        outputs: 1 for the occupancy, k for the logits of k classes.
    """

    def __init__(
        self,
        local_size: int,
        latent_size: int,
        width: int,
        blocks: int,
        outputs: int,
        normalization: NormalizationName,
        activation: Activation,
    ) -> None:
        super().__init__()
        widths = (3 + local_size + latent_size, *[width] * (blocks - 1))
        self.blocks = nn.ModuleList(
            DecoderBlock(features, width, latent_size, normalization, activation) for features in widths
        )
        self.head = nn.Linear(width, outputs, bias=False)

    def forward(self, locations: Tensor, local: Tensor | None, latents: Tensor) -> Tensor:
        """Logits [B, n, outputs] from locations [B, n, 3], local latents [B, n, l] and global latents [B, m, L].

        The first global latent joins the input. With m > 1 the others condition one block each, else it does that too.
        """
        first, *others = latents.unbind(1)
        conditions = others or [first] * len(self.blocks)
        inputs = [locations, first[:, None].expand(-1, locations.shape[1], -1)]
        if local is not None:
            inputs.insert(1, local)
        x = torch.cat(inputs, -1)
        # bfloat16 cannot tell all voxels above 256 apart, so the block that reads their indices never uses it.
        execution = replace(self.execution, precision="float32")
        for block, condition in zip(self.blocks, conditions, strict=True):
            x = execution.run(block, x, condition)
            execution = self.execution
        return self.head(x.to(locations.dtype))
