"""Records of a study's probes by machine, from a results folder and from the committed reference."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.probes.records import CPU, PREDICTED, ProbeRecord, read_records
from benchmarks.workload import Probe

ANY_GPU = "GPU"
"""Name in tables for a GPU while none has records."""


@dataclass(frozen=True)
class Answers:
    """Records of the probes of one study.

    Attributes:
        by_machine: records of each machine by probe: first the predictions, then the machines of the results folder,
            then those of the reference.
        from_reference: machines whose records are from the reference, since the results folder has none of them.
    """

    by_machine: Mapping[str, Mapping[Probe, ProbeRecord]]
    from_reference: frozenset[str] = frozenset()

    @classmethod
    def read(cls, study: str, results: Path, reference: Path | None = None) -> "Answers":
        """Read the records of a results folder, and from a reference those of all other machines.

        Args:
            study: name of the study.
            results: the results folder.
            reference: folder of the reference; None for no reference.

        Raises:
            UserError: a file cannot be read.
        """
        own = _by_machine(read_records(results, [study]))
        committed = _by_machine(read_records(reference, [study])) if reference is not None else {}
        both = committed | own
        machines = sorted(both, key=lambda machine: (machine != PREDICTED, machine not in own, machine))
        return cls({machine: both[machine] for machine in machines}, frozenset(both.keys() - own.keys()))

    @property
    def own(self) -> list[str]:
        """The machines, predictions included, whose records are not from the reference."""
        return [machine for machine in self.by_machine if machine not in self.from_reference]

    @property
    def measured(self) -> list[str]:
        """The machines that have measured something, GPUs first."""
        machines = [machine for machine in self.by_machine if machine != PREDICTED]
        return sorted(machines, key=lambda machine: machine == CPU)

    @property
    def gpu(self) -> str | None:
        """The GPU whose records decide claims, if there is one.

        A GPU of the results folder comes before one of the reference; of several it is the one with most records.
        """
        gpus = [machine for machine in self.measured if machine != CPU]
        return min(gpus, key=lambda gpu: (gpu in self.from_reference, -len(self.by_machine[gpu])), default=None)

    @property
    def shown(self) -> list[str]:
        """The machines that tables show: those that have measured something, and a GPU even if none has."""
        return self.measured if self.gpu is not None else [ANY_GPU, *self.measured]

    def of(self, machine: str, probe: Probe) -> ProbeRecord | None:
        """Return a machine's record of a probe; None if there is none."""
        return self.by_machine.get(machine, {}).get(probe)

    def title(self, machine: str) -> str:
        """Return the name of a machine in tables."""
        name = {CPU: "CPU", PREDICTED: "Predicted"}.get(machine, machine)
        return f"{name} (reference)" if machine in self.from_reference else name

    def value(self, machine: str, probe: Probe, name: str) -> Any:
        """Return a value of a record's result; None without a record, a result or such a value."""
        record = self.of(machine, probe)
        return None if record is None or record.result is None else record.result.get(name)


def _by_machine(records: list[ProbeRecord]) -> dict[str, dict[Probe, ProbeRecord]]:
    found: dict[str, dict[Probe, ProbeRecord]] = {}
    for record in records:
        found.setdefault(record.machine, {})[record.probe] = record
    return found
