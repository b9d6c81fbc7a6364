"""Memory and runtime as cells of a table, and notes on the machines that measured them."""

import math
from collections import Counter
from collections.abc import Collection, Sequence

from benchmarks.markup import NOTHING, Cell, interval, power_of_two, threads_text
from benchmarks.probes.answers import Answers
from benchmarks.probes.ledger import name_of
from benchmarks.probes.records import CPU, GIGABYTE, PREDICTED, ProbeRecord, used_by_others
from benchmarks.workload import Probe

CPU_NOTES: tuple[str, ...] = (
    "Tensors on a CPU are counted by the accounting that makes the prediction, so that their agreement is no "
    "independent check; the accounting is tested against the memory events of torch's profiler (`tests/ossnet`)",
    "Process on a CPU: its peak resident set, which includes Python and its libraries; `resident_before_bytes` of the "
    "record is its size before the model",
)
"""Notes of tables of memory that have a column for a CPU."""

UNFOLDED = (
    "With cuDNN before 9.3, torch unfolds the input of convolutions on tensors above 2^31 elements, which those of "
    "this 3D U-Net are from 512^3 voxels on; this takes memory that is not predicted"
)
UNFOLDED_VOXELS = 512**3


def gigabytes(answers: Answers, machine: str, probe: Probe, name: str = "allocated_bytes") -> Cell:
    """Return a number of bytes of a record's result in GB of 10^9 bytes, or the reason why there is none."""
    value = answers.value(machine, probe, name)
    return absent(answers, machine, probe) if value is None else Cell(f"{value / GIGABYTE:.2f}")


def seconds(answers: Answers, machine: str, probe: Probe) -> Cell:
    """Return the median of a runtime in seconds with its interval, if there are enough repeats for one."""
    median, low, high = (answers.value(machine, probe, name) for name in ("median_s", "low_s", "high_s"))
    if median is None:
        return absent(answers, machine, probe)
    return Cell(f"{median:.3g}", detail="" if low is None else interval(low, high, ".3g"))


def ratio(value: float | None, to: float | None) -> Cell:
    """Return one number over another; nothing if one is not known."""
    return NOTHING if value is None or not to else Cell(f"{value / to:.3f}")


def absent(answers: Answers, machine: str, probe: Probe) -> Cell:
    """Return why there is no value of a record: it is missing, ran out of memory or failed; or nothing."""
    record = answers.of(machine, probe)
    if record is None:
        return Cell("not predicted" if machine == PREDICTED else "not measured")
    if record.failure is not None:
        return Cell("OOM" if record.failure == "OOM" else "failed")
    return NOTHING


def notes(sentences: Sequence[str]) -> str:
    """Join sentences without their full stops into one text."""
    return " ".join(f"{sentence}." for sentence in sentences)


def cpu_notes(answers: Answers) -> Sequence[str]:
    """Return the notes on a CPU of a table of memory, if it has a column for one."""
    return CPU_NOTES if CPU in answers.measured else ()


def machine_notes(answers: Answers) -> list[str]:
    """Return sentences on the machines that measured, see `measured_notes`, and on a missing GPU."""
    missing = [] if answers.gpu is not None else ["No GPU has measured this yet; `make gpu` does so on a GPU"]
    return missing + measured_notes(answers)


def measured_notes(answers: Answers) -> list[str]:
    """Return sentences on the machines that measured, their use by others, and failures there.

    For a GPU whose memory size is known, they name the probes that ran out of memory although they are predicted to
    fit.
    """
    sentences = []
    for machine in answers.measured:
        records = answers.by_machine[machine]
        if machine == CPU:
            sentences.append(f"CPU: {_cpus(records.values())}")
        reasons = {record.failure for record in records.values() if record.failure not in (None, "OOM")}
        sentences += [f"Failed on {answers.title(machine)}: {reason}" for reason in sorted(map(str, reasons))]
        if used_bytes := max((used_by_others(record.provenance) for record in records.values()), default=0):
            others = f"{used_bytes / GIGABYTE:.1f} GB of its memory in use by others"
            sentences.append(f"{answers.title(machine)} measured with {others}")
        sentences += _surprises(answers, machine)
    return sentences


def _cpus(records: Collection[ProbeRecord]) -> str:
    """Return the models of CPU with their threads; several with their numbers of records, most first."""
    cpus = [record.provenance["cpu"] for record in records]
    counts = Counter(f"{cpu['model']}, {threads_text(cpu['torch_threads'])}" for cpu in cpus)
    if len(counts) == 1:
        return next(iter(counts))
    return "; ".join(f"{cpu} ({count} of {len(records)} records)" for cpu, count in counts.most_common())


def _surprises(answers: Answers, machine: str) -> list[str]:
    found = [probe for probe in answers.by_machine[machine] if _ran_out_early(answers, machine, probe)]
    if not found:
        return []
    names = "; ".join(map(name_of, found))
    unfolded = any(probe.model == "unet3d" and math.prod(probe.shape) >= UNFOLDED_VOXELS for probe in found)
    sentence = f"Out of memory on {answers.title(machine)}, although predicted to fit: {names}"
    return [sentence, UNFOLDED] if unfolded else [sentence]


def _ran_out_early(answers: Answers, machine: str, probe: Probe) -> bool:
    """Return whether a probe ran out of a GPU's memory, although the allocator's predicted memory is less than that."""
    record, predicted = answers.of(machine, probe), answers.value(PREDICTED, probe, "reserved_bytes")
    if record is None or record.failure != "OOM" or predicted is None:
        return False
    gpu = record.provenance.get("gpu") or {}
    return bool(predicted < gpu.get("memory_bytes", 0))


def locations_cell(probe: Probe) -> Cell:
    """Show a probe's number of locations, as a power of two where it is one."""
    return NOTHING if probe.locations is None else Cell(power_of_two(probe.locations))


def number_cell(value: float | None, layout: str) -> Cell:
    """Show a number by a format such as `{:.2f}`, or a dash where there is none."""
    return NOTHING if value is None else Cell(layout.format(value))


def memory_notes(answers: Answers) -> list[str]:
    """Return the notes that a table of memory has on the machines that measured."""
    return [*cpu_notes(answers), *machine_notes(answers)]
