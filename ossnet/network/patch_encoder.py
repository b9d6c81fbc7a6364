"""Patch encoder: a local patch to a local latent vector (Sec. 3.1)."""

import torch.nn.functional as F
from torch import Tensor, nn

from ossnet.network.encoder import Activation
from ossnet.network.execution import Stage


class PatchConvolution(nn.Conv3d):
    """A convolution as wide as the patch that it sees, computed as one matrix product.

    On a patch of s^3 positions with zeros around it, a kernel of s^3 is a dense matrix (s^3 C x s^3 C'); as a product
    it runs several times faster than as a convolution, to the same result up to rounding.
    """

    def __init__(self, in_channels: int, out_channels: int, size: int) -> None:
        super().__init__(in_channels, out_channels, size, padding=size // 2)
        self.size = size

    def matrix(self) -> Tensor:
        """The convolution's matrix [s^3 C, s^3 C'], positions before channels on both sides."""
        # Along an axis, input i reaches output o through weight i - o + s // 2: a window over the padded kernel.
        windows = F.pad(self.weight, [self.size // 2] * 6)
        for axis in (2, 3, 4):
            windows = windows.unfold(axis, self.size, 1)
        matrix = windows.flip(2, 3, 4).permute(5, 6, 7, 1, 2, 3, 4, 0)
        return matrix.reshape(self.size**3 * self.in_channels, self.size**3 * self.out_channels)

    def forward(self, patches: Tensor) -> Tensor:
        """[n, s^3 C] to [n, s^3 C'], positions before channels."""
        bias = self.bias.repeat(self.size**3) if self.bias is not None else None
        return F.linear(patches, self.matrix().T, bias)


class PatchEncoder(Stage):
    """Patches [n, s, s, s, C] to local latent vectors [n, s^3]."""

    def __init__(self, channels: int, size: int, activation: Activation) -> None:
        super().__init__()
        hidden = max(channels // 2, 1)
        self.layers = nn.Sequential(
            PatchConvolution(channels, hidden, size),
            activation(),
            PatchConvolution(hidden, 1, size),
            activation(),
        )

    def forward(self, patches: Tensor) -> Tensor:
        return self.execution.run(self.layers, patches.flatten(1)).to(patches.dtype)
