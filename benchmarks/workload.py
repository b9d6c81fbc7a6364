"""Workloads: what probes predict and measure, on which networks and volumes."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    # Importing torch takes seconds, and commands that only read records do without it.
    from ossnet.model import ModelConfig

Quantity = Literal["memory", "runtime", "comparison", "command"]
Phase = Literal["training", "inference", "decoder", "extraction", "preparation"]
"""Work that a probe measures.

`training` is one step of the optimiser, `inference` one evaluation of the network with its encoder, `decoder` one
without, `extraction` a whole segmentation. Of commands of `ossnet`, `preparation` is `data prepare`, and `training` is
`train` for a few steps.
"""

Shape = tuple[int, int, int]

CUBE = "cube"
"""Name that stands in place of a data set in probes of volumes of any resolution."""

PAPER_VOLUMES: Mapping[str, tuple[Shape, int]] = {"brats": ((256, 256, 160), 4), "lits": ((512, 512, 512), 1)}
"""Table (H, W, D) in voxels and number of modalities of the paper's networks, by data set (Section 4.2)."""

UNetVariant = Literal[
    "activation after the sum",
    "ReLU not in place",
    "average pooling",
    "transposed convolution",
    "slices across another axis",
    "activation after the sum, average pooling",
]
"""Differences that the paper's U-Nets may have from those of this suite: see `benchmarks.probes.unet_variants`."""

Implementation = Literal["suite", "plain", "checkpointing", "lean", "leanest", "released"] | UNetVariant
"""Networks of this suite, or those behind the paper's Table 3, which hold other tensors in memory.

`suite` is what this suite does by default, `plain` at inference the network as written for reading; `checkpointing`,
`lean` and `leanest` are settings of a recipe's `memory` in training (see `ossnet.network.lean`).

The paper's U-Nets are not released. `released` stands for this suite's U-Nets, a variant for U-Nets with that
difference.
"""


@dataclass(frozen=True)
class Probe:
    """A single measurement of memory or runtime, a comparison of runtimes, or the costs of a command.

    Attributes:
        quantity: `memory`, `runtime`, `comparison`: runtimes of the same work done in several ways, see
            `benchmarks.probes.comparison`; or `command`: time and memory of a command of `ossnet` on files, see
            `benchmarks.probes.command_costs`.
        model: name of the model in `ossnet.registry`.
        dataset: data set whose networks are measured: `brats`, `lits`, or `CUBE` for networks of any resolution, see
            `ossnet.model.SegmentationModel.config_for`.
        shape: grid (H, W, D) of the volume in voxels; of a command that of its files, before preprocessing.
        phase: work that is measured.
        locations: number of locations, in training per sample, otherwise per pass; None for models that evaluate all
            voxels, and in the phase `preparation`.
        batch_size: number of volumes, or of slices for the slicing U-Net.
        extraction: name of the extraction in `ossnet.inference.extraction.EXTRACTORS`, in the phase `extraction` only.
            Memory is measured with `mise`, or with `dense` for a model that evaluates all voxels.
        implementation: implementation of the network; the released one and the variants are only predicted.
        classes: number of classes with the background; left out of records at 2, the number of the paper's networks.
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
    classes: int = 2

    @property
    def resolution(self) -> str:
        """The shape as tables show it, such as `256x256x160`."""
        return "x".join(map(str, self.shape))

    @property
    def config(self) -> "ModelConfig":
        """Configuration of the model; a model that takes slices works on `batch_size` slices of one volume at once.

        On another grid than the data set's volumes have, the network stays the one that is made for these.
        """
        from ossnet.model import SLICE_FIELDS
        from ossnet.registry import model_type

        kind = model_type(self.model)
        made_for, modalities = PAPER_VOLUMES.get(self.dataset, (self.shape, 1))
        slices = {} if kind.slice_axis is None else dict.fromkeys(SLICE_FIELDS, self.batch_size)
        return replace(kind.config_for(made_for, modalities, **slices), shape=self.shape, classes=self.classes)

    def plain(self) -> dict[str, Any]:
        """Return the probe as values that JSON can hold."""
        values = asdict(self)
        if self.classes == 2:
            del values["classes"]
        return values
