"""Tables of the study `table3`: the paper's memory, this suite's predictions and its measurements."""

from collections.abc import Sequence
from dataclasses import replace

from benchmarks.markup import NOTHING, Cell, Table, power_of_two
from benchmarks.names import PAPER_NAMES, model_name
from benchmarks.probes.answers import Answers
from benchmarks.probes.published import (
    PublishedMemory,
    extractions,
    lean_trainings,
    paper_batches,
    published_memory,
)
from benchmarks.probes.records import CPU, GIGABYTE, PREDICTED
from benchmarks.report.probe_cells import cpu_notes, gigabytes, machine_notes, notes, ratio
from benchmarks.studies import successors
from benchmarks.studies.unet_table import unets_table
from benchmarks.workload import Probe

LARGEST_PARTS = 4
"""Number of parts of a peak that are named."""

BASIS = (
    "Peak of all tensors together in GB (10^9 bytes), for one volume or, with the slicing U-Net, for one slice in "
    "training and one slice per pass at inference"
)

RELEASED_CODE = (
    "Released code: prediction for the networks as the code behind the paper's table computes them, without the full "
    "volume, and trained by RAdam without Lookahead's copy of the weights; with that copy, every training would be "
    "further from the paper's number"
)
THIS_SUITE = (
    "This suite: prediction for this package on a GPU. In training, the full volume and everything that the optimiser "
    "holds are there, Lookahead's copy of the weights included; at inference, function-space models leave the volume "
    "in host memory, which a CPU's measurement includes"
)
LEAN = (
    "This suite, lean: prediction for training with `recipe.memory=lean`, which gives the same gradients in about a "
    "third more time, with images and optimiser in host memory"
)
WORKSPACES = (
    "Predictions include an assumed workspace of convolutions, but not the workspace of the GPU's matrix library, "
    "which takes 8 or 34 MB, and twice as much in training"
)

OBJECT = (
    "In extractions the network is evaluated at every location that the octree requests, but the octree then receives "
    "the occupancy of an ellipsoid of half the volume's extent along each axis, since an untrained network would "
    "return noise. For any object, the octree's lattices take 7 bytes per voxel, and the points around its surface far "
    "less"
)

ASSUMPTIONS = (
    "Paper: Reich et al. (BMVC 2021), Table 3; ratio: the prediction for the released code divided by the paper's "
    "number",
    RELEASED_CODE,
    THIS_SUITE,
    WORKSPACES,
    "U-Nets are approximate, since the paper leaves open their blocks, pooling and up-sampling: assumed are "
    "pre-activation residual blocks, max-pooling, and linear up-sampling joined to the skip connection; the last table "
    "shows alternatives",
    "The paper gives the same 3D numbers for 256x256x160 and for 224x224x224 voxels, although the latter are 7 % more",
    "The paper does not state the orientation of the slices here: assumed is the best one of its Table 2",
    "Inference with this suite's slicing U-Net includes the whole volume and all predictions, which stay on the device",
)


def table3_tables(answers: Answers) -> list[Table]:
    """Return the paper's table, its batches, whole extractions, other memory, parts of the peaks, U-Nets, successors.

    Records that were made before the successors do without their table.
    """
    tables = [_main(answers), _batches(answers), _extractions(answers), _reserved(answers), _parts(answers)]
    later = any(answers.of(PREDICTED, probe) is not None for probe in successors.paper_volumes())
    return [*tables, unets_table(answers), *([_successors(answers)] if later else [])]


def _main(answers: Answers) -> Table:
    head = ["Model", "Data set", "Resolution", "Phase", "Locations"]
    head += ["Paper (GB)", "Released code, predicted (GB)", "Ratio to paper", "This suite, predicted (GB)"]
    lean = set(lean_trainings())
    # Records that were made before this column do without it.
    shows_lean = any(answers.of(PREDICTED, probe) is not None for probe in lean)
    if shows_lean:
        head.append("This suite, lean, predicted (GB)")
    for machine in answers.shown:
        head += [f"Measured, {answers.title(machine)} (GB)", "Predicted / measured"]
    rows = []
    for number in published_memory():
        released = replace(number.probe, implementation="released")
        row = [*_labels(number.probe), _published(number), gigabytes(answers, PREDICTED, released)]
        row += [ratio(_allocated(answers, PREDICTED, released), number.gigabytes and number.gigabytes * GIGABYTE)]
        predicted, *measured = _compared(answers, number.probe, answers.shown)
        row.append(predicted)
        if shows_lean:
            probe = replace(number.probe, implementation="lean")
            row.append(gigabytes(answers, PREDICTED, probe) if probe in lean else NOTHING)
        rows.append([*row, *measured])
    sentences = [*ASSUMPTIONS, *([LEAN] if shows_lean else []), *cpu_notes(answers), *machine_notes(answers)]
    return Table(f"Table 3: memory. {BASIS}.", head, rows, notes(sentences))


def _batches(answers: Answers) -> Table:
    # The batches are too large for a CPU.
    machines = [machine for machine in answers.shown if machine != CPU]
    head = ["Model", "Data set", "Resolution", "Batch", "This suite, predicted (GB)"]
    for machine in machines:
        head += [f"Measured, {answers.title(machine)} (GB)", "Predicted / measured"]
    rows = []
    for probe in paper_batches():
        model, dataset, resolution, *_ = _labels(probe)
        rows.append([model, dataset, resolution, Cell(str(probe.batch_size)), *_compared(answers, probe, machines)])
    caption = "Table 3: training with the paper's batches (Section 4.1), of volumes or of slices of one volume."
    return Table(caption, head, rows)


