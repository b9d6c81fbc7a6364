"""Figure 5: runtime of a whole segmentation against the locations per pass, with both inferences of Section 3.3.

The paper's text and its released code differ in what the improved inference evaluates on the first lattice: all points
that the encoder's segmentation leaves unoccupied, or only those that it marks as occupied. See
`ossnet.inference.extraction`.

Departure: the paper averages over its validation cases and uses the encoder's own segmentations. Here one closed-form
volume is segmented, with its target max-pooled to the encoder's grid as the prior, which misses nothing and marks too
much. For the priors of trained models see `benchmarks.studies.inference`.
"""

from collections.abc import Sequence
from dataclasses import replace

from benchmarks.layout import Layout
from benchmarks.markup import Cell, Table, power_of_two
from benchmarks.names import model_name
from benchmarks.probes.answers import Answers
from benchmarks.probes.ledger import device_type_of
from benchmarks.report.probe_cells import locations_cell, machine_notes, notes, number_cell, ratio, seconds
from benchmarks.study import DeviceType, Study
from benchmarks.workload import Probe, Shape

MODEL = "c"
DATASET = "brats"
READINGS = {"the paper's text": ("mise", "paper-prior"), "the released code": ("released", "released-prior")}
"""Original and improved inference, by the source that describes them."""

SHAPES: dict[DeviceType, Shape] = {"cuda": (256, 256, 160), "cpu": (128, 128, 80)}
"""The paper's volume, and one of half its resolution, which a laptop segments in seconds."""

LOCATIONS: dict[DeviceType, tuple[int, ...]] = {
    "cuda": tuple(2**power for power in range(8, 18)),
    "cpu": (2**8, 2**12, 2**16),
}
"""Maximal numbers of locations per pass.

A laptop takes minutes for each, so that it measures only the ends and the point where the paper's runtimes turn flat.
"""

FULL_LOCATIONS = 2**14
"""Locations per pass with which a laptop also segments the paper's volume, which takes minutes."""

SLICING = "unet2d-depth"
"""The slicing U-Net in its best orientation on BraTS (Table 2)."""

SLICES = (1, 32)
"""Slices per pass. Section 4.3 has times for one and for several, taken to be the 32 of a training batch."""

STAGES = ("encoder", "gather", "decoder", "bookkeeping")

READING = (
    "On the first lattice, the improved inference evaluates, by the paper's text, all points that the encoder leaves "
    "unoccupied and, by its released code, only those that the encoder marks as occupied"
)
ONE_VOLUME = (
    "One volume is segmented, whose target is given in closed form and fills 1.5 % of it. The target, max-pooled to "
    "the encoder's grid, replaces the encoder's segmentation; it misses nothing and marks too much. The paper averages "
    "over its validation cases and uses the encoder's own segmentations"
)
TRAINED = "The table `inference` shows how much the inferences of trained models evaluate and how good their priors are"
INTERVAL = (
    "In brackets: the interval of the median by order statistics, which is the 95 % interval from 6 repeats on and "
    "spans the smallest and the largest of fewer repeats; a single run has none"
)
SHARE = (
    "The share of the matrix-product rate refers to float32 products; it may exceed 100 % on a GPU, where cuDNN's "
    "convolutions use TF32 by default"
)


def measured(device_type: DeviceType) -> list[Probe]:
    """Return both inferences in both readings, and on a GPU the slicing U-Net that Section 4.3 compares them with."""
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
    """Return the probe of the runtime of one extraction of a whole volume."""
    return Probe("runtime", MODEL, DATASET, shape, "extraction", locations, extraction=extraction)


def figure5_tables(answers: Answers) -> list[Table]:
    """Return, for each machine, the runtimes of both inferences and of their stages, and those of the slicing U-Net.

    Only a GPU measures the slicing U-Net.
    """
    tables = []
    for machine in answers.shown:
        probes = measured(device_type_of(machine))
        by_inference = [probe for probe in probes if probe.model == MODEL]
        for shape in dict.fromkeys(probe.shape for probe in by_inference):
            of_shape = [probe for probe in by_inference if probe.shape == shape]
            tables.append(_runtimes(answers, machine, of_shape))
            if machine in answers.by_machine:
                tables.append(_stages(answers, machine, of_shape))
        if slicing := [probe for probe in probes if probe.model == SLICING]:
            tables.append(_slicing(answers, machine, slicing))
    last = replace(tables[-1], notes=notes([READING, ONE_VOLUME, TRAINED, INTERVAL, SHARE, *machine_notes(answers)]))
    return [*tables[:-1], last]


def _runtimes(answers: Answers, machine: str, probes: Sequence[Probe]) -> Table:
    head = ["Locations per pass"]
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
    return Table(f"{_segmentation(machine, answers, probes[0])}: runtime by inference.", head, rows)


def _stages(answers: Answers, machine: str, probes: Sequence[Probe]) -> Table:
    head = ["Inference", "Locations per pass", *(f"{stage} (s)" for stage in STAGES)]
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
    return Table(f"{_segmentation(machine, answers, probes[0])}: stages of the runtime.", head, rows)


def _slicing(answers: Answers, machine: str, probes: Sequence[Probe]) -> Table:
    rows = [[Cell(str(probe.batch_size)), seconds(answers, machine, probe)] for probe in probes]
    caption = f"{_segmentation(machine, answers, probes[0])}: runtime by slices per pass."
    return Table(caption, ["Slices per pass", "Time (s)"], rows)


def _segmentation(machine: str, answers: Answers, probe: Probe) -> str:
    return f"Figure 5: {model_name(probe.model)} segmenting {probe.resolution} voxels, {answers.title(machine)}"


FIGURE5 = Study(
    Layout("figure5", "Figure 5: runtime of a segmentation"),
    measured=measured,
    tables=lambda found: figure5_tables(found.answers),
    only_by_name=True,
    evidence=lambda: measured("cuda"),
)
