"""Speed and memory of OSS-Net by the released code's algorithm, as written for reading, and by this suite.

The plain path is the reference, the code to read; the suite's ways compute the same up to rounding. Times are measured
in turns in one process, so that their ratios hold on a machine that others use as well. Layers of the released code are
those of `benchmarks.probes.released_layers`, with the Padé unit by its formula in place of its CUDA kernel.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import median

from benchmarks.layout import Layout
from benchmarks.machine.median import median_interval
from benchmarks.markup import NOTHING, Cell, Table, interval, power_of_two
from benchmarks.names import PAPER_NAMES, model_name
from benchmarks.probes.answers import Answers
from benchmarks.probes.records import PREDICTED
from benchmarks.report.probe_cells import absent, gigabytes, machine_notes, notes
from benchmarks.studies.memory_table import OBJECT, WORKSPACES
from benchmarks.study import DeviceType, Study
from benchmarks.workload import PAPER_VOLUMES, Implementation, Probe

SHAPE, _ = PAPER_VOLUMES["brats"]

DECODER = Probe("comparison", "c", "brats", SHAPE, "decoder", 2**13)
EXTRACTIONS = [
    Probe("comparison", "c", "brats", SHAPE, "extraction", 2**14, extraction=extraction)
    for extraction in ("mise", "released", "released-prior", "adaptive")
]
TRAINING = Probe("comparison", "c", "brats", (160, 160, 96), "training", 2**12)
"""A step on a smaller volume than the paper's, so that a laptop holds what the plain path needs."""

INFERENCE_WAYS: Mapping[Implementation, str] = {"released": "released code", "plain": "plain", "suite": "suite"}
TRAINING_WAYS: Mapping[Implementation, str] = {
    "released": "released code",
    "suite": "plain",
    "checkpointing": "checkpointing",
    "lean": "lean",
    "leanest": "leanest",
}
"""Names in tables of ways to do the work, by the implementation of a probe of memory."""

STEPS = [Probe("memory", "c", dataset, PAPER_VOLUMES[dataset][0], "training", 2**14) for dataset in PAPER_VOLUMES]
PASSES = [
    Probe("memory", model, dataset, PAPER_VOLUMES[dataset][0], "inference", 2**14)
    for model, dataset in (("c", "brats"), ("d", "brats"), ("c", "lits"))
]
SEGMENTATIONS = [replace(one_pass, phase="extraction", extraction="mise") for one_pass in PASSES]

INTERVALS = (
    "In brackets: the interval of the median by order statistics, which is the 95 % interval from 6 rounds on and "
    "spans the smallest and the largest of fewer rounds; a single round has none"
)
DECODER_NOTE = "Decoder: one pass over random voxels, patches included, without the encoder"
EXTRACTION_NOTE = (
    "Extraction: a whole segmentation, encoder included, of a volume of closed form whose target fills 1.5 % of it. "
    "Every location is evaluated by the network, and the extraction receives the closed form"
)
TRAINING_NOTE = "Training: one step on one volume, optimiser included"
DIFFERENCE_NOTE = (
    "Difference: of a decoder, the largest one between a probability and that of the plain path; of an extraction, the "
    "number of voxels whose label is not the closed form's"
)


def predicted() -> list[Probe]:
    """Return the memory of a training step, of one evaluation and of a segmentation in every way."""
    of_training = [replace(step, implementation=way) for step in STEPS for way in TRAINING_WAYS]
    of_inference = [replace(one_pass, implementation=way) for one_pass in PASSES for way in INFERENCE_WAYS]
    # Nothing is known about the memory of a whole segmentation by the released code.
    of_segmentation = [
        replace(one, implementation=way) for one in SEGMENTATIONS for way in INFERENCE_WAYS if way != "released"
    ]
    return of_training + of_inference + of_segmentation


def measured(device_type: DeviceType) -> list[Probe]:
    """Return the comparisons of times, for any device; they take a laptop about ten minutes."""
    return [DECODER, TRAINING, *EXTRACTIONS]


def speed_tables(answers: Answers) -> list[Table]:
    """Return a table of times for each machine, and one of predicted memory for training and for inference."""
    times = [table(answers, machine) for machine in answers.shown for table in (_inference_times, _training_times)]
    sentences = [DECODER_NOTE, EXTRACTION_NOTE, TRAINING_NOTE, DIFFERENCE_NOTE, INTERVALS, *machine_notes(answers)]
    times[-1] = replace(times[-1], notes=notes(sentences))
    return [*times, _memory(answers)]


