"""Figure 5: runtime of a whole segmentation against the locations of a pass, with both inferences of Section 3.3.

The paper's text and its released code differ in what the improved inference evaluates of the first grid: all that the
encoder's segmentation leaves unoccupied, or only what it marks as occupied. See `ossnet.inference.extraction`.

The paper averages over its validation cases and uses the encoder's own segmentations. Here one closed-form volume is
segmented, from its target max-pooled to the encoder's grid, which misses nothing and marks too much; what priors of
trained models come to is for `benchmarks.studies.inference`.
"""

from collections.abc import Sequence
from dataclasses import replace

from benchmarks.markup import Cell, Grid, power_of_two
from benchmarks.names import MODEL_NAMES
from benchmarks.probes.answers import Answers
from benchmarks.probes.ledger import device_type_of
from benchmarks.report.probe_cells import locations_cell, machine_notes, notes, number_cell, ratio, seconds
from benchmarks.study import DeviceType, Layout, Probe, Shape, Study

MODEL = "c"
DATASET = "brats"
READINGS = {"the paper's text": ("mise", "paper-prior"), "the released code": ("released", "released-prior")}
"""The original and the improved inference, as each has them."""

SHAPES: dict[DeviceType, Shape] = {"cuda": (256, 256, 160), "cpu": (128, 128, 80)}
"""The paper's volume; half of its resolution, which a laptop segments in seconds."""

LOCATIONS: dict[DeviceType, tuple[int, ...]] = {
    "cuda": tuple(2**power for power in range(8, 18)),
    "cpu": (2**8, 2**12, 2**16),
}
"""Most locations of a pass. A laptop takes minutes for each: the ends, and where the paper's runtimes turn flat."""

FULL_LOCATIONS = 2**14
"""A laptop is asked for the paper's volume as well, with this number alone: it takes minutes."""

SLICING = "unet2d-depth"
"""The slicing U-Net in its best orientation on BraTS (Table 2)."""

SLICES = (1, 32)
"""Slices of a pass: Section 4.3 has times for one and for several, taken to be the 32 of a training batch."""

STAGES = ("encoder", "gather", "decoder", "bookkeeping")

READING = (
    "Of the first grid, the improved inference evaluates by the paper's text all that the encoder leaves unoccupied, "
    "by its released code only what that marks as occupied"
)
ONE_VOLUME = (
    "One volume is segmented, whose target is given in closed form and takes 1.5 % of it; in place of the encoder's "
    "segmentation is that target, max-pooled to its grid, which misses nothing and marks too much. The paper averages "
    "over its validation cases and uses their encoder's own"
)
TRAINED = "What inferences of trained models evaluate, and how their priors fare, is in the table `inference`"
INTERVAL = (
    "In brackets the interval of the median, by order statistics: of 95 % from 6 repeats on, of fewer the smallest and "
    "the largest repeat; a single run has none"
)
SHARE = (
    "The share of the matrix-product rate is of float32 products: on a GPU cuDNN's convolutions use TF32 by default, "
    "and it may exceed 100 %"
)


def measured(device_type: DeviceType) -> list[Probe]:
    """Both inferences, in both readings, and on a GPU the slicing U-Net that Section 4.3 compares them with."""
    shape = SHAPES[device_type]
    probes = [
        probe(shape, locations, extraction)
        for locations in LOCATIONS[device_type]
        for pair in READINGS.values()
        for extraction in pair
    ]
    if device_type == "cpu":
        probes += [
            probe(SHAPES["cuda"], FULL_LOCATIONS, extraction) for pair in READINGS.values() for extraction in pair
        ]
    else:
        probes += [
            Probe("runtime", SLICING, DATASET, shape, "extraction", batch_size=slices, extraction="dense")
            for slices in SLICES
        ]
    return probes


