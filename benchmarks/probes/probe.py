"""What one question to memory or time is: a model of the paper's sizes, at one resolution, doing one thing."""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    # Torch comes with it, which commands that only read records do without.
    from ossnet.model import ModelConfig

Quantity = Literal["memory", "runtime"]
Phase = Literal["training", "inference", "extraction"]
"""One step of the optimiser; one evaluation of the network, encoder included; a whole segmentation."""

UNetVariant = Literal[
    "activation after the sum",
    "ReLU not in place",
    "average pooling",
    "transposed convolution",
    "slices across another axis",
    "activation after the sum, average pooling",
]
"""What the paper's U-Nets may have and this suite's have not: see `benchmarks.probes.unet_variants`."""

Implementation = Literal["suite", "released"] | UNetVariant
"""This package's networks, or those behind the paper's Table 3, which hold other things in memory.

The paper's U-Nets are not released: among the latter they are this package's, or differ from these in what is named.
"""

LAST_CHANNELS = 128
LOWEST_EDGE = 8
"""On both of the paper's data sets the encoder ends with so many channels and a lowest grid of about this edge."""

Shape = tuple[int, int, int]

CUBE = "cube"
"""In the place of a data set: of volumes of any resolution."""


@dataclass(frozen=True)
class Probe:
    """A question to memory or time.

    Attributes:
        dataset: whose networks: `brats`, `lits`, or `CUBE` for those of any resolution (see `encoder_channels`).
        shape: the volume's grid (H, W, D).
        locations: of each sample, in training; a pass, at inference. None for models of all voxels.
        batch_size: volumes, or for the slicing U-Net slices.
        extraction: of phase `extraction`, a name of `ossnet.inference.extraction.EXTRACTORS`. Memory is that of `mise`,
            or of `dense` by a model of all voxels.
    """

    quantity: Quantity
    model: str
    dataset: str
    shape: Shape
    phase: Phase
    locations: int | None = None
    batch_size: int = 1
    extraction: str | None = None
    implementation: Implementation = "suite"

    @property
    def resolution(self) -> str:
        """As the tables write it, `256x256x160`."""
        return "x".join(map(str, self.shape))

    @property
    def config(self) -> "ModelConfig":
        """The model's configuration; of the slicing U-Net one that works on `batch_size` slices of one volume."""
        from ossnet.network.occupancy_network import OccupancyNetwork
        from ossnet.network.released import DATASETS
        from ossnet.registry import model_type

        kind = model_type(self.model)
        any_resolution = {"modalities": 1, "encoder_channels": encoder_channels(self.shape)}
        sizes = DATASETS.get(self.dataset, any_resolution) | {"shape": self.shape}
        if not issubclass(kind, OccupancyNetwork):
            sizes.pop("encoder_channels", None)
        if kind.family == "unet2d":
            sizes |= {"slices_per_case": self.batch_size, "max_slices": self.batch_size}
        return kind.config_type(**sizes, **kind.preset)

    def plain(self) -> dict[str, Any]:
        """As values that JSON can hold."""
        return asdict(self)


def encoder_channels(shape: Shape) -> tuple[int, ...]:
    """Encoder filters for a volume of any resolution, by what the paper does for 256 and 512 voxels a side.

    Each doubling of the resolution takes one block more, whose filters are half of the next one's.
    """
    blocks = 1
    while max(shape) // 2 ** (blocks + 2) >= LOWEST_EDGE:
        blocks += 1
    return tuple(LAST_CHANNELS // 2**below for below in reversed(range(blocks)))