def _extractions(answers: Answers) -> Table:
    """Return whole segmentations in function space, next to the single pass that the paper measures."""
    machines = [machine for machine in answers.shown if machine != CPU]
    head = ["Model", "Data set", "Resolution", "Locations per pass", "One pass, predicted (GB)"]
    head += ["Octree, predicted (GB)", "This suite, predicted (GB)"]
    for machine in machines:
        head += [f"Measured, {answers.title(machine)} (GB)", "Predicted / measured"]
    rows = []
    for probe in extractions():
        model, dataset, resolution, _, locations = _labels(probe)
        one_pass = gigabytes(answers, PREDICTED, replace(probe, phase="inference", extraction=None))
        parts = answers.value(PREDICTED, probe, "by_part") or {}
        octree = Cell(f"{parts['octree'] / GIGABYTE:.2f}") if "octree" in parts else NOTHING
        row = [model, dataset, resolution, locations, one_pass, octree]
        rows.append([*row, *_compared(answers, probe, machines)])
    caption = "Table 3: segmentation of the whole volume by `mise`, for which the paper has no numbers."
    return Table(caption, head, rows, notes([OBJECT]))


def _reserved(answers: Answers) -> Table:
    """Return the memory beyond the tensors: blocks that the allocator keeps, and on a GPU the CUDA context."""
    columns = [
        (machine, name, f"{answers.title(machine)}, {label} (GB)")
        for machine in [PREDICTED, *answers.measured]
        for name, label in _kinds(machine).items()
    ]
    head = ["Model", "Data set", "Resolution", "Phase", "Locations", *(title for *_, title in columns)]
    probes = [number.probe for number in published_memory()]
    rows = [
        [*_labels(probe), *(gigabytes(answers, machine, probe, name) for machine, name, _ in columns)]
        for probe in probes
    ]
    sentences = (
        "Allocator: memory that torch's caching allocator holds for the tensors, predicted by a model of it for a GPU "
        "of unlimited memory; before a GPU's memory runs out, the allocator releases unused blocks, which `ossnet "
        "fits` takes into account",
        "Process and device: memory that the driver reports, CUDA context included; where it does not report single "
        "processes, the increase in the device's memory stands for the process",
        *cpu_notes(answers),
    )
    return Table("Table 3: memory of this suite beyond its tensors.", head, rows, notes(sentences))


def _kinds(machine: str) -> dict[str, str]:
    """Return the kinds of memory that are known for a machine, with their titles."""
    tensors, allocator = {"allocated_bytes": "tensors"}, {"reserved_bytes": "allocator"}
    if machine == PREDICTED:
        return tensors | allocator
    process = {"process_bytes": "process"}
    return tensors | process if machine == CPU else tensors | allocator | process | {"device_bytes": "device"}


def _parts(answers: Answers) -> Table:
    head = ["Model", "Data set", "Resolution", "Phase", "Locations", "Peak (GB)"]
    head += [f"Part {place + 1}" for place in range(LARGEST_PARTS)] + ["Others (GB)"]
    rows = []
    for number in published_memory():
        parts = answers.value(PREDICTED, number.probe, "by_part") or {}
        largest = sorted(parts.items(), key=lambda part: -part[1])
        named = [Cell(f"{name.replace('_', ' ')} {taken / GIGABYTE:.2f}") for name, taken in largest[:LARGEST_PARTS]]
        named += [NOTHING] * (LARGEST_PARTS - len(named))
        others = Cell(f"{sum(taken for _, taken in largest[LARGEST_PARTS:]) / GIGABYTE:.2f}") if parts else NOTHING
        rows.append([*_labels(number.probe), gigabytes(answers, PREDICTED, number.probe), *named, others])
    return Table("Table 3: largest parts (GB) of the peak that is predicted for this suite.", head, rows)


def _successors(answers: Answers) -> Table:
    head = ["Model", "Data set", "Resolution", "Phase", "Locations", "This suite, predicted (GB)", "Allocator (GB)"]
    columns = ("allocated_bytes", "reserved_bytes")
    rows = [
        [*_labels(probe), *(gigabytes(answers, PREDICTED, probe, name) for name in columns)]
        for probe in successors.paper_volumes()
    ]
    return Table("Table 3: memory of later models.", head, rows, notes([successors.PUBLISHED_SIZES]))


def _labels(probe: Probe) -> list[Cell]:
    locations = NOTHING if probe.locations is None else Cell(power_of_two(probe.locations))
    texts = (model_name(probe.model), PAPER_NAMES[probe.dataset], probe.resolution, probe.phase)
    return [*map(Cell, texts), locations]


def _published(number: PublishedMemory) -> Cell:
    if number.gigabytes is None:
        # The note begins with the bound: `> 110 GB at native resolution`.
        return Cell(number.note.partition(" GB")[0])
    return Cell(f"{number.gigabytes:.2f}")


def _compared(answers: Answers, probe: Probe, machines: Sequence[str]) -> list[Cell]:
    """Return this suite's prediction and, for each machine, its measurement and the ratio of the two."""
    predicted = _allocated(answers, PREDICTED, probe)
    cells = [gigabytes(answers, PREDICTED, probe)]
    for machine in machines:
        cells += [gigabytes(answers, machine, probe), ratio(predicted, _allocated(answers, machine, probe))]
    return cells


def _allocated(answers: Answers, machine: str, probe: Probe) -> float | None:
    value: float | None = answers.value(machine, probe, "allocated_bytes")
    return value
