"""Records of memory and time: one file a study and machine, one line of JSON a probe.

`results/efficiency/STUDY-MACHINE.jsonl`; MACHINE is `predicted`, `cpu` or the GPU's name, as `nvidia-h100-80gb-hbm3`.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NotRequired, TypedDict

from benchmarks.probes.json_types import check_type
from benchmarks.study import Probe
from ossnet.errors import UserError
from ossnet.files import write_text

PREDICTED = "predicted"
CPU = "cpu"
GIGABYTE = 10**9

IDLE_BYTES = 2 * 10**9
"""More than this of a GPU's memory in use before anything is measured is the work of others.

The driver counts what it keeps for itself as in use: on large cards more than half a gigabyte.
"""

FOLDER = "efficiency"
"""Of a results folder."""

SCHEMA_VERSIONS = {"memory": 3, "runtime": 1}
"""By the probe's quantity; raised whenever the same probe would come to another result, for another reason than speed.

Records of another version are not read."""


class MemoryResult(TypedDict):
    """What a probe of memory came to, in bytes: see `ProbeRecord`."""

    allocated_bytes: float
    reserved_bytes: NotRequired[float]
    by_part: NotRequired[dict[str, float]]
    process_bytes: NotRequired[float | None]
    process_source: NotRequired[str | None]
    resident_before_bytes: NotRequired[float | None]
    wall_s: NotRequired[float | None]
    device_bytes: NotRequired[float | None]
    device_bytes_before: NotRequired[float | None]


class RuntimeResult(TypedDict):
    """What a probe of runtime came to: see `ProbeRecord`."""

    seconds: NotRequired[list[float]]
    median_s: float
    low_s: float | None
    high_s: float | None
    flops: NotRequired[float | None]
    matmul_share: NotRequired[float | None]
    evaluated: NotRequired[list[int] | None]
    locations_per_s: NotRequired[float | None]
    stages: NotRequired[dict[str, float] | None]


RESULTS = {"memory": MemoryResult, "runtime": RuntimeResult}
"""By the probe's quantity; only what tables and figures read, and more may be there."""


class _Cpu(TypedDict):
    model: str
    torch_threads: int


class _Gpu(TypedDict):
    memory_bytes: NotRequired[int]


class _Provenance(TypedDict):
    cpu: NotRequired[_Cpu]
    gpu: NotRequired[_Gpu | None]
    used_bytes: NotRequired[int | None]


class _CpuProvenance(TypedDict):
    """What there must be of the machine `cpu`."""

    cpu: _Cpu


class _Versioned(TypedDict):
    schema_version: int


class _Row(TypedDict):
    """A line of a file."""

    study: str
    machine: str
    probe: Probe
    result: dict[str, object] | None
    failure: str | None
    provenance: _Provenance


@dataclass(frozen=True)
class ProbeRecord:
    """What a probe came to.

    Attributes:
        machine: `predicted`, `cpu`, or the GPU's name as its driver tells it.
        result: of memory: `allocated_bytes` and `reserved_bytes`, the most that tensors took and that torch's allocator
            held; where predicted, and on a CPU, also `by_part`, bytes of the peak by part; where measured in a process
            of its own (see `Prober`), of the process `process_bytes` (GPU: by NVML; CPU: peak resident set) and of the
            GPU `device_bytes`, in use by all, and `device_bytes_before`, by others before the model was made.
            On a CPU also `wall_s`, how long the step took with its model's making and the accounting.
            `process_source` is `process` where NVML told `process_bytes`, `device` where it is the difference of these
            two. Of runtime: `seconds`, one a repeat; `median_s`, `low_s` and `high_s`, see `benchmarks.machine.timing`;
            `flops` and, of the rate of matrix products, `matmul_share`, which may exceed 1 on a GPU (see
            `benchmarks.machine.timing.matmul_rate`); of an extraction also `evaluated`, locations by stage, and
            `locations_per_s`; of one by an octree `stages`, seconds of encoder, gather, decoder and bookkeeping. None
            where it failed.
        failure: `OOM`, or a sentence; None where it did not fail.
        provenance: see `benchmarks.machine.provenance`; of a GPU also `used_bytes` of its memory, before anything was
            measured.
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
            "schema_version": SCHEMA_VERSIONS[record.probe.quantity],
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
        UserError: a file cannot be read, or a line of it is no record; names the line.
    """
    paths = [path for study in studies for path in sorted((results / FOLDER).glob(f"{study}-*.jsonl"))]
    return [record for path in paths for record in _read(path)]


def used_by_others(provenance: Mapping[str, Any]) -> int:
    """Bytes of a GPU's memory in use before anything was measured; 0 where they are the driver's own, or not known."""
    used_bytes: int = provenance.get("used_bytes") or 0
    return used_bytes if used_bytes > IDLE_BYTES else 0


def slug(machine: str) -> str:
    """A machine's name as a part of a file's."""
    return re.sub(r"[^a-z0-9]+", "-", machine.lower()).strip("-")


def _read(path: Path) -> list[ProbeRecord]:
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    found = []
    for number, line in enumerate(lines, start=1):
        try:
            row = _parse(line)
            if _is_current(row):
                found.append(_record(row))
        except ValueError as error:
            mend = f"delete line {number} of {path} and run the study again"
            raise UserError(f"{path}, line {number}: {error}; {mend}") from error
    return found


def _parse(line: bytes) -> dict[str, Any]:
    """A row, of which only its version is checked. Raises ValueError where it is no JSON or has none."""
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON ({error.msg} at character {error.pos + 1})") from error
    check_type(row, _Versioned, "record")
    checked: dict[str, Any] = row
    return checked


def _is_current(row: Mapping[str, Any]) -> bool:
    """By its version; where its probe is none, which `_record` tells, any version of today's will do."""
    probe = row.get("probe")
    quantity = str(probe.get("quantity")) if isinstance(probe, dict) else None
    versions = [SCHEMA_VERSIONS[quantity]] if quantity in SCHEMA_VERSIONS else SCHEMA_VERSIONS.values()
    return row["schema_version"] in versions


def _record(row: Mapping[str, Any]) -> ProbeRecord:
    """Raises ValueError where the row is not of the types that tables and figures take it to be of."""
    check_type(row, _Row, "record")
    probe = Probe(**row["probe"] | {"shape": tuple(row["probe"]["shape"])})
    if probe.quantity not in RESULTS:
        raise ValueError(f"record.probe.quantity is {probe.quantity}, not one of {', '.join(RESULTS)}")
    if (row["result"] is None) == (row["failure"] is None):
        raise ValueError("record has both a result and a failure, or neither")
    if row["result"] is not None:
        check_type(row["result"], RESULTS[probe.quantity], "record.result")
    if row["machine"] == CPU:
        check_type(row["provenance"], _CpuProvenance, "record.provenance")
    return ProbeRecord(row["study"], probe, row["machine"], row["result"], row["failure"], row["provenance"])
