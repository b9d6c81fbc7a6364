"""Time and memory of preparing and training on cases in the full size of the paper's data sets, without a GPU."""

from benchmarks.layout import Layout
from benchmarks.markup import NOTHING, Cell, Table, power_of_two
from benchmarks.names import PAPER_NAMES, model_name
from benchmarks.probes.answers import Answers
from benchmarks.probes.limits import GIBIBYTE, LIMITS, TRAINING
from benchmarks.report.probe_cells import absent, measured_notes, notes
from benchmarks.study import DeviceType, Study
from benchmarks.workload import PAPER_VOLUMES, Probe

COMMANDS = {"preparation": "ossnet data prepare", "training": "ossnet train"}

CASES_NOTE = (
    "Cases have a closed form, in files as the data sets have them: BraTS compressed, LiTS not. A preparation is of "
    "one case, with one thread; a training has two cases, which it also prepares, and no validation"
)
COSTS_NOTE = (
    "Time and CPU time: of the whole command, without the start of Python and the import of torch; CPU time is that of "
    "all cores together. Waiting: part of the steps' time in which the training waited for cases, those of the first "
    "step included, which nothing hides; the two cases are repeated, and their files may still be in memory. Process: "
    "its peak resident set, which includes Python and its libraries"
)
LIMIT_NOTE = "In brackets: the limits that this suite sets itself"


def measured(device_type: DeviceType) -> list[Probe]:
    """Return the commands, the short ones first, for a CPU; a GPU measures none."""
    return [*LIMITS] if device_type == "cpu" else []


def fullsize_tables(answers: Answers) -> list[Table]:
    """Return a table with a row for each command and machine: its costs, next to the limits that they must keep."""
    head = ["Command", "Source", "Data set", "Volume", "Modalities", "Time (s)", "CPU time (s)", "Time of a step (s)"]
    head += ["Waiting (%)", "Process (GiB)", "Process before (GiB)", "Within the limits"]
    rows = [_row(answers, machine, probe) for machine in answers.measured for probe in LIMITS]
    of_training = f"batch {TRAINING.batch_size}, {power_of_two(TRAINING.locations or 0)} locations per case"
    caption = (
        f"Preparing and training on full-size cases with {model_name(TRAINING.model)}, profile paper: time and memory. "
        f"Training: {of_training}, recipe.memory={TRAINING.implementation}. GiB: 2^30 bytes."
    )
    texts = [LIMIT_NOTE, CASES_NOTE, COSTS_NOTE, *measured_notes(answers)]
    return [Table(caption, head, rows, notes(texts))]


def _row(answers: Answers, machine: str, probe: Probe) -> list[Cell]:
    _, modalities = PAPER_VOLUMES[probe.dataset]
    head = [COMMANDS[probe.phase], answers.title(machine), PAPER_NAMES[probe.dataset], probe.resolution, modalities]
    steps, steps_s = (answers.value(machine, probe, name) for name in ("steps", "steps_s"))
    return [
        *(Cell(str(text)) for text in head),
        _cell(answers, machine, probe, "wall_s", "{:.1f}"),
        _cell(answers, machine, probe, "cpu_s", "{:.1f}"),
        NOTHING if steps_s is None else Cell(f"{steps_s / steps:.1f}"),
        _cell(answers, machine, probe, "waiting_share", "{:.1f}", 1 / 100),
        _cell(answers, machine, probe, "process_bytes", "{:.2f}", GIBIBYTE),
        _cell(answers, machine, probe, "resident_before_bytes", "{:.2f}", GIBIBYTE),
        _within_limits(answers, machine, probe),
    ]


def _cell(answers: Answers, machine: str, probe: Probe, name: str, layout: str, unit: float = 1) -> Cell:
    """Return a value of a result in a unit with its limit, if it has one; or the reason why there is none."""
    value, limit = answers.value(machine, probe, name), LIMITS[probe].get(name)
    if value is None:
        return absent(answers, machine, probe)
    return Cell(layout.format(value / unit), detail="" if limit is None else f"(limit {limit / unit:g})")


def _within_limits(answers: Answers, machine: str, probe: Probe) -> Cell:
    values = {name: answers.value(machine, probe, name) for name in LIMITS[probe]}
    if None in values.values():
        return absent(answers, machine, probe)
    return Cell("yes" if all(values[name] <= limit for name, limit in LIMITS[probe].items()) else "no")


FULLSIZE = Study(
    Layout("fullsize", "Preparing and training on full-size cases"),
    measured=measured,
    tables=lambda found: fullsize_tables(found.answers),
    only_by_name=True,
)
