"""Memory and time of a whole segmentation of 512^3 voxels, the paper's size of LiTS, by OSS-Net C: 2 and 5 classes."""

from dataclasses import replace

from benchmarks.layout import Layout
from benchmarks.markup import NOTHING, Cell, Table
from benchmarks.names import model_name
from benchmarks.probes.answers import Answers
from benchmarks.probes.records import PREDICTED
from benchmarks.report.probe_cells import cpu_notes, gigabytes, machine_notes, notes
from benchmarks.studies.memory_table import OBJECT, WORKSPACES
from benchmarks.study import DeviceType, Study
from benchmarks.workload import Probe

ONE_PASS = Probe("memory", "c", "lits", (512, 512, 512), "inference", 2**14)
SEGMENTATION = replace(ONE_PASS, phase="extraction", extraction="mise")

FIVE_CLASSES = replace(SEGMENTATION, classes=5)
"""Segmentation of four organs, say; the logits of all voxels would take 2.7 GB."""

TIME = "Time: one segmentation on the CPU while its tensors are counted; this table has no time on a GPU"


SHELLS = (
    "With 5 classes, each but the background is a shell of the ellipsoid. The classes of a pass are decided before the "
    "next one: logits are held for 2^14 locations at most, while those of all voxels would take 2.7 GB"
)


def predicted() -> list[Probe]:
    """Return the segmentations, and the single pass that the paper's Table 3 has."""
    return [ONE_PASS, SEGMENTATION, FIVE_CLASSES]


def measured(device_type: DeviceType) -> list[Probe]:
    """Return the segmentations for any device; each takes a laptop some minutes."""
    return [SEGMENTATION, FIVE_CLASSES]


def whole_tables(answers: Answers) -> list[Table]:
    """Return a table with rows for the predicted pass and segmentation, and one for each machine's measurement."""
    head = ["Work", "Source", "Tensors (GB)", "Allocator (GB)", "Process (GB)", "Process before (GB)", "Time (s)"]
    rows = [
        _row(answers, "one pass", PREDICTED, ONE_PASS),
        *(
            _row(answers, work, machine, probe)
            for work, probe in (("segmentation", SEGMENTATION), ("segmentation, 5 classes", FIVE_CLASSES))
            for machine in [PREDICTED, *answers.shown]
        ),
    ]
    probe = SEGMENTATION
    caption = f"{model_name(probe.model)} segmenting {probe.resolution} voxels by {probe.extraction}: memory and time."
    texts = [OBJECT, SHELLS, TIME, WORKSPACES, *cpu_notes(answers), *machine_notes(answers)]
    return [Table(caption, head, rows, notes(texts))]


def _row(answers: Answers, work: str, machine: str, probe: Probe) -> list[Cell]:
    names = ("allocated_bytes", "reserved_bytes", "process_bytes", "resident_before_bytes")
    wall_s = answers.value(machine, probe, "wall_s")
    return [
        Cell(work),
        Cell(answers.title(machine)),
        *(gigabytes(answers, machine, probe, name) for name in names),
        NOTHING if wall_s is None else Cell(f"{wall_s:.0f}"),
    ]


WHOLE = Study(
    Layout("whole", "Segmenting 512^3 voxels"),
    predicted=predicted,
    measured=measured,
    tables=lambda found: whole_tables(found.answers),
    only_by_name=True,
)
