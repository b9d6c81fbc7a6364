"""The numbers behind Figures 5 and 6 and behind the scaling with resolution, as tables."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from benchmarks.markup import NOTHING, Cell, Grid, power_of_two
from benchmarks.names import MODEL_NAMES
from benchmarks.probes.answers import Answers
from benchmarks.probes.ledger import device_type_of
from benchmarks.probes.records import CPU, PREDICTED
from benchmarks.report.probe_cells import cpu_notes, gigabytes, machine_notes, notes, ratio, seconds
from benchmarks.studies import figure5, figure6, scaling
from benchmarks.studies.memory_table import OBJECT, RELEASED_CODE, THIS_SUITE, WORKSPACES
from benchmarks.studies.table3 import published_gigabytes
from benchmarks.study import Phase, Probe
from ossnet.network.resolution import encoder_channels

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

FULL_VOLUME = (
    "With few locations this suite lies above the released code by the full volume and, for models with patches, a "
    "padded copy of it, which stay on the device"
)
FIGURE6_ABSENT = (
    "–: not in the paper's table. A CPU is asked for "
    f"{', '.join(map(power_of_two, figure6.LAPTOP_LOCATIONS))} locations alone, for a laptop to be done in minutes"
)

ENCODERS = (
    "The encoder of function-space models grows with the resolution, as the paper's does from 256 to 512 voxels a "
    "side, and has these filters: "
    + ", ".join(
        f"{'-'.join(map(str, encoder_channels(scaling.cube(edge))))} at {edge}³" for edge in scaling.PREDICTED_EDGES
    )
    + "; U-Nets stay as they are. A part of what sets their curves apart comes from that"
)
SCALING_STEPS: dict[Phase, str] = {
    "training": "Training: one step of the optimiser, on one volume, of the slicing U-Net on one slice",
    "inference": (
        f"Inference: one evaluation, in function space of {power_of_two(scaling.LOCATIONS)} locations, encoder "
        "included; by a U-Net of all voxels, which the slicing U-Net takes one slice a pass"
    ),
    "extraction": (
        "Extraction: a whole segmentation, for a U-Net the same work as inference, whose time is therefore told of the "
        "former alone, and its memory of the latter (see there)"
    ),
}
SCALING_ABSENT = (
    f"–: not asked of a CPU, for a laptop to be done in minutes. At {scaling.LAPTOP_LARGER_EDGE}³ these are OSS-Net A, "
    "B and D, the slicing U-Net's passes over all slices, and whole segmentations in function space"
)
SAME: dict[Phase, Phase] = {"inference": "extraction", "extraction": "inference"}
"""Phases that are the same work for a U-Net, which is asked for one of the two."""


def figure5_grids(answers: Answers) -> list[Grid]:
    """Of each machine the time of both inferences, and what it goes into; of a GPU also that of the slicing U-Net."""
    grids = []
    for machine in answers.shown:
        probes = figure5.measured(device_type_of(machine))
        by_inference = [probe for probe in probes if probe.model == figure5.MODEL]
        for shape in dict.fromkeys(probe.shape for probe in by_inference):
            of_shape = [probe for probe in by_inference if probe.shape == shape]
            grids.append(_runtimes(answers, machine, of_shape))
            if machine in answers.by_machine:
                grids.append(_stages(answers, machine, of_shape))
        if slicing := [probe for probe in probes if probe.model == figure5.SLICING]:
            grids.append(_slicing(answers, machine, slicing))
    last = replace(grids[-1], notes=notes([READING, ONE_VOLUME, TRAINED, INTERVAL, SHARE, *machine_notes(answers)]))
    return [*grids[:-1], last]


def _runtimes(answers: Answers, machine: str, probes: Sequence[Probe]) -> Grid:
    head = ["Locations a pass"]
    for reading, (original, improved) in figure5.READINGS.items():
        head += [f"Original ({original}) (s)", f"Improved ({improved}) (s)", f"Ratio, by {reading}"]
    rows = []
    for locations in dict.fromkeys(probe.locations for probe in probes):
        of_locations = {probe.extraction: probe for probe in probes if probe.locations == locations}
        row = [Cell(power_of_two(locations or 0))]
        for pair in figure5.READINGS.values():
            both = [of_locations[extraction] for extraction in pair]
            row += [seconds(answers, machine, probe) for probe in both]
            row.append(ratio(*(answers.value(machine, probe, "median_s") for probe in both)))
        rows.append(row)
    return Grid(f"{_segmentation(machine, answers, probes[0])}, by the inference.", head, rows)


def _stages(answers: Answers, machine: str, probes: Sequence[Probe]) -> Grid:
    head = ["Inference", "Locations a pass", *(f"{stage} (s)" for stage in STAGES)]
    head += ["Evaluated", "Evaluated / s", "Share of matrix-product rate"]
    rows = []
    order = [extraction for pair in figure5.READINGS.values() for extraction in pair]
    for probe in sorted(probes, key=lambda probe: order.index(str(probe.extraction))):
        stages = answers.value(machine, probe, "stages") or {}
        evaluated = answers.value(machine, probe, "evaluated")
        rows.append(
            [
                Cell(str(probe.extraction)),
                _locations(probe),
                *(_number(stages.get(stage), "{:.3g}") for stage in STAGES),
                _number(None if evaluated is None else sum(evaluated), "{:,}"),
                _number(answers.value(machine, probe, "locations_per_s"), "{:,.0f}"),
                _number(answers.value(machine, probe, "matmul_share"), "{:.1%}"),
            ]
        )
    return Grid(f"{_segmentation(machine, answers, probes[0])}, by what it goes into.", head, rows)


def _slicing(answers: Answers, machine: str, probes: Sequence[Probe]) -> Grid:
    rows = [[Cell(str(probe.batch_size)), seconds(answers, machine, probe)] for probe in probes]
    return Grid(f"{_segmentation(machine, answers, probes[0])}.", ["Slices a pass", "Time (s)"], rows)


def _segmentation(machine: str, answers: Answers, probe: Probe) -> str:
    return f"Figure 5: {MODEL_NAMES[probe.model]}, segmenting {probe.resolution} voxels, {answers.title(machine)}"


def figure6_grids(answers: Answers) -> list[Grid]:
    """Memory of one pass by its locations: predicted, measured, and the paper's."""
    paper = published_gigabytes()
    columns: list[tuple[str, Callable[[Probe], Cell]]] = [
        ("paper", lambda probe: _number(paper.get(probe), "{:.2f}")),
        (
            "released code, predicted",
            lambda probe: gigabytes(answers, PREDICTED, replace(probe, implementation="released")),
        ),
        ("this suite, predicted", lambda probe: gigabytes(answers, PREDICTED, probe)),
    ]
    for machine in answers.shown:
        columns.append((f"measured, {answers.title(machine)}", _measured_by(answers, machine)))
    head = ["Locations"]
    head += [f"{MODEL_NAMES[model]}, {title} (GB)" for model in figure6.MODELS for title, _ in columns]
    rows = []
    for locations in figure6.LOCATIONS:
        probes = [probe for probe in figure6.probes(figure6.LOCATIONS) if probe.locations == locations]
        rows.append([_locations(probes[0]), *(cell_of(probe) for probe in probes for _, cell_of in columns)])
    caption = "Figure 6: memory of one pass at 256x256x160 voxels, GB of 10^9 bytes. Paper: its Table 3."
    sentences = [RELEASED_CODE, THIS_SUITE, WORKSPACES, FULL_VOLUME, FIGURE6_ABSENT]
    return [Grid(caption, head, rows, notes([*sentences, *_memory_notes(answers)]))]


