"""Which probes of a study one machine has answered, and which are missing."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.markup import power_of_two
from benchmarks.probes.records import CPU, PREDICTED, ProbeRecord, read_records, write_records
from benchmarks.study import DeviceType, Probe, Study

SHOWN = 20
"""As many failures are named one by one."""


@dataclass
class Ledger:
    """The records of one study and machine, in the order of its probes.

    Attributes:
        probes: the study's for this machine. Records of others, which have left it, are not taken up.
        records: by probe.
    """

    study: str
    machine: str
    probes: Sequence[Probe]
    results: Path
    records: dict[Probe, ProbeRecord]

    @classmethod
    def open(cls, study: str, machine: str, probes: Sequence[Probe], results: Path) -> "Ledger":
        """What a results folder holds of them.

        Raises:
            UserError: a file cannot be read.
        """
        found = {record.probe: record for record in read_records(results, [study]) if record.machine == machine}
        return cls(study, machine, probes, results, {probe: found[probe] for probe in probes if probe in found})

    def clear(self) -> None:
        """Take all records for missing; the file stays until the first of the new ones."""
        self.records.clear()

    def missing(self, retry_failed: bool = False) -> list[Probe]:
        """Probes without a record, and on demand those whose record is a failure."""
        kept = {probe for probe, record in self.records.items() if record.failure is None or not retry_failed}
        return [probe for probe in self.probes if probe not in kept]

    def add(self, record: ProbeRecord) -> None:
        """Take a record up and write the file anew, whole."""
        self.records[record.probe] = record
        write_records([self.records[probe] for probe in self.probes if probe in self.records], self.results)

    def state(self, probe: Probe) -> str:
        """`missing`, `done`, or why it failed."""
        record = self.records.get(probe)
        if record is None:
            return "missing"
        return "done" if record.failure is None else f"failed: {record.failure}"

    def describe(self) -> list[str]:
        """A line with the numbers of its probes, and one for each failure that is not a lack of memory."""
        failures = {probe: record.failure for probe, record in self.records.items() if record.failure is not None}
        out_of_memory = sum(reason == "OOM" for reason in failures.values())
        counts = {
            "done": len(self.records) - len(failures),
            "OOM": out_of_memory,
            "failed": len(failures) - out_of_memory,
            "missing": len(self.missing()),
        }
        told = ", ".join(f"{count} {state}" for state, count in counts.items() if count or state in ("done", "missing"))
        lines = [f"{self.study}, {self.machine}: {len(self.probes)} probes, {told}"]
        broken = [f"  {name_of(probe)}: {self.state(probe)}" for probe, why in failures.items() if why != "OOM"]
        more = [f"  and {len(broken) - SHOWN} more"] if len(broken) > SHOWN else []
        return [*lines, *broken[:SHOWN], *more]


def name_of(probe: Probe) -> str:
    """A probe in a few words: `memory c brats 256x256x160 training 2¹⁴`."""
    parts = [probe.quantity, probe.model, probe.dataset, probe.resolution, probe.phase]
    parts += [power_of_two(probe.locations)] if probe.locations is not None else []
    parts += [f"batch {probe.batch_size}"] if probe.batch_size > 1 else []
    parts += [probe.extraction] if probe.extraction is not None else []
    parts += [probe.implementation] if probe.implementation != "suite" else []
    return " ".join(parts)


def device_type_of(machine: str) -> DeviceType:
    """The kind of device that a machine, by its name in records, measures with."""
    return "cpu" if machine == CPU else "cuda"


def ledgers_of(study: Study, results: Path) -> list[Ledger]:
    """Return a ledger for the predictions, if the study has any, and one for each machine that has records there."""
    machines = list(dict.fromkeys(record.machine for record in read_records(results, [study.name])))
    probes = {machine: study.measured(device_type_of(machine)) for machine in machines if machine != PREDICTED}
    if predicted := study.predicted():
        probes = {PREDICTED: predicted, **probes}
    return [Ledger.open(study.name, machine, of_machine, results) for machine, of_machine in probes.items()]
