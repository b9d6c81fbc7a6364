"""Ledger of a study's probes on one machine: those with records, and those that are missing."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.markup import power_of_two
from benchmarks.probes.records import CPU, PREDICTED, ProbeRecord, read_records, write_records
from benchmarks.study import DeviceType, Study
from benchmarks.workload import Probe

MAX_LISTED = 20
"""Number of failures that are listed one by one."""


@dataclass
class Ledger:
    """Records of one study and machine, in the order of the study's probes.

    Attributes:
        study: name of the study.
        machine: name of the machine in records.
        probes: the study's probes for this machine. Records of probes that are no longer in the study are left out.
        results: the results folder.
        records: records by probe.
    """

    study: str
    machine: str
    probes: Sequence[Probe]
    results: Path
    records: dict[Probe, ProbeRecord]

    @classmethod
    def open(cls, study: str, machine: str, probes: Sequence[Probe], results: Path) -> "Ledger":
        """Read the records of a study and machine from a results folder.

        Raises:
            UserError: a file cannot be read.
        """
        found = {record.probe: record for record in read_records(results, [study]) if record.machine == machine}
        return cls(study, machine, probes, results, {probe: found[probe] for probe in probes if probe in found})

    def clear(self) -> None:
        """Treat all records as missing; the file stays until the first new record."""
        self.records.clear()

    def missing(self, retry_failed: bool = False) -> list[Probe]:
        """Return the probes without a record, and on request those whose record is a failure."""
        kept = {probe for probe, record in self.records.items() if record.failure is None or not retry_failed}
        return [probe for probe in self.probes if probe not in kept]

    def add(self, record: ProbeRecord) -> None:
        """Add a record, and write the whole file again."""
        self.records[record.probe] = record
        write_records([self.records[probe] for probe in self.probes if probe in self.records], self.results)

    def state(self, probe: Probe) -> str:
        """Return the state of a probe: `missing`, `done`, or `failed` with the reason."""
        record = self.records.get(probe)
        if record is None:
            return "missing"
        return "done" if record.failure is None else f"failed: {record.failure}"

    def describe(self) -> list[str]:
        """Return a line with the number of probes by state, and a line for each failure except a lack of memory."""
        failures = {probe: record.failure for probe, record in self.records.items() if record.failure is not None}
        out_of_memory = sum(reason == "OOM" for reason in failures.values())
        counts = {
            "done": len(self.records) - len(failures),
            "OOM": out_of_memory,
            "failed": len(failures) - out_of_memory,
            "missing": len(self.missing()),
        }
        states = [f"{count} {state}" for state, count in counts.items() if count or state in ("done", "missing")]
        line = f"{self.study}, {self.machine}: {len(self.probes)} probes, {', '.join(states)}"
        failed = [f"  {name_of(probe)}: {self.state(probe)}" for probe, why in failures.items() if why != "OOM"]
        more = [f"  and {len(failed) - MAX_LISTED} more"] if len(failed) > MAX_LISTED else []
        return [line, *failed[:MAX_LISTED], *more]


def name_of(probe: Probe) -> str:
    """Return the name of a probe for people, such as `memory c brats 256x256x160 training 2¹⁴`."""
    parts = [probe.quantity, probe.model, probe.dataset, probe.resolution, probe.phase]
    parts += [power_of_two(probe.locations)] if probe.locations is not None else []
    parts += [f"batch {probe.batch_size}"] if probe.batch_size > 1 else []
    parts += [probe.extraction] if probe.extraction is not None else []
    parts += [probe.implementation] if probe.implementation != "suite" else []
    parts += [f"{probe.classes} classes"] if probe.classes != 2 else []
    return " ".join(parts)


def device_type_of(machine: str) -> DeviceType:
    """Return the type of device with which a machine measures, by the machine's name in records."""
    return "cpu" if machine == CPU else "cuda"


def ledgers_of(study: Study, results: Path) -> list[Ledger]:
    """Return a ledger for the predictions, if the study has any, and one for each machine with records."""
    machines = list(dict.fromkeys(record.machine for record in read_records(results, [study.name])))
    probes = {machine: study.measured(device_type_of(machine)) for machine in machines if machine != PREDICTED}
    if predicted := study.predicted():
        probes = {PREDICTED: predicted, **probes}
    return [Ledger.open(study.name, machine, of_machine, results) for machine, of_machine in probes.items()]