def _inference_times(answers: Answers, machine: str) -> Table:
    head = ["Work", "Evaluations", *(f"{name.capitalize()} (s)" for name in INFERENCE_WAYS.values())]
    head += ["Plain / suite", "Released code / suite", "Difference, plain", "Difference, suite"]
    rows = []
    for probe in (DECODER, *EXTRACTIONS):
        evaluated = answers.value(machine, probe, "evaluated")
        count = probe.locations if probe.phase == "decoder" else evaluated and sum(evaluated["suite"])
        row = [Cell(probe.extraction or f"decoder, {power_of_two(probe.locations or 0)} locations")]
        row += [NOTHING if count is None else Cell(f"{count:,}")]
        row += [_time(answers, machine, probe, way) for way in INFERENCE_WAYS]
        row += [_ratio(answers, machine, probe, way, "suite") for way in ("plain", "released")]
        rows.append([*row, *(_difference(answers, machine, probe, way) for way in ("plain", "suite"))])
    caption = f"Speed of inference with {model_name('c')}, {DECODER.resolution} voxels, {answers.title(machine)}."
    return Table(caption, head, rows)


def _training_times(answers: Answers, machine: str) -> Table:
    rows = [
        [Cell(way), _time(answers, machine, TRAINING, way), _ratio(answers, machine, TRAINING, way, "plain")]
        for way in list(TRAINING_WAYS.values())[1:]
    ]
    where = f"{TRAINING.resolution} voxels, {power_of_two(TRAINING.locations or 0)} locations"
    caption = f"Speed of a training step of {model_name('c')}, {where}, {answers.title(machine)}."
    return Table(caption, ["Memory setting", "Time (s)", "Ratio to plain"], rows)


def _memory(answers: Answers) -> Table:
    names = dict.fromkeys([*INFERENCE_WAYS.values(), *TRAINING_WAYS.values()])
    head = ["Work", "Model", "Data set", "Resolution", *(f"{name.capitalize()} (GB)" for name in names)]
    rows = []
    for probe in (*STEPS, *PASSES, *SEGMENTATIONS):
        ways = {name: way for way, name in (TRAINING_WAYS if probe.phase == "training" else INFERENCE_WAYS).items()}
        row = [Cell(probe.phase), Cell(model_name(probe.model)), Cell(PAPER_NAMES[probe.dataset])]
        row.append(Cell(probe.resolution))
        for name in names:
            in_way = name in ways and replace(probe, implementation=ways[name])
            known = in_way and (probe.phase, ways[name]) != ("extraction", "released")
            row.append(gigabytes(answers, PREDICTED, in_way) if in_way and known else NOTHING)
        rows.append(row)
    caption = f"Predicted peak of all tensors in GB (10^9 bytes), one volume, {power_of_two(2**14)} locations."
    return Table(caption, head, rows, notes([OBJECT, WORKSPACES]))


def _seconds(answers: Answers, machine: str, probe: Probe, way: str) -> Sequence[float]:
    of_ways: Mapping[str, Sequence[float]] = answers.value(machine, probe, "seconds") or {}
    return of_ways.get(way, ())


def _time(answers: Answers, machine: str, probe: Probe, way: str) -> Cell:
    seconds = _seconds(answers, machine, probe, way)
    return _with_interval(seconds) if seconds else absent(answers, machine, probe)


def _ratio(answers: Answers, machine: str, probe: Probe, way: str, to: str) -> Cell:
    """Return the ratio of the medians of two ways, with the interval of the rounds' ratios."""
    first, second = (_seconds(answers, machine, probe, each) for each in (way, to))
    if not first or not second:
        return NOTHING
    rounds = [one / other for one, other in zip(first, second, strict=True)]
    return _with_interval(rounds)._replace(text=f"{median(first) / median(second):.2f}")


def _with_interval(values: Sequence[float]) -> Cell:
    bounds = median_interval(values)
    return Cell(f"{median(values):.3g}", detail="" if bounds is None else interval(*bounds, ".3g"))


def _difference(answers: Answers, machine: str, probe: Probe, way: str) -> Cell:
    errors, voxels = (answers.value(machine, probe, name) for name in ("largest_error", "differing_voxels"))
    if errors is not None:
        return Cell(f"{errors[way]:.1e}")
    return NOTHING if voxels is None else Cell(f"{voxels[way]} voxels")


SPEED = Study(
    Layout("speed", "Speed and memory against the plain path and the released code"),
    predicted=predicted,
    measured=measured,
    tables=lambda found: speed_tables(found.answers),
    only_by_name=True,
)
