"""The table of costs: Dice, memory and time of each row of a study."""

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.layout import Layout, Row
from benchmarks.markup import NOTHING, Cell, Table, interval, latex, markdown, span
from benchmarks.names import GROUP, source_text
from benchmarks.probes.records import GIGABYTE
from benchmarks.report.caveats import Caveats
from benchmarks.report.run_costs import COSTS, PHASES, costs_of
from benchmarks.report.score_records import Records, failures_of
from benchmarks.report.score_table import failed_rows, status_text
from benchmarks.report.summary import group_keys
from benchmarks.report.table_notes import join_notes
from ossnet.files import write_text

NOT_RECORDED = Cell("not recorded")

DICE = ["dice", "dice_low", "dice_high"]

NOTES = (
    "The table gives medians over seeds; memory is the peak of training or of segmentation, in GB of 10⁹ bytes",
    "Tensors: on a GPU as torch counts them, validation included; on a CPU as the suite's accounting counts them, for "
    "training in a single step without validation and without the batch that is prepared ahead, for segmentation in "
    "the case with the most voxels",
    "Reserved: memory held by torch's allocator of a GPU",
    "Process: on a GPU, its memory in use by the process as NVML reports it; on a CPU, the resident set, which "
    "includes Python and its libraries and, in segmentation, what an earlier training in the same process has left",
    "Training: seconds of all epochs over all attempts, validation included",
    "Learned from: the number of locations or voxels whose labels were compared with predictions in training, counted "
    "every time",
    "Segmentation: seconds per case",
)

HEADS = {
    "training_allocated_bytes": "Training memory: tensors (GB)",
    "training_reserved_bytes": "Training memory: reserved (GB)",
    "training_process": "Training memory: process (GB)",
    "segmentation_allocated_bytes": "Segmentation memory: tensors (GB)",
    "segmentation_reserved_bytes": "Segmentation memory: reserved (GB)",
    "segmentation_process": "Segmentation memory: process (GB)",
    "training_s": "Training (s)",
    "steps": "Steps",
    "seen": "Learned from",
    "segmentation_s": "Segmentation (s)",
}

RESERVED = ("training_reserved_bytes", "segmentation_reserved_bytes")
"""Columns that are shown only if a run used a GPU."""


def cost_columns(layout: Layout) -> list[str]:
    """Return the columns of the CSV file, which has a row for each row of the table."""
    return ["table", *GROUP, *layout.columns, *DICE, *COSTS, "seeds", "devices"]


def summarise_costs(records: Sequence[Records], numbers: pd.DataFrame, layout: Layout) -> pd.DataFrame:
    """Return `cost_columns(layout)`: Dice as in the study's table, and the median over seeds of each of `COSTS`.

    Args:
        records: the records of the study.
        numbers: the numbers of the study's table, from `benchmarks.report.summary.summarise`.
        layout: the layout of the study's table.
    """
    others = [column for column in layout.columns if column != "model"]
    costs = costs_of(records, others)
    keys = [*GROUP, *layout.columns]
    medians = costs.groupby(keys, sort=False)[COSTS].median()
    by_row = costs.groupby(keys, sort=False)
    medians["seeds"] = by_row["seed"].nunique()
    medians["devices"] = by_row["device"].agg(lambda devices: "; ".join(sorted({name for name in devices if name})))
    dice = numbers[numbers["quantity"] == "dice"].set_index(keys)[["value", "low", "high"]]
    dice.columns = pd.Index(DICE)
    joined = medians.join(dice).reset_index().assign(table=f"{layout.table}-cost")
    return joined[cost_columns(layout)]


