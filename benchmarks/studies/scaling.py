"""Memory and time of every model against the volume's resolution, the motivation for operating in function space."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from benchmarks.layout import Layout
from benchmarks.markup import NOTHING, Cell, Table, power_of_two
from benchmarks.names import SUCCESSOR_NAMES, model_name
from benchmarks.probes.answers import Answers
from benchmarks.probes.ledger import device_type_of
from benchmarks.probes.records import CPU, PREDICTED
from benchmarks.report.probe_cells import gigabytes, memory_notes, notes, seconds
from benchmarks.studies import successors
from benchmarks.studies.figure5 import INTERVAL
from benchmarks.studies.memory_table import OBJECT, WORKSPACES
from benchmarks.study import DeviceType, Study
from benchmarks.workload import CUBE, Phase, Probe, Shape
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
"""The models, each with the extraction that it uses by default.

On cubes, all orientations of the slicing U-Net take the same memory and time.
"""

VOXELISED = ("unet3d", "unet2d-depth")
LOCATIONS = 2**14

PREDICTED_EDGES = (64, 128, 256, 512, 1024)
MEASURED_EDGES = (64, 128, 256, 512)

LAPTOP_EDGE = 64
"""Resolution at which a CPU measures everything that a GPU measures."""

LAPTOP_LARGER_EDGE = 128
LAPTOP_LARGER_PHASES: dict[str, tuple[Phase, ...]] = {
    "unet3d": ("training", "inference", "extraction"),
    "unet2d-depth": ("training",),
    "onet": ("training", "inference"),
    "c": ("training", "inference"),
}
"""Phases by model that a CPU measures at this resolution, so that a laptop is done in minutes."""

SLOWEST = ("unet2d-depth", 512)
"""Model and edge whose passes over all slices take a GPU half a minute."""


def cube(edge: int) -> Shape:
    """Return the shape of a volume with so many voxels per side."""
    return edge, edge, edge


ENCODERS = (
    "The encoder of function-space models grows with the resolution, as the paper's does from 256 to 512 voxels per "
    "side, and has these filters: "
    + ", ".join(f"{'-'.join(map(str, encoder_channels(cube(edge))))} at {edge}³" for edge in PREDICTED_EDGES)
    + ". U-Nets are the same at every resolution, which explains a part of the difference between the curves"
)
SCALING_STEPS: dict[Phase, str] = {
    "training": "Training: one step of the optimiser on one volume, or on one slice for the slicing U-Net",
    "inference": (
        f"Inference: one evaluation, encoder included, of {power_of_two(LOCATIONS)} locations in function space, or of "
        "all voxels by a U-Net, for which the slicing U-Net takes one slice per pass"
    ),
    "extraction": (
        "Extraction: a whole segmentation. For a U-Net it is the same work as inference, so that its time is listed "
        "under extraction only, and its memory under inference only"
    ),
}
SCALING_ABSENT = (
    f"–: not measured on a CPU, so that a laptop is done in minutes. At {LAPTOP_LARGER_EDGE}³ these are OSS-Net A, "
    "B and D, the slicing U-Net's passes over all slices, and whole segmentations in function space"
)
SAME: dict[Phase, Phase] = {"inference": "extraction", "extraction": "inference"}
"""Phases that are the same work for a U-Net, so that only one of the two is measured."""


def memory(edge: int) -> list[Probe]:
    """Return the memory of a training step on one volume or slice, of one evaluation, and of a whole segmentation.

    A U-Net evaluates the whole volume, the slicing U-Net one slice per pass, and this evaluation is its segmentation.
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
    """Return the runtime of a training step, of one evaluation in function space, and of a whole segmentation."""
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
    """Return the memory at every resolution, of the paper's models and of the successors."""
    return [probe for edge in PREDICTED_EDGES for probe in memory(edge)] + predicted_of_successors()


def predicted_of_successors() -> list[Probe]:
    """Return the memory of the successors at every resolution."""
    return [probe for edge in PREDICTED_EDGES for probe in successors.memory(CUBE, cube(edge))]