def probe(shape: Shape, locations: int, extraction: str) -> Probe:
    """The runtime of one extraction of a whole volume."""
    return Probe("runtime", MODEL, DATASET, shape, "extraction", locations, extraction=extraction)


def figure5_grids(answers: Answers) -> list[Grid]:
    """Of each machine the time of both inferences, and what it goes into; of a GPU also that of the slicing U-Net."""
    grids = []
    for machine in answers.shown:
        probes = measured(device_type_of(machine))
        by_inference = [probe for probe in probes if probe.model == MODEL]
        for shape in dict.fromkeys(probe.shape for probe in by_inference):
            of_shape = [probe for probe in by_inference if probe.shape == shape]
            grids.append(_runtimes(answers, machine, of_shape))
            if machine in answers.by_machine:
                grids.append(_stages(answers, machine, of_shape))
        if slicing := [probe for probe in probes if probe.model == SLICING]:
            grids.append(_slicing(answers, machine, slicing))
    last = replace(grids[-1], notes=notes([READING, ONE_VOLUME, TRAINED, INTERVAL, SHARE, *machine_notes(answers)]))
    return [*grids[:-1], last]


def _runtimes(answers: Answers, machine: str, probes: Sequence[Probe]) -> Grid:
    head = ["Locations a pass"]
    for reading, (original, improved) in READINGS.items():
        head += [f"Original ({original}) (s)", f"Improved ({improved}) (s)", f"Ratio, by {reading}"]
    rows = []
    for locations in dict.fromkeys(probe.locations for probe in probes):
        of_locations = {probe.extraction: probe for probe in probes if probe.locations == locations}
        row = [Cell(power_of_two(locations or 0))]
        for pair in READINGS.values():
            both = [of_locations[extraction] for extraction in pair]
            row += [seconds(answers, machine, probe) for probe in both]
            row.append(ratio(*(answers.value(machine, probe, "median_s") for probe in both)))
        rows.append(row)
    return Grid(f"{_segmentation(machine, answers, probes[0])}, by the inference.", head, rows)


def _stages(answers: Answers, machine: str, probes: Sequence[Probe]) -> Grid:
    head = ["Inference", "Locations a pass", *(f"{stage} (s)" for stage in STAGES)]
    head += ["Evaluated", "Evaluated / s", "Share of matrix-product rate"]
    rows = []
    order = [extraction for pair in READINGS.values() for extraction in pair]
    for probe in sorted(probes, key=lambda probe: order.index(str(probe.extraction))):
        stages = answers.value(machine, probe, "stages") or {}
        evaluated = answers.value(machine, probe, "evaluated")
        rows.append(
            [
                Cell(str(probe.extraction)),
                locations_cell(probe),
                *(number_cell(stages.get(stage), "{:.3g}") for stage in STAGES),
                number_cell(None if evaluated is None else sum(evaluated), "{:,}"),
                number_cell(answers.value(machine, probe, "locations_per_s"), "{:,.0f}"),
                number_cell(answers.value(machine, probe, "matmul_share"), "{:.1%}"),
            ]
        )
    return Grid(f"{_segmentation(machine, answers, probes[0])}, by what it goes into.", head, rows)


def _slicing(answers: Answers, machine: str, probes: Sequence[Probe]) -> Grid:
    rows = [[Cell(str(probe.batch_size)), seconds(answers, machine, probe)] for probe in probes]
    return Grid(f"{_segmentation(machine, answers, probes[0])}.", ["Slices a pass", "Time (s)"], rows)


def _segmentation(machine: str, answers: Answers, probe: Probe) -> str:
    return f"Figure 5: {MODEL_NAMES[probe.model]}, segmenting {probe.resolution} voxels, {answers.title(machine)}"


FIGURE5 = Study(
    Layout("figure5", "Figure 5: runtime of a segmentation"),
    measured=measured,
    tables=lambda found: figure5_grids(found.answers),
    only_by_name=True,
    evidence=lambda: measured("cuda"),
)
