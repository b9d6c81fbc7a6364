"""All that is known of a study's probes, by machine: one's own records, and the committed reference's beside them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.probes.records import CPU, PREDICTED, ProbeRecord, read_records
from benchmarks.study import Probe

ANY_GPU = "GPU"
"""In tables a machine that none of the records is of."""


@dataclass(frozen=True)
class Answers:
    """Records of one study.

    Attributes:
        by_machine: by probe, of each machine: the predictions, one's own machines, then those of the reference.
        borrowed: the machines whose records are the reference's, since one's own have none of them.
    """

    by_machine: Mapping[str, Mapping[Probe, ProbeRecord]]
    borrowed: frozenset[str] = frozenset()

    @classmethod
    def read(cls, study: str, results: Path, reference: Path | None = None) -> "Answers":
        """From a results folder, and of machines that it has no records of from a reference's.

        Raises:
            UserError: a file cannot be read.
        """
        own = _by_machine(read_records(results, [study]))
        lent = _by_machine(read_records(reference, [study])) if reference is not None else {}
        both = lent | own
        machines = sorted(both, key=lambda machine: (machine != PREDICTED, machine not in own, machine))
        return cls({machine: both[machine] for machine in machines}, frozenset(both.keys() - own.keys()))

    @property
    def own(self) -> list[str]:
        """The machines, predictions included, with records that are not the reference's."""
        return [machine for machine in self.by_machine if machine not in self.borrowed]

    @property
    def measured(self) -> list[str]:
        """The machines that have measured something, GPUs first."""
        machines = [machine for machine in self.by_machine if machine != PREDICTED]
        return sorted(machines, key=lambda machine: machine == CPU)

    @property
    def gpu(self) -> str | None:
        """The GPU that claims are judged by: one's own, else the reference's; of several that with most records."""
        gpus = [machine for machine in self.measured if machine != CPU]
        return min(gpus, key=lambda gpu: (gpu in self.borrowed, -len(self.by_machine[gpu])), default=None)

    @property
    def shown(self) -> list[str]:
        """The machines that tables have a column of: those that have measured, and a GPU at any rate."""
        return self.measured if self.gpu is not None else [ANY_GPU, *self.measured]

    def of(self, machine: str, probe: Probe) -> ProbeRecord | None:
        """A machine's record of a probe."""
        return self.by_machine.get(machine, {}).get(probe)

    def title(self, machine: str) -> str:
        """A machine as tables name it."""
        name = {CPU: "CPU", PREDICTED: "Predicted"}.get(machine, machine)
        return f"{name} (reference)" if machine in self.borrowed else name

    def value(self, machine: str, probe: Probe, name: str) -> Any:
        """A value of a record's result; None where there is no record, no result or no such value in it."""
        record = self.of(machine, probe)
        return None if record is None or record.result is None else record.result.get(name)


def _by_machine(records: list[ProbeRecord]) -> dict[str, dict[Probe, ProbeRecord]]:
    found: dict[str, dict[Probe, ProbeRecord]] = {}
    for record in records:
        found.setdefault(record.machine, {})[record.probe] = record
    return found
