"""Records of memory and time: one file a study and machine, one line of JSON a probe.

`results/efficiency/STUDY-MACHINE.jsonl`; MACHINE is `predicted`, `cpu` or the GPU's name, as `nvidia-h100-80gb-hbm3`.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.efficiency.probe import Probe
from ossnet.errors import UserError
from ossnet.files import write_text

PREDICTED = "predicted"
CPU = "cpu"
FOLDER = "efficiency"
"""Of a results folder."""

SCHEMA_VERSION = 1
"""Raised whenever the same probe would come to another result; records of another version are not read."""


@dataclass(frozen=True)
class ProbeRecord:
    """What a probe came to.

    Attributes:
        machine: `predicted`, `cpu`, or the GPU's name as its driver tells it.
        result: of memory: `allocated_bytes` and `reserved_bytes`, the most that tensors took and that torch's allocator
            held; where predicted also `by_part`, bytes of the peak by part; where measured, of the process
            `process_bytes` (GPU: by NVML; CPU: peak resident set) and of the GPU `device_bytes`. Of runtime: `seconds`,
            one a repeat; `median_s`, `low_s` and `high_s`, see `benchmarks.timing`; `flops` and
            `matmul_share`; of an extraction also `evaluated`, locations by stage, `locations_per_s` and `stages`,
            seconds of encoder, gather, decoder and bookkeeping. None where it failed.
        failure: `OOM`, or a sentence; None where it did not fail.
        provenance: see `benchmarks.provenance`.
    """

    study: str
    probe: Probe
    machine: str
    result: Mapping[str, Any] | None
    failure: str | None
    provenance: Mapping[str, Any]


def write_records(records: Sequence[ProbeRecord], results: Path) -> None:
    """Write the records of one study and machine, whole or not at all."""
    first = records[0]
    rows = [
        {
            "schema_version": SCHEMA_VERSION,
            "study": record.study,
            "machine": record.machine,
            "probe": record.probe.plain(),
            "result": record.result,
            "failure": record.failure,
            "provenance": record.provenance,
        }
        for record in records
    ]
    text = "".join(json.dumps(row, sort_keys=True, allow_nan=False) + "\n" for row in rows)
    write_text(results / FOLDER / f"{first.study}-{slug(first.machine)}.jsonl", text)


def read_records(results: Path, studies: Iterable[str]) -> list[ProbeRecord]:
    """All records of some studies in a results folder, by study and machine; none where there is no folder.

    Raises:
        UserError: a file cannot be read.
    """
    found = []
    for study in studies:
        for path in sorted((results / FOLDER).glob(f"{study}-*.jsonl")):
            try:
                rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
                found += [_record(row) for row in rows if row["schema_version"] == SCHEMA_VERSION]
            except (OSError, ValueError, KeyError, TypeError) as error:
                raise UserError(f"{path} holds no records ({error}); delete it and run the study again") from error
    return found


def slug(machine: str) -> str:
    """A machine's name as a part of a file's."""
    return re.sub(r"[^a-z0-9]+", "-", machine.lower()).strip("-")


def _record(row: Mapping[str, Any]) -> ProbeRecord:
    probe = dict(row["probe"])
    height, width, depth = probe.pop("shape")
    return ProbeRecord(
        row["study"],
        Probe(shape=(height, width, depth), **probe),
        row["machine"],
        row["result"],
        row["failure"],
        row["provenance"],
    )
