"""Tables of the studies of memory and runtime, written from their records."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.markup import Grid, latex, markdown
from benchmarks.names import REFERENCE
from benchmarks.probes.answers import Answers
from benchmarks.probes.records import GIGABYTE, ProbeRecord
from benchmarks.studies.curve_tables import figure5_grids, figure6_grids, scaling_grids
from benchmarks.studies.memory_table import table3_grids
from benchmarks.studies.table3 import published_gigabytes
from benchmarks.studies.whole_table import whole_grids
from benchmarks.study import EfficiencyStudy, Probe
from ossnet.files import write_text

LAYOUTS: dict[str, Callable[[Answers], Sequence[Grid]]] = {
    "table3": table3_grids,
    "figure5": figure5_grids,
    "figure6": figure6_grids,
    "scaling": scaling_grids,
    "whole": whole_grids,
}
"""The function that makes the tables of each study."""

BYTES = (
    *("allocated_bytes", "reserved_bytes", "process_bytes", "resident_before_bytes"),
    *("device_bytes", "device_bytes_before"),
)
LISTS = ("seconds", "evaluated")
SINGLE = ("process_source", "median_s", "low_s", "high_s", "flops", "matmul_share", "locations_per_s", "wall_s")
"""Parts of a result that are columns, in addition to the parts of the peak and the stages."""


def collect_efficiency(studies: Sequence[EfficiencyStudy], results: Path, with_reference: bool = True) -> list[Path]:
    """Write `results/tables/STUDY`.md, .csv and .tex of each study that has records there.

    Args:
        studies: the studies.
        results: the results folder.
        with_reference: whether to add the committed reference's records of machines that have none in `results`.

    Returns:
        The Markdown files.

    Raises:
        UserError: a file cannot be read or written.
    """
    tables = []
    for study in studies:
        answers = Answers.read(study.name, results, REFERENCE if with_reference else None)
        if any(machine not in answers.borrowed for machine in answers.by_machine):
            stem = results / "tables" / study.name
            write_tables(study.name, answers, stem)
            tables.append(stem.with_suffix(".md"))
    return tables


def write_tables(study: str, answers: Answers, stem: Path) -> None:
    """Write a study's tables as `stem`.md and `stem`.tex, and all records as `stem`.csv, each whole or not at all.

    Args:
        study: the study's name.
        answers: its records.
        stem: the path of the files without their endings.

    Raises:
        UserError: a file cannot be written.
    """
    grids = LAYOUTS[study](answers)
    write_text(f"{stem}.md", "\n\n".join(map(markdown, grids)) + "\n")
    write_text(f"{stem}.tex", "\n\n".join(map(latex, grids)) + "\n")
    write_text(f"{stem}.csv", frame_of(answers).to_csv(index=False, lineterminator="\n"))


def frame_of(answers: Answers) -> pd.DataFrame:
    """Return one row per record, with every column that some record has.

    The columns are `machine` (`predicted`, `cpu` or a GPU's name); `reference`, whether the record is the reference's;
    the fields of `Probe`, with the shape as `256x256x160`; `published_gb`, the number of the paper's Table 3 for the
    same model, volume and phase, whatever the implementation; and `failure`. Memory is in GB of 10^9 bytes:
    `allocated_gb`, `reserved_gb`, `process_gb`, `resident_before_gb`, `device_gb`, `device_before_gb`, and
    `part_NAME_gb` for the parts of the peak; `process_source` and `wall_s` belong to it. Runtime has `seconds` and
    `evaluated` as JSON, `median_s`, `low_s`, `high_s`, `flops`, `matmul_share`, `locations_per_s`, and `STAGE_s` for
    the stages. `benchmarks.probes.records.ProbeRecord` explains them.
    """
    published = published_gigabytes()
    rows = [
        {"machine": machine, "reference": machine in answers.borrowed, **_row(record, published)}
        for machine, records in answers.by_machine.items()
        for record in records.values()
    ]
    return pd.DataFrame(rows)


def _row(record: ProbeRecord, published: Mapping[Probe, float | None]) -> dict[str, Any]:
    probe = record.probe
    number = published.get(replace(probe, implementation="suite"))
    row = {**probe.plain(), "shape": probe.resolution, "published_gb": number, "failure": record.failure}
    result = {name: value for name, value in (record.result or {}).items() if value is not None}
    row |= {f"{name.replace('_bytes', '')}_gb": result[name] / GIGABYTE for name in BYTES if name in result}
    row |= {f"part_{part}_gb": taken / GIGABYTE for part, taken in result.get("by_part", {}).items()}
    row |= {f"{stage}_s": taken for stage, taken in result.get("stages", {}).items()}
    row |= {name: json.dumps(result[name]) for name in LISTS if name in result}
    return row | {name: result[name] for name in SINGLE if name in result}
