"""A study and what it is made of: points (trained and scored models), probes (memory or runtime) and a layout."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from benchmarks.markup import NOTHING, Grid

if TYPE_CHECKING:
    # Importing torch takes seconds, and commands that only read records do without it.
    from benchmarks.probes.answers import Answers
    from benchmarks.report.score_records import Records
    from ossnet.model import ModelConfig
    from ossnet.training.profile import Profile
    from ossnet.training.validation import Validation

Columns = Mapping[str, str | int]
Row = tuple[Any, ...]
Split = Literal["train", "validation", "test"]
DeviceType = Literal["cpu", "cuda"]
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

Shape = tuple[int, int, int]

CUBE = "cube"
"""In the place of a data set: of volumes of any resolution."""

PAPER_VOLUMES: Mapping[str, tuple[Shape, int]] = {"brats": ((256, 256, 160), 4), "lits": ((512, 512, 512), 1)}
"""Grid (H, W, D) in voxels and number of modalities that the paper's networks are made for, by data set."""


@dataclass(frozen=True)
class Point:
    """One run of a grid.

    Attributes:
        columns: what tells it apart in the study's table, besides the model.
        overrides: settings laid over the profile's, as `Profile.spec` takes them.
        extraction: None for the model's own.
        max_locations: locations per pass of the extraction.
        split: whose cases are scored; None for `test`, or `validation` where there are no others.
        protocols: sampled ones to score by besides; None for those of the paper and its code.
    """

    model: str
    seed: int
    columns: Columns = field(default_factory=dict)
    overrides: Mapping[str, Any] = field(default_factory=dict)
    extraction: str | None = None
    max_locations: int = 2**14
    split: Split | None = None
    protocols: "tuple[Validation, ...] | None" = None


@dataclass(frozen=True)
class Probe:
    """A question to memory or time.

    Attributes:
        dataset: whose networks: `brats`, `lits`, or `CUBE` for those of any resolution (see
            `SegmentationModel.config_for`).
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
        """Configuration of the model; a model that takes slices works on `batch_size` slices of one volume at once.

        On another grid than the data set's volumes have, the network stays the one that is made for these.
        """
        from ossnet.model import SLICE_FIELDS
        from ossnet.registry import model_type

        kind = model_type(self.model)
        made_for, modalities = PAPER_VOLUMES.get(self.dataset, (self.shape, 1))
        slices = {} if kind.slice_axis is None else dict.fromkeys(SLICE_FIELDS, self.batch_size)
        return replace(kind.config_for(made_for, modalities, **slices), shape=self.shape)

    def plain(self) -> dict[str, Any]:
        """As values that JSON can hold."""
        return asdict(self)


@dataclass(frozen=True)
class Layout:
    """What a study's table looks like.

    Attributes:
        table: its name, which is also that of the published numbers: `table1`.
        title: its title in captions.
        heads: by column that tells rows apart, in order: its heading, or None for a column that is not shown.
        rows: the values of these columns for all rows that the table should have, in order. A row may end early: it
            then stands for all that begin with it. Rows that are found beside these follow them.
        names: by column, what its values are shown as, where not as they are.
        note: what the captions add.
        scoring: those of the columns that tell how a training is scored, not which it is.
    """

    table: str
    title: str
    heads: Mapping[str, str | None] = field(default_factory=dict)
    rows: Sequence[Row] = ()
    names: Mapping[str, Mapping[Any, str]] = field(default_factory=dict)
    note: str = ""
    scoring: Collection[str] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that tell rows apart."""
        return tuple(self.heads)

    @property
    def shown(self) -> list[str]:
        """The headings of the columns that are shown."""
        return [head for head in self.heads.values() if head is not None]

    def training(self, row: Row) -> Row:
        """What a row shares with all that are of the same trained seeds."""
        return tuple(value for column, value in zip(self.columns, row, strict=True) if column not in self.scoring)

    def arrange(self, found: Iterable[Row]) -> list[Row]:
        """`rows` in their order, each replaced by those of `found` that it stands for, and then the rest of `found`."""
        rest = sorted(set(found), key=str)
        arranged: list[Row] = []
        for row in self.rows:
            fitting = [other for other in rest if other[: len(row)] == row]
            arranged += fitting or [row]
            rest = [other for other in rest if other not in fitting]
        return arranged + rest

    def label(self, row: Row) -> list[str]:
        """How the shown columns of a row read."""
        texts = [
            self.names.get(column, {}).get(value, str(value))
            for (column, head), value in zip(self.heads.items(), row, strict=False)
            if head is not None
        ]
        return texts + [NOTHING.text] * (len(self.shown) - len(texts))


@dataclass(frozen=True)
class Findings:
    """All that is known of a study: what its tables are made from.

    Attributes:
        records: of its runs, one item per data set and profile.
        answers: to its probes, by machine.
        results: the results folder that they are from.
        reference: the folder of the committed reference, shown where `results` has nothing; None to leave it out.
    """

    records: "Sequence[Records]"
    answers: "Answers"
    results: Path
    reference: Path | None = None


def no_points(profile: "Profile") -> Sequence[Point]:
    """Return no points: the grid of a study that trains nothing."""
    return ()


def no_probes(device_type: DeviceType | None = None) -> Sequence[Probe]:
    """Return no probes: those of a study that neither predicts nor measures."""
    return ()


def no_tables(found: Findings) -> Sequence[Grid]:
    """Return no tables but that of the scores."""
    return ()


@dataclass(frozen=True)
class Study:
    """A study: points to train and score, probes of memory and runtime to predict and measure, or both.

    Each study is one file of `benchmarks.studies` and one line of its registry. All commands treat every study alike.

    Attributes:
        layout: its name and title, and the table of the scores of its points.
        grid: its points with a profile, in the order of the table.
        scoring: what is done with each trained model, a name of `benchmarks.scoring.registry.MEASUREMENTS`.
        predicted: its probes that are predicted without running anything.
        measured: its probes that a machine with this kind of device measures, the most telling first: on a CPU those
            that a laptop measures in minutes, on a GPU all.
        tables: its tables besides that of the scores.
        evidence: its probes whose records the paper's claims are judged by, as a GPU measures them.
        only_by_name: whether `run` makes it only where it is named.
    """

    layout: Layout
    grid: "Callable[[Profile], Sequence[Point]]" = no_points
    scoring: str = "segmentation"
    predicted: Callable[[], Sequence[Probe]] = no_probes
    measured: Callable[[DeviceType], Sequence[Probe]] = no_probes
    tables: Callable[[Findings], Sequence[Grid]] = no_tables
    evidence: Callable[[], Sequence[Probe]] = no_probes
    only_by_name: bool = False

    @property
    def name(self) -> str:
        """The study's name, which its files begin with."""
        return self.layout.table

    @property
    def has_points(self) -> bool:
        """Whether the study trains and scores models."""
        return self.grid is not no_points

    @property
    def has_probes(self) -> bool:
        """Whether the study predicts or measures memory or runtime."""
        return self.predicted is not no_probes or self.measured is not no_probes
