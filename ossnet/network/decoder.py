"""Occupancy decoder: location, local and global latent vectors to occupancy (Sec. 3.1, Fig. 2)."""

from dataclasses import replace

import torch
from torch import Tensor, nn

from ossnet.network.encoder import Activation
from ossnet.network.execution import Stage
from ossnet.network.normalization import ConditionalBatchNorm, NormalizationName


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


class OccupancyDecoder(Stage):
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
