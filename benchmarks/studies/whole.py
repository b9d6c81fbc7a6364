"""A whole segmentation of 512^3 voxels by OSS-Net C, the paper's size of LiTS: its memory and time."""

from dataclasses import replace

from benchmarks.markup import NOTHING, Cell, Grid
from benchmarks.names import MODEL_NAMES
from benchmarks.probes.answers import Answers
from benchmarks.probes.records import PREDICTED
from benchmarks.report.probe_cells import cpu_notes, gigabytes, machine_notes, notes
from benchmarks.studies.memory_table import OBJECT, WORKSPACES
from benchmarks.study import DeviceType, Layout, Probe, Study

ONE_PASS = Probe("memory", "c", "lits", (512, 512, 512), "inference", 2**14)
SEGMENTATION = replace(ONE_PASS, phase="extraction", extraction="mise")

TIME = "Time: of one segmentation on the CPU, while its tensors are counted; a GPU's is not taken here"


def predicted() -> list[Probe]:
    """The segmentation, and the one pass that the paper's Table 3 has."""
    return [ONE_PASS, SEGMENTATION]


def measured(device_type: DeviceType) -> list[Probe]:
    """The segmentation, on any device: some minutes on a laptop."""
    return [SEGMENTATION]


def whole_grids(answers: Answers) -> list[Grid]:
    """A row for the pass and for the whole as predicted, and one for each machine."""
    head = ["What", "Where", "Tensors (GB)", "Allocator (GB)", "Process (GB)", "Process before (GB)", "Time (s)"]
    rows = [
        _row(answers, "one pass", PREDICTED, ONE_PASS),
        *(_row(answers, "segmentation", machine, SEGMENTATION) for machine in [PREDICTED, *answers.shown]),
    ]
    probe = SEGMENTATION
    caption = f"{MODEL_NAMES[probe.model]}, segmenting {probe.resolution} voxels by {probe.extraction}."
    return [Grid(caption, head, rows, notes([OBJECT, TIME, WORKSPACES, *cpu_notes(answers), *machine_notes(answers)]))]


def _row(answers: Answers, what: str, machine: str, probe: Probe) -> list[Cell]:
    names = ("allocated_bytes", "reserved_bytes", "process_bytes", "resident_before_bytes")
    wall_s = answers.value(machine, probe, "wall_s")
    return [
        Cell(what),
        Cell(answers.title(machine)),
        *(gigabytes(answers, machine, probe, name) for name in names),
        NOTHING if wall_s is None else Cell(f"{wall_s:.0f}"),
    ]


WHOLE = Study(
    Layout("whole", "Segmenting 512^3 voxels"),
    predicted=predicted,
    measured=measured,
    tables=lambda found: whole_grids(found.answers),
    only_by_name=True,
)