def measured(device_type: DeviceType) -> list[Probe]:
    """Return memory and runtime, the lowest resolution first.

    A GPU measures up to 512 voxels per side, a CPU what takes a laptop minutes.
    """
    if device_type == "cpu":
        larger = memory(LAPTOP_LARGER_EDGE) + runtime(LAPTOP_LARGER_EDGE)
        within_minutes = [probe for probe in larger if probe.phase in LAPTOP_LARGER_PHASES.get(probe.model, ())]
        return [*memory(LAPTOP_EDGE), *runtime(LAPTOP_EDGE), *within_minutes]
    probes = [probe for edge in MEASURED_EDGES for probe in memory(edge) + runtime(edge)]
    # The slowest probes come last, so that the others fit into the ten minutes of a call on a GPU.
    return sorted(probes, key=lambda probe: (probe.model, probe.shape[0]) == SLOWEST)


def _locations(model: str) -> int | None:
    return None if model in VOXELISED else LOCATIONS


def scaling_tables(answers: Answers) -> list[Table]:
    """Return the tables of predicted memory, and for each machine those of measured memory and time."""
    caption, of_successors = "predicted memory in GB (10^9 bytes)", predicted_of_successors()
    of_paper = [probe for probe in predicted() if probe not in of_successors]
    tables = [_by_edge(caption, of_paper, gigabytes, answers, PREDICTED)]
    # Records that were made before the successors do without them.
    if any(answers.of(PREDICTED, probe) is not None for probe in of_successors):
        table = _by_edge(f"successors, {caption}", of_successors, gigabytes, answers, PREDICTED, SUCCESSOR_NAMES)
        tables.append(replace(table, notes=notes([successors.PUBLISHED_SIZES])))
    for machine in answers.shown:
        probes = measured(device_type_of(machine))
        of_memory = [probe for probe in probes if probe.quantity == "memory"]
        of_runtime = [probe for probe in probes if probe.quantity == "runtime"]
        title = answers.title(machine)
        tables.append(_by_edge(f"measured memory in GB (10^9 bytes), {title}", of_memory, gigabytes, answers, machine))
        tables.append(_by_edge(f"measured time in s, {title}", of_runtime, seconds, answers, machine))
    sentences = [*SCALING_STEPS.values(), ENCODERS, OBJECT, WORKSPACES, INTERVAL]
    if CPU in answers.shown:
        sentences.append(SCALING_ABSENT)
    return [*tables[:-1], replace(tables[-1], notes=notes([*sentences, *memory_notes(answers)]))]


def _by_edge(
    caption: str,
    probes: Sequence[Probe],
    cell_of: Callable[[Answers, str, Probe], Cell],
    answers: Answers,
    machine: str,
    models: Iterable[str] = EXTRACTIONS,
) -> Table:
    """Return a row for each phase and model, whether or not the machine has it, and a column for each resolution."""
    by_place = {(probe.phase, probe.model, probe.shape[0]): probe for probe in probes}
    edges = sorted({edge for *_, edge in by_place})

    def cell(phase: Phase, model: str, edge: int) -> Cell:
        if probe := by_place.get((phase, model, edge)):
            return cell_of(answers, machine, probe)
        same = SAME.get(phase)
        elsewhere = None if same is None else by_place.get((same, model, edge))
        return NOTHING if elsewhere is None or elsewhere.locations is not None else Cell(f"see {same}")

    rows = [
        [Cell(phase), Cell(model_name(model)), *(cell(phase, model, edge) for edge in edges)]
        for phase in dict.fromkeys(probe.phase for probe in probes)
        for model in models
    ]
    head = ["Phase", "Model", *(f"{edge}³" for edge in edges)]
    return Table(f"Scaling with resolution: {caption}.", head, rows)


SCALING = Study(
    Layout("scaling", "Memory and time against the volume's resolution"),
    predicted=predicted,
    measured=measured,
    tables=lambda found: scaling_tables(found.answers),
    only_by_name=True,
)
