"""Tables of the studies of memory and runtime, written from their records."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.markup import Table, latex, markdown
from benchmarks.probes.answers import Answers
from benchmarks.probes.limits import LIMITS
from benchmarks.probes.published import published_gigabytes
from benchmarks.probes.records import GIGABYTE, ProbeRecord
from benchmarks.workload import Probe
from ossnet.files import write_text

BYTES = (
    *("allocated_bytes", "reserved_bytes", "process_bytes", "resident_before_bytes"),
    *("device_bytes", "device_bytes_before"),
)
LISTS = ("seconds", "evaluated", "largest_error", "differing_voxels")
SINGLE = (
    *("process_source", "median_s", "low_s", "high_s", "flops", "matmul_share", "locations_per_s", "wall_s", "cpu_s"),
    *("steps", "steps_s", "waiting_share"),
)
"""Parts of a result that are columns, in addition to the parts of the peak and the stages."""


def write_tables(tables: Sequence[Table], stem: Path) -> None:
    """Write tables as `stem`.md and `stem`.tex, each whole or not at all.

    Raises:
        UserError: a file cannot be written.
    """
    write_text(f"{stem}.md", "\n\n".join(map(markdown, tables)) + "\n")
    write_text(f"{stem}.tex", "\n\n".join(map(latex, tables)) + "\n")


def write_probe_records(answers: Answers, stem: Path) -> None:
    """Write every record as a row of `stem`.csv, whole or not at all.

    Raises:
        UserError: the file cannot be written.
    """
    write_text(f"{stem}.csv", frame_of(answers).to_csv(index=False, lineterminator="\n"))


def frame_of(answers: Answers) -> pd.DataFrame:
    """Return one row per record, with every column that some record has.

    The columns are `machine` (`predicted`, `cpu` or a GPU's name); `reference`, whether the record is the reference's;
    the fields of `Probe`, with the shape as `256x256x160`, and with `classes` only if a record has more than two;
    `published_gb`, the number of the paper's Table 3 for the same model, volume and phase, whatever the implementation;
    and `failure`. Memory is in GB of 10^9 bytes:
    `allocated_gb`, `reserved_gb`, `process_gb`, `resident_before_gb`, `device_gb`, `device_before_gb`, and
    `part_NAME_gb` for the parts of the peak; `process_source` and `wall_s` belong to it. Runtime has `seconds` and
    `evaluated` as JSON, `median_s`, `low_s`, `high_s`, `flops`, `matmul_share`, `locations_per_s`, and `STAGE_s` for
    the stages. A comparison has `seconds`, `evaluated`, `largest_error` and `differing_voxels` by way, as JSON. A
    command has `wall_s`, `cpu_s`, `process_gb`, `resident_before_gb` and, of a training, `steps`, `steps_s` and
    `waiting_share`; `limit_NAME` is the limit of `NAME`, see `benchmarks.probes.limits`.
    `benchmarks.probes.records.ProbeRecord` explains them.
    """
    published = published_gigabytes()
    rows = [
        {"machine": machine, "reference": machine in answers.from_reference, **_row(record, published)}
        for machine, records in answers.by_machine.items()
        for record in records.values()
    ]
    frame = pd.DataFrame(rows)
    if "classes" in frame:
        frame["classes"] = frame["classes"].fillna(2).astype(int)
    return frame


def _row(record: ProbeRecord, published: Mapping[Probe, float | None]) -> dict[str, Any]:
    probe = record.probe
    number = published.get(replace(probe, implementation="suite"))
    row = {**probe.plain(), "shape": probe.resolution, "published_gb": number, "failure": record.failure}
    result = {name: value for name, value in (record.result or {}).items() if value is not None}
    row |= _in_gigabytes({name: result[name] for name in BYTES if name in result})
    row |= {f"part_{part}_gb": taken / GIGABYTE for part, taken in result.get("by_part", {}).items()}
    row |= {f"{stage}_s": taken for stage, taken in result.get("stages", {}).items()}
    row |= {name: json.dumps(result[name]) for name in LISTS if name in result}
    row |= {name: result[name] for name in SINGLE if name in result}
    return row | {f"limit_{name}": limit for name, limit in _in_gigabytes(LIMITS.get(probe, {})).items()}


def _in_gigabytes(values: Mapping[str, float]) -> dict[str, float]:
    """Return values by the names of their columns, with those that are bytes in GB."""
    in_gigabytes = {f"{name.replace('_bytes', '')}_gb": values[name] / GIGABYTE for name in values if name in BYTES}
    return in_gigabytes | {name: value for name, value in values.items() if name not in BYTES}