def _measured_by(answers: Answers, machine: str) -> Callable[[Probe], Cell]:
    return lambda probe: gigabytes(answers, machine, probe)


def scaling_grids(answers: Answers) -> list[Grid]:
    """Memory as predicted, then as each machine measured it, then time on each."""
    grids = [_by_edge("Memory (GB of 10^9 bytes), predicted", scaling.predicted(), gigabytes, answers, PREDICTED)]
    for machine in answers.shown:
        probes = scaling.measured(device_type_of(machine))
        memory = [probe for probe in probes if probe.quantity == "memory"]
        runtime = [probe for probe in probes if probe.quantity == "runtime"]
        title = answers.title(machine)
        grids.append(_by_edge(f"Memory (GB of 10^9 bytes), measured, {title}", memory, gigabytes, answers, machine))
        grids.append(_by_edge(f"Time (s), {title}", runtime, seconds, answers, machine))
    sentences = [*SCALING_STEPS.values(), ENCODERS, OBJECT, WORKSPACES, INTERVAL]
    if CPU in answers.shown:
        sentences.append(SCALING_ABSENT)
    return [*grids[:-1], replace(grids[-1], notes=notes([*sentences, *_memory_notes(answers)]))]


def _by_edge(
    caption: str,
    probes: Sequence[Probe],
    cell_of: Callable[[Answers, str, Probe], Cell],
    answers: Answers,
    machine: str,
) -> Grid:
    """A row for each phase and model, whether or not the machine is asked for it, and a column for each resolution."""
    asked = {(probe.phase, probe.model, probe.shape[0]): probe for probe in probes}
    edges = sorted({edge for *_, edge in asked})

    def cell(phase: Phase, model: str, edge: int) -> Cell:
        if probe := asked.get((phase, model, edge)):
            return cell_of(answers, machine, probe)
        same = SAME.get(phase)
        return Cell(f"see {same}") if model in scaling.VOXELISED and (same, model, edge) in asked else NOTHING

    rows = [
        [Cell(phase), Cell(MODEL_NAMES[model]), *(cell(phase, model, edge) for edge in edges)]
        for phase in dict.fromkeys(probe.phase for probe in probes)
        for model in scaling.EXTRACTIONS
    ]
    head = ["Phase", "Model", *(f"{edge}³" for edge in edges)]
    return Grid(f"Scaling with resolution: {caption}.", head, rows)


def _memory_notes(answers: Answers) -> list[str]:
    return [*cpu_notes(answers), *machine_notes(answers)]


def _locations(probe: Probe) -> Cell:
    return NOTHING if probe.locations is None else Cell(power_of_two(probe.locations))


def _number(value: float | None, layout: str) -> Cell:
    return NOTHING if value is None else Cell(layout.format(value))
