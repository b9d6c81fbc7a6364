"""Table 3 as it reads: the paper's memory beside what is predicted and what was measured."""

from collections.abc import Sequence
from dataclasses import replace

from benchmarks.markup import NOTHING, Cell, Grid, power_of_two
from benchmarks.names import DATASET_NAMES, MODEL_NAMES
from benchmarks.probes.answers import Answers
from benchmarks.probes.records import CPU, GIGABYTE, PREDICTED
from benchmarks.report.probe_cells import cpu_notes, gigabytes, machine_notes, notes, ratio
from benchmarks.studies.table3 import PublishedMemory, extractions, paper_batches, published_memory
from benchmarks.studies.unet_table import unets_grid
from benchmarks.study import Probe

LARGEST_PARTS = 4

BASIS = (
    "GB of 10^9 bytes: the most that tensors take at once, of one volume or, for the slicing U-Net, one slice in "
    "training and one slice a pass at inference"
)

RELEASED_CODE = (
    "Released code: predicted for the networks as the code behind the paper's table computes them, without the full "
    "volume, and trained by RAdam without Lookahead's copy of the weights, with which every training would lie "
    "further from the paper's number"
)
THIS_SUITE = (
    "This suite: predicted for this package on a GPU, which keeps the full volume there, and in training all that its "
    "optimiser holds, Lookahead's copy of the weights included; what is measured is compared with it"
)
WORKSPACES = (
    "Predictions include an assumed workspace of convolutions, and none of the GPU's matrix library, which takes 8 or "
    "34 MB, in training twice"
)

OBJECT = (
    "In extractions the network is evaluated wherever the octree asks, and an ellipsoid of half the volume's extent "
    "along each axis answers in its place: an untrained network would answer noise. Whatever the object, the octree's "
    "lattices take 7 bytes a voxel, and the points around its surface far less"
)

ASSUMPTIONS = (
    "Paper: Reich et al. (BMVC 2021), Table 3; ratio: the released code's prediction over it",
    RELEASED_CODE,
    THIS_SUITE,
    WORKSPACES,
    "U-Nets are approximate, since the paper leaves open what their blocks, pooling and up-sampling are: assumed are "
    "pre-activation residual blocks, max-pooling, and linear up-sampling joined to the skip-connection; the last table "
    "has others",
    "The paper gives the same 3D numbers for 256x256x160 and 224x224x224 voxels, of which the latter are 7 % more",
    "The paper does not tell the slices' orientation here: assumed is the best of its Table 2",
    "Inference of this suite's slicing U-Net includes the whole volume and all predictions, which stay on the device",
)


def table3_grids(answers: Answers) -> list[Grid]:
    """The paper's table and batches, whole extractions, what an allocator holds, the peak's parts, and other U-Nets."""
    grids = [_main(answers), _batches(answers), _extractions(answers), _reserved(answers), _parts(answers)]
    return [*grids, unets_grid(answers)]


def _main(answers: Answers) -> Grid:
    head = ["Model", "Data set", "Resolution", "Phase", "Locations"]
    head += ["Paper (GB)", "Released code, predicted (GB)", "Ratio to paper", "This suite, predicted (GB)"]
    for machine in answers.shown:
        head += [f"Measured, {answers.title(machine)} (GB)", "Predicted / measured"]
    rows = []
    for number in published_memory():
        released = replace(number.probe, implementation="released")
        row = [*_labels(number.probe), _published(number), gigabytes(answers, PREDICTED, released)]
        row += [ratio(_allocated(answers, PREDICTED, released), number.gigabytes and number.gigabytes * GIGABYTE)]
        rows.append([*row, *_compared(answers, number.probe, answers.shown)])
    sentences = [*ASSUMPTIONS, *cpu_notes(answers), *machine_notes(answers)]
    return Grid(f"Table 3: memory. {BASIS}.", head, rows, notes(sentences))


def _batches(answers: Answers) -> Grid:
    # They are too large for a CPU.
    machines = [machine for machine in answers.shown if machine != CPU]
    head = ["Model", "Data set", "Resolution", "Batch", "This suite, predicted (GB)"]
    for machine in machines:
        head += [f"Measured, {answers.title(machine)} (GB)", "Predicted / measured"]
    rows = []
    for probe in paper_batches():
        model, dataset, resolution, *_ = _labels(probe)
        rows.append([model, dataset, resolution, Cell(str(probe.batch_size)), *_compared(answers, probe, machines)])
    caption = "Table 3, training with the paper's batches (Section 4.1): volumes, or slices of one volume."
    return Grid(caption, head, rows)


def _extractions(answers: Answers) -> Grid:
    """Whole segmentations in function space, beside the one pass that the paper's number is of."""
    machines = [machine for machine in answers.shown if machine != CPU]
    head = ["Model", "Data set", "Resolution", "Locations a pass", "One pass, predicted (GB)"]
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
    return Grid("Table 3, segmenting the whole volume by `mise`, which the paper has not.", head, rows, notes([OBJECT]))


def _reserved(answers: Answers) -> Grid:
    """Beyond the tensors: blocks that the allocator keeps, and on a GPU the CUDA context."""
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
        "Allocator: what torch's caching allocator holds for the tensors, predicted by a model of it for a GPU without "
        "limit; it lets go of what it keeps before a GPU's memory runs out, as `ossnet fits` takes into account",
        "Process and device: by the driver, CUDA context included; where it does not tell of one process, that is what "
        "the device holds more than before",
        *cpu_notes(answers),
    )
    return Grid("Table 3, beyond the tensors, this suite.", head, rows, notes(sentences))


def _kinds(machine: str) -> dict[str, str]:
    """What is known of a machine's memory, and what it is called."""
    tensors, allocator = {"allocated_bytes": "tensors"}, {"reserved_bytes": "allocator"}
    if machine == PREDICTED:
        return tensors | allocator
    process = {"process_bytes": "process"}
    return tensors | process if machine == CPU else tensors | allocator | process | {"device_bytes": "device"}


def _parts(answers: Answers) -> Grid:
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
    return Grid("Table 3, what the predicted peak of this suite is made of: its largest parts (GB).", head, rows)


def _labels(probe: Probe) -> list[Cell]:
    locations = NOTHING if probe.locations is None else Cell(power_of_two(probe.locations))
    texts = (MODEL_NAMES[probe.model], DATASET_NAMES[probe.dataset], probe.resolution, probe.phase)
    return [*map(Cell, texts), locations]


def _published(number: PublishedMemory) -> Cell:
    if number.gigabytes is None:
        # The note begins with the bound: `> 110 GB at native resolution`.
        return Cell(number.note.partition(" GB")[0])
    return Cell(f"{number.gigabytes:.2f}")


def _compared(answers: Answers, probe: Probe, machines: Sequence[str]) -> list[Cell]:
    """This suite's prediction, and for each machine its measurement and the ratio of the two."""
    predicted = _allocated(answers, PREDICTED, probe)
    cells = [gigabytes(answers, PREDICTED, probe)]
    for machine in machines:
        cells += [gigabytes(answers, machine, probe), ratio(predicted, _allocated(answers, machine, probe))]
    return cells


def _allocated(answers: Answers, machine: str, probe: Probe) -> float | None:
    value: float | None = answers.value(machine, probe, "allocated_bytes")
    return value
