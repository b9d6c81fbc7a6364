"""From records of memory and time to tables: what `collect` does for these studies, and every run at its end."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.collecting import REFERENCE
from benchmarks.efficiency.answers import Answers
from benchmarks.efficiency.cells import GIGABYTE
from benchmarks.efficiency.curve_tables import figure5_grids, figure6_grids, scaling_grids
from benchmarks.efficiency.memory_table import table3_grids
from benchmarks.efficiency.probe import Probe
from benchmarks.efficiency.records import ProbeRecord
from benchmarks.efficiency.study import EfficiencyStudy
from benchmarks.efficiency.table3 import published_memory
from benchmarks.markup import Grid, latex, markdown
from ossnet.files import write_text

LAYOUTS: dict[str, Callable[[Answers], Sequence[Grid]]] = {
    "table3": table3_grids,
    "figure5": figure5_grids,
    "figure6": figure6_grids,
    "scaling": scaling_grids,
}
"""Of each study the tables that its records make."""


def collect_efficiency(studies: Sequence[EfficiencyStudy], results: Path, with_reference: bool = True) -> list[Path]:
    """Write `results/tables/STUDY`.md, .csv and .tex of each study that has records there; the Markdown files.

    Beside them stand the committed reference's records, unless they are left out, of machines that have none there.

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
    """Write a study's tables as `stem`.md and `stem`.tex, and every record as `stem`.csv, each whole or not at all.

    Raises:
        UserError: a file cannot be written.
    """
    grids = LAYOUTS[study](answers)
    write_text(f"{stem}.md", "\n\n".join(map(markdown, grids)) + "\n")
    write_text(f"{stem}.tex", "\n\n".join(map(latex, grids)) + "\n")
    write_text(f"{stem}.csv", frame_of(answers).to_csv(index=False, lineterminator="\n"))


def frame_of(answers: Answers) -> pd.DataFrame:
    """One row a record.

    Columns: `machine` (`predicted`, `cpu` or a GPU's name), `reference` (whether the record is the reference's), the
    fields of `Probe`, `published_gb` where the paper's Table 3 has the number, `failure`; memory in GB of 10^9 bytes,
    of the predicted peak also by part (`part_NAME_gb`); times in seconds, see `ProbeRecord`.
    """
    published = {number.probe: number.gigabytes for number in published_memory()}
    rows = [
        {"machine": machine, "reference": machine in answers.borrowed, **_row(record, published)}
        for machine, records in answers.by_machine.items()
        for record in records.values()
    ]
    return pd.DataFrame(rows)


def _row(record: ProbeRecord, published: Mapping[Probe, float | None]) -> dict[str, Any]:
    probe, result = record.probe, dict(record.result or {})
    row = {**probe.plain(), "shape": probe.resolution, "published_gb": published.get(probe), "failure": record.failure}
    memory = {name: taken for name, taken in result.items() if name.endswith("_bytes") and taken is not None}
    row |= {f"{name.removesuffix('_bytes')}_gb": taken / GIGABYTE for name, taken in memory.items()}
    row |= {f"part_{part}_gb": taken / GIGABYTE for part, taken in result.get("by_part", {}).items()}
    row |= {f"{stage}_s": taken for stage, taken in result.get("stages", {}).items()}
    row |= {name: json.dumps(result[name]) for name in ("seconds", "evaluated") if name in result}
    single = ("median_s", "low_s", "high_s", "flops", "matmul_share", "locations_per_s")
    return row | {name: result[name] for name in single if name in result}
