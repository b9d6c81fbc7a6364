"""Conditional batch normalisation of the occupancy decoder.

Departure: in training, statistics are of the whole batch, on one device. The paper spread each batch over two GPUs
(Section 4.1), each of which normalised its half by that half alone.
"""

from typing import Literal

from torch import Tensor, nn

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
