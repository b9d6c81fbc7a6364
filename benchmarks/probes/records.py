"""Records of memory and runtime: one file per study and machine, with one line of JSON per probe.

The files are `results/efficiency/STUDY-MACHINE.jsonl`, where MACHINE is `predicted`, `cpu` or the name of a GPU, such
as `nvidia-h100-80gb-hbm3`.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NotRequired, TypedDict

from benchmarks.probes.json_types import check_type
from benchmarks.workload import Probe
from ossnet.errors import UserError
from ossnet.files import write_text

PREDICTED = "predicted"
CPU = "cpu"
GIGABYTE = 10**9

IDLE_BYTES = 2 * 10**9
"""Bytes of an idle GPU's memory that may be in use; more is attributed to other processes.

The driver counts what it keeps for itself as in use: on large cards more than half a gigabyte.
"""

FOLDER = "efficiency"
"""Folder of the records in a results folder."""

SCHEMA_VERSIONS = {"memory": 5, "runtime": 1, "comparison": 1, "command": 1}
"""Version of records by the probe's quantity. Records of another version are not read.

It is raised whenever the same probe would have another result, except by a change of speed.
"""


class MemoryResult(TypedDict):
    """Result of a probe of memory, in bytes: see `ProbeRecord`."""

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
    """Result of a probe of runtime: see `ProbeRecord`."""

    seconds: NotRequired[list[float]]
    median_s: float
    low_s: float | None
    high_s: float | None
    flops: NotRequired[float | None]
    matmul_share: NotRequired[float | None]
    evaluated: NotRequired[list[int] | None]
    locations_per_s: NotRequired[float | None]
    stages: NotRequired[dict[str, float] | None]


class ComparisonResult(TypedDict):
    """Result of a comparison: see `ProbeRecord`."""

    seconds: dict[str, list[float]]
    largest_error: NotRequired[dict[str, float]]
    evaluated: NotRequired[dict[str, list[int]]]
    differing_voxels: NotRequired[dict[str, int]]


class CommandResult(TypedDict):
    """Result of a command: see `ProbeRecord`."""

    wall_s: float
    cpu_s: float
    process_bytes: float
    resident_before_bytes: float
    steps: NotRequired[int]
    steps_s: NotRequired[float]
    waiting_share: NotRequired[float]


RESULTS = {
    "memory": MemoryResult,
    "runtime": RuntimeResult,
    "comparison": ComparisonResult,
    "command": CommandResult,
}
"""Type of the result by the probe's quantity, as far as tables and figures read it; a result may hold more."""


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
    """Provenance that records of the machine `cpu` must have."""

    cpu: _Cpu


class _Versioned(TypedDict):
    schema_version: int


class _Row(TypedDict):
    """Line of a file."""

    study: str
    machine: str
    probe: Probe
    result: dict[str, object] | None
    failure: str | None
    provenance: _Provenance


@dataclass(frozen=True)
class ProbeRecord:
    """Outcome of a probe on a machine, with a result or a failure.

    The result of a probe of memory has the peaks

    - `allocated_bytes` and `reserved_bytes`: bytes of all tensors, and bytes that torch's allocator held;
    - `by_part`, if predicted or on a CPU: bytes of the peak by part;
    - `process_bytes`, if measured in a process of its own (see `Prober`): bytes of the process, on a GPU by NVML, on a
      CPU its peak resident set;
    - `process_source`: `process` if NVML reported `process_bytes`, `device` if it is the difference of the next two;
    - `device_bytes` and `device_bytes_before`: bytes of the GPU in use by all processes, and by others before the model
      was made;
    - `resident_before_bytes`, on a CPU: bytes of the process before the model was made;
    - `wall_s`, on a CPU: seconds of the step, with the making of its model and the accounting.

    The result of a probe of runtime has

    - `seconds`: duration of each repeat;
    - `median_s`, `low_s` and `high_s`: median and its interval, see `benchmarks.machine.timing`;
    - `flops`: number of floating-point operations;
    - `matmul_share`: achieved share of the rate of matrix products, which may exceed 1 on a GPU, see
      `benchmarks.machine.timing.matmul_rate`;
    - `evaluated` and `locations_per_s`, of an extraction: number of evaluated locations by stage, and their rate;
    - `stages`, of an extraction by an octree: seconds of encoder, gather, decoder and bookkeeping.

    The result of a comparison has, by way of doing the work (see `benchmarks.probes.comparison`),

    - `seconds`: duration of the work in each round;
    - `largest_error`, of a decoder: largest difference of a probability from that of the way `plain`;
    - `evaluated` and `differing_voxels`, of an extraction: number of evaluated locations by stage, and number of voxels
      whose label is not the closed form's.

    The result of a command has

    - `wall_s` and `cpu_s`: its duration, and the seconds of all CPU cores together in the meantime, without the start
      of Python and the import of torch;
    - `process_bytes` and `resident_before_bytes`: peak resident set of its process, and the size before the command;
    - `steps` and `steps_s`, of a training: number of steps, and their duration;
    - `waiting_share`, of a training: part of `steps_s` in which it waited for cases, see
      `ossnet.training.loop.EpochReport`.

    Attributes:
        study: name of the study.
        probe: the probe.
        machine: `predicted`, `cpu`, or the GPU's name as its driver reports it.
        result: values by name; None for a failure.
        failure: `OOM` for a lack of memory, or a sentence; None for a result.
        provenance: see `benchmarks.machine.provenance`; of a GPU also `used_bytes`, bytes of its memory in use before
            the first measurement.
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
    """Return the records of studies in a results folder, by study and machine; none if there is no folder.

    Raises:
        UserError: a file cannot be read, or a line of it is not a record; the message names the line.
    """
    paths = [path for study in studies for path in sorted((results / FOLDER).glob(f"{study}-*.jsonl"))]
    return [record for path in paths for record in _read(path)]


def used_by_others(provenance: Mapping[str, Any]) -> int:
    """Return the bytes of a GPU's memory that others used before the first measurement.

    They are 0 if they are unknown, or few enough to be the driver's own.
    """
    used_bytes: int = provenance.get("used_bytes") or 0
    return used_bytes if used_bytes > IDLE_BYTES else 0


def slug(machine: str) -> str:
    """Return a machine's name as part of a file name."""
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
            remedy = f"delete line {number} of {path} and run the study again"
            raise UserError(f"{path}, line {number}: {error}; {remedy}") from error
    return found


def _parse(line: bytes) -> dict[str, Any]:
    """Parse a row; raise a ValueError if it is not JSON or has no version."""
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON ({error.msg} at character {error.pos + 1})") from error
    check_type(row, _Versioned, "record")
    checked: dict[str, Any] = row
    return checked


def _is_current(row: Mapping[str, Any]) -> bool:
    """Return whether a row has the current version; without a valid probe, which `_record` reports, any will do."""
    probe = row.get("probe")
    quantity = str(probe.get("quantity")) if isinstance(probe, dict) else None
    versions = [SCHEMA_VERSIONS[quantity]] if quantity in SCHEMA_VERSIONS else SCHEMA_VERSIONS.values()
    return row["schema_version"] in versions


def _record(row: Mapping[str, Any]) -> ProbeRecord:
    """Return the record of a row; raise a ValueError if it does not have the types that tables and figures expect."""
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
