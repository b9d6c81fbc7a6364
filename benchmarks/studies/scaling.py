"""Memory and time of every model against the volume's resolution: what operating in function space is for."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from benchmarks.markup import NOTHING, Cell, Grid, power_of_two
from benchmarks.names import MODEL_NAMES
from benchmarks.probes.answers import Answers
from benchmarks.probes.ledger import device_type_of
from benchmarks.probes.records import CPU, PREDICTED
from benchmarks.report.probe_cells import gigabytes, memory_notes, notes, seconds
from benchmarks.studies.figure5 import INTERVAL
from benchmarks.studies.memory_table import OBJECT, WORKSPACES
from benchmarks.study import CUBE, DeviceType, Layout, Phase, Probe, Shape, Study
from ossnet.network.resolution import encoder_channels

EXTRACTIONS = {
    "unet3d": "dense",
    "unet2d-depth": "dense",
    "onet": "mise",
    "a": "mise",
    "b": "mise",
    "c": "mise",
    "d": "mise",
}
"""The models, and how each segments a whole volume: as it does by default.

On cubes all orientations of the slicing U-Net take the same.
"""

VOXELISED = ("unet3d", "unet2d-depth")
LOCATIONS = 2**14

PREDICTED_EDGES = (64, 128, 256, 512, 1024)
MEASURED_EDGES = (64, 128, 256, 512)

LAPTOP_EDGE = 64
"""All that a GPU is asked of this resolution a CPU is asked, too."""

LAPTOP_LARGER_EDGE = 128
LAPTOP_LARGER_PHASES: dict[str, tuple[Phase, ...]] = {
    "unet3d": ("training", "inference", "extraction"),
    "unet2d-depth": ("training",),
    "onet": ("training", "inference"),
    "c": ("training", "inference"),
}
"""And of this one so much, by model, for a laptop to be done in minutes."""

SLOWEST = ("unet2d-depth", 512)
"""Model and edge: taking all of its slices takes a GPU half a minute."""


def cube(edge: int) -> Shape:
    """A volume of that many voxels a side."""
    return edge, edge, edge


ENCODERS = (
    "The encoder of function-space models grows with the resolution, as the paper's does from 256 to 512 voxels a "
    "side, and has these filters: "
    + ", ".join(f"{'-'.join(map(str, encoder_channels(cube(edge))))} at {edge}³" for edge in PREDICTED_EDGES)
    + "; U-Nets stay as they are. A part of what sets their curves apart comes from that"
)
SCALING_STEPS: dict[Phase, str] = {
    "training": "Training: one step of the optimiser, on one volume, of the slicing U-Net on one slice",
    "inference": (
        f"Inference: one evaluation, in function space of {power_of_two(LOCATIONS)} locations, encoder "
        "included; by a U-Net of all voxels, which the slicing U-Net takes one slice a pass"
    ),
    "extraction": (
        "Extraction: a whole segmentation, for a U-Net the same work as inference, whose time is therefore told of the "
        "former alone, and its memory of the latter (see there)"
    ),
}
SCALING_ABSENT = (
    f"–: not asked of a CPU, for a laptop to be done in minutes. At {LAPTOP_LARGER_EDGE}³ these are OSS-Net A, "
    "B and D, the slicing U-Net's passes over all slices, and whole segmentations in function space"
)
SAME: dict[Phase, Phase] = {"inference": "extraction", "extraction": "inference"}
"""Phases that are the same work for a U-Net, which is asked for one of the two."""


def memory(edge: int) -> list[Probe]:
    """Ask for the memory of a training step, on one volume or slice, of one evaluation, and of a whole segmentation.

    A model of all voxels evaluates the whole volume, the slicing U-Net one slice a pass, and that is its segmentation.
    """
    steps = [
        Probe("memory", model, CUBE, cube(edge), phase, _locations(model))
        for phase in ("training", "inference")
        for model in EXTRACTIONS
    ]
    segmentations = [
        Probe("memory", model, CUBE, cube(edge), "extraction", LOCATIONS, extraction=extraction)
        for model, extraction in EXTRACTIONS.items()
        if model not in VOXELISED
    ]
    return steps + segmentations


def runtime(edge: int) -> list[Probe]:
    """Of the same, and of segmenting the whole volume, which for a model of all voxels is its evaluation."""
    training = [Probe("runtime", model, CUBE, cube(edge), "training", _locations(model)) for model in EXTRACTIONS]
    evaluations = [
        Probe("runtime", model, CUBE, cube(edge), "inference", LOCATIONS)
        for model in EXTRACTIONS
        if model not in VOXELISED
    ]
    segmentations = [
        Probe("runtime", model, CUBE, cube(edge), "extraction", _locations(model), extraction=extraction)
        for model, extraction in EXTRACTIONS.items()
    ]
    return training + evaluations + segmentations


def predicted() -> list[Probe]:
    """Memory at every resolution."""
    return [probe for edge in PREDICTED_EDGES for probe in memory(edge)]


def measured(device_type: DeviceType) -> list[Probe]:
    """Memory and time, the lowest resolution first: on a GPU up to 512 voxels a side, on a CPU what takes minutes."""
    if device_type == "cpu":
        larger = memory(LAPTOP_LARGER_EDGE) + runtime(LAPTOP_LARGER_EDGE)
        asked = [probe for probe in larger if probe.phase in LAPTOP_LARGER_PHASES.get(probe.model, ())]
        return [*memory(LAPTOP_EDGE), *runtime(LAPTOP_EDGE), *asked]
    probes = [probe for edge in MEASURED_EDGES for probe in memory(edge) + runtime(edge)]
    # What a GPU's ten minutes are too short for is left for another call, and must not keep the others from theirs.
    return sorted(probes, key=lambda probe: (probe.model, probe.shape[0]) == SLOWEST)


def _locations(model: str) -> int | None:
    return None if model in VOXELISED else LOCATIONS


def scaling_grids(answers: Answers) -> list[Grid]:
    """Memory as predicted, then as each machine measured it, then time on each."""
    grids = [_by_edge("Memory (GB of 10^9 bytes), predicted", predicted(), gigabytes, answers, PREDICTED)]
    for machine in answers.shown:
        probes = measured(device_type_of(machine))
        of_memory = [probe for probe in probes if probe.quantity == "memory"]
        of_runtime = [probe for probe in probes if probe.quantity == "runtime"]
        title = answers.title(machine)
        grids.append(_by_edge(f"Memory (GB of 10^9 bytes), measured, {title}", of_memory, gigabytes, answers, machine))
        grids.append(_by_edge(f"Time (s), {title}", of_runtime, seconds, answers, machine))
    sentences = [*SCALING_STEPS.values(), ENCODERS, OBJECT, WORKSPACES, INTERVAL]
    if CPU in answers.shown:
        sentences.append(SCALING_ABSENT)
    return [*grids[:-1], replace(grids[-1], notes=notes([*sentences, *memory_notes(answers)]))]


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
        return Cell(f"see {same}") if model in VOXELISED and (same, model, edge) in asked else NOTHING

    rows = [
        [Cell(phase), Cell(MODEL_NAMES[model]), *(cell(phase, model, edge) for edge in edges)]
        for phase in dict.fromkeys(probe.phase for probe in probes)
        for model in EXTRACTIONS
    ]
    head = ["Phase", "Model", *(f"{edge}³" for edge in edges)]
    return Grid(f"Scaling with resolution: {caption}.", head, rows)


SCALING = Study(
    Layout("scaling", "Memory and time against the volume's resolution"),
    predicted=predicted,
    measured=measured,
    tables=lambda found: scaling_grids(found.answers),
    only_by_name=True,
)