def write_costs(
    records: Sequence[Records],
    numbers: pd.DataFrame,
    stem: str | Path,
    layout: Layout,
    caveats: Caveats | None = None,
) -> None:
    """Write `stem`-cost.csv, .md and .tex.

    Args:
        records: the records of the study.
        numbers: the numbers of the study's table, from `benchmarks.report.summary.summarise`.
        stem: the path of the study's table without its ending.
        layout: the layout of the study's table.
        caveats: further notes.

    Raises:
        UserError: a file cannot be written.
    """
    costs = summarise_costs(records, numbers, layout)
    failed = failed_rows(failures_of(records), layout)
    tables = [
        _table(
            costs[(costs[GROUP] == list(key)).all(axis=1)],
            key,
            layout,
            failed.get(key[:2], {}),
            (caveats or {}).get(key, ()),
        )
        for key in group_keys(costs)
    ]
    write_text(f"{stem}-cost.csv", costs.to_csv(index=False, lineterminator="\n"))
    write_text(f"{stem}-cost.md", "\n\n".join(map(markdown, tables)) + "\n")
    write_text(f"{stem}-cost.tex", "\n\n".join(map(latex, tables)) + "\n")


def _table(
    costs: pd.DataFrame,
    key: tuple[str, str, str],
    layout: Layout,
    failed: Mapping[Row, Mapping[int, str]],
    caveats: Sequence[str],
) -> Table:
    by_row = {tuple(row[name] for name in layout.columns): row for row in costs.to_dict("records")}
    layout = layout.for_rows([*by_row, *failed])
    hidden = {name for name in RESERVED if costs[name].isna().all()}
    heads = {name: head for name, head in HEADS.items() if name not in hidden}
    cells, status = [], []
    for row in layout.arrange({*by_row, *failed}):
        found = by_row.get(row)
        numbers = [NOTHING] * (len(heads) + 2) if found is None else _cells(found, heads)
        cells.append([*map(Cell, layout.label(row)), *numbers])
        status.append(Cell(status_text(found is not None, failed.get(row, {}))))
    head = [*layout.shown, "Dice ↑", *heads.values(), "Seeds"]
    if any(cell.text for cell in status):
        head, cells = [*head, "Status"], [[*of_row, cell] for of_row, cell in zip(cells, status, strict=True)]
    devices = sorted({name for text in costs["devices"] for name in text.split("; ") if name})
    made_on = [f"Made on: {'; '.join(devices)}"] if devices else []
    caption = f"{layout.title}: accuracy and its cost. {source_text(*key)}; seeds: {span(costs['seeds'])}."
    return Table(caption, head, cells, join_notes([*NOTES, *made_on, *caveats]))


def _cells(found: Mapping[Any, Any], heads: Iterable[str]) -> list[Cell]:
    dice, low, high = (found[name] for name in DICE)
    on_gpu = not math.isnan(found["training_reserved_bytes"])
    kind = "process" if on_gpu else "resident"
    memory = {name: found[name] for name in HEADS if name.endswith("_bytes")}
    memory |= {f"{phase}_process": found[f"{phase}_{kind}_bytes"] for phase in PHASES}
    texts = {name: _text(count / GIGABYTE, ".3f") for name, count in memory.items()}
    texts |= {"training_s": _text(found["training_s"], ".0f"), "steps": _text(found["steps"], ".0f")}
    texts |= {"segmentation_s": _text(found["segmentation_s"], ".2f"), "seen": _seen(found)}
    # A run on a CPU reserves nothing, so nothing is missing.
    missing = {name: NOT_RECORDED if on_gpu or name not in RESERVED else NOTHING for name in heads}
    numbers = [Cell(texts[name]) if texts[name] else missing[name] for name in heads]
    detail = "" if math.isnan(low) else interval(low, high, ".3f")
    score = NOTHING if math.isnan(dice) else Cell(f"{dice:.3f}", detail=detail)
    return [score, *numbers, Cell(str(found["seeds"]))]


def _text(number: float, form: str) -> str:
    return "" if math.isnan(number) else f"{number:{form}}"


def _seen(found: Mapping[Any, Any]) -> str:
    counts = {unit: found[f"{unit}_seen"] for unit in ("locations", "voxels")}
    return next((f"{count:.2e} {unit}" for unit, count in counts.items() if not math.isnan(count)), "")
