"""Attempts at a run or a training: `provenance.json` tells of each process that was at work on a folder.

It holds `attempts`, each with what `benchmarks.machine.provenance.provenance` tells, when it `started`, its `seconds`
and its peaks of `memory`; the sum of their `seconds`; `timing`, the seconds of parts of the work; and `memory`, the
highest of their peaks. It is written when an attempt begins, and again
after each of its parts, so that of an attempt that is killed what it did until then is known.
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
    """One process's work on a folder; made, it is on record.

    Args:
        folder: of a run or a training, whose lock the process holds.
        command: that asked for it.
        device: that it is made on.
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
        """Write what has been done so far, and the peaks of this attempt's memory."""
        self._values |= {"seconds": time.monotonic() - self._start, "memory": dict(memory)}
        attempts = [*self._before, self._values]
        values = {
            "attempts": attempts,
            "seconds": sum(attempt["seconds"] for attempt in attempts),
            "timing": dict(timing),
            "memory": highest(attempt.get("memory", {}) for attempt in attempts),
        }
        write_json(self.folder / "provenance.json", values)
