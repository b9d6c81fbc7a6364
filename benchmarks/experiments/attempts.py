"""Attempts at a run or a training: the processes that were at work on a folder, recorded in its `provenance.json`.

The file holds `attempts`, each with the values of `benchmarks.machine.provenance.provenance`, the time at which it
`started`, its `seconds` and its peaks of `memory`; the sum of their `seconds`; `timing`, the seconds of parts of the
work; and `memory`, the highest of their peaks. It is written when an attempt begins and after each part of its work, so
that the record of an attempt that is killed holds all parts that it finished.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch

from benchmarks.machine.peak_memory import Peaks, highest
from benchmarks.machine.provenance import provenance
from benchmarks.runs.run_folder import read_json, write_json


@dataclass
class Attempt:
    """One process's work on a folder, which is recorded from its construction on.

    Args:
        folder: folder of a run or a training, whose lock the process holds.
        command: command that the user typed.
        device: device of the work.
    """

    folder: Path
    command: str
    device: torch.device
    _start: float = field(default_factory=time.monotonic)
    _values: dict[str, Any] = field(default_factory=dict)
    _before: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        path = self.folder / "provenance.json"
        self._before = read_json(path)["attempts"] if path.exists() else []
        self._values = {"started": datetime.now(UTC).isoformat(timespec="seconds")}
        self._values |= provenance(self.command, self.device)
        self.record({})

    def record(self, timing: Mapping[str, float], memory: Peaks = MappingProxyType({})) -> None:
        """Write the attempt's record.

        Args:
            timing: seconds of parts of the work, by name, over all attempts.
            memory: peaks of this attempt.
        """
        self._values |= {"seconds": time.monotonic() - self._start, "memory": dict(memory)}
        attempts = [*self._before, self._values]
        values = {
            "attempts": attempts,
            "seconds": sum(attempt["seconds"] for attempt in attempts),
            "timing": dict(timing),
            "memory": highest(attempt.get("memory", {}) for attempt in attempts),
        }
        write_json(self.folder / "provenance.json", values)
