"""The table of costs: memory and time of each row of a study beside its Dice."""

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.markup import NOTHING, Cell, Grid, latex, markdown, span
from benchmarks.names import GROUP, source_text
from benchmarks.probes.records import GIGABYTE
from benchmarks.report.caveats import Caveats, with_caveats
from benchmarks.report.costs import COSTS, PHASES, costs_of
from benchmarks.report.score_records import Records, failures_of
from benchmarks.report.score_table import failed_rows, group_keys, status_text
from benchmarks.study import Layout, Row
from ossnet.files import write_text

NOT_RECORDED = Cell("not recorded")

DICE = ["dice", "dice_low", "dice_high"]

NOTES = (
    "Medians over seeds; of memory the peaks, in 10⁹ bytes, of training and of segmentations. Tensors: on a GPU as "
    "torch counts them, validation included; on a CPU by the suite's accounting, of training in one bare step, without "
    "validation and without the batch that is prepared ahead, and of segmentation in the case of the most voxels. "
    "Reserved: by torch's allocator of a GPU. Process: on a GPU what it uses of that by NVML; on a CPU its resident "
    "set, with Python and its libraries, and in segmentation with what has stayed of a training in the same process. "
    "Training: seconds of all epochs, in however many attempts, validation included. Learned from: locations or voxels "
    "whose labels the training has compared with predictions, each time that it did. Segmentation: seconds for a case."
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
"""Shown only where there is one, of a GPU."""


def cost_columns(layout: Layout) -> list[str]:
    """The columns of a table's CSV file, with a row for each row of the table."""
    return ["table", *GROUP, *layout.columns, *DICE, *COSTS, "seeds", "devices"]


def summarise_costs(records: Sequence[Records], numbers: pd.DataFrame, layout: Layout) -> pd.DataFrame:
    """`cost_columns(layout)`: Dice as in the study's own table, and the median over seeds of each of `COSTS`.

    Args:
        numbers: of the study's own table, see `benchmarks.report.summary.summarise`.
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
        caveats: for the notes.

    Raises:
        UserError: a file cannot be written.
    """
    costs = summarise_costs(records, numbers, layout)
    failed = failed_rows(failures_of(records), layout)
    grids = [
        _grid(
            costs[(costs[GROUP] == list(key)).all(axis=1)],
            key,
            layout,
            failed.get(key[:2], {}),
            (caveats or {}).get(key, ()),
        )
        for key in group_keys(costs)
    ]
    write_text(f"{stem}-cost.csv", costs.to_csv(index=False, lineterminator="\n"))
    write_text(f"{stem}-cost.md", "\n\n".join(map(markdown, grids)) + "\n")
    write_text(f"{stem}-cost.tex", "\n\n".join(map(latex, grids)) + "\n")


def _grid(
    costs: pd.DataFrame,
    key: tuple[str, str, str],
    layout: Layout,
    failed: Mapping[Row, Mapping[int, str]],
    caveats: Sequence[str],
) -> Grid:
    by_row = {tuple(row[name] for name in layout.columns): row for row in costs.to_dict("records")}
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
    made_on = f" Made on: {'; '.join(devices)}." if devices else ""
    caption = f"{layout.title}: accuracy and its cost. {source_text(*key)}; seeds: {span(costs['seeds'])}."
    return Grid(caption, head, cells, with_caveats(NOTES + made_on, caveats))


def _cells(found: Mapping[Any, Any], heads: Iterable[str]) -> list[Cell]:
    dice, low, high = (found[name] for name in DICE)
    on_gpu = not math.isnan(found["training_reserved_bytes"])
    kind = "process" if on_gpu else "resident"
    memory = {name: found[name] for name in HEADS if name.endswith("_bytes")}
    memory |= {f"{phase}_process": found[f"{phase}_{kind}_bytes"] for phase in PHASES}
    texts = {name: _text(count / GIGABYTE, ".3f") for name, count in memory.items()}
    texts |= {"training_s": _text(found["training_s"], ".0f"), "steps": _text(found["steps"], ".0f")}
    texts |= {"segmentation_s": _text(found["segmentation_s"], ".2f"), "seen": _seen(found)}
    # Of a CPU nothing is reserved, however much is recorded.
    missing = {name: NOT_RECORDED if on_gpu or name not in RESERVED else NOTHING for name in heads}
    numbers = [Cell(texts[name]) if texts[name] else missing[name] for name in heads]
    interval = "" if math.isnan(low) else f"[{low:.3f}, {high:.3f}]"
    score = NOTHING if math.isnan(dice) else Cell(f"{dice:.3f}", detail=interval)
    return [score, *numbers, Cell(str(found["seeds"]))]


def _text(number: float, form: str) -> str:
    return "" if math.isnan(number) else f"{number:{form}}"


def _seen(found: Mapping[Any, Any]) -> str:
    counts = {unit: found[f"{unit}_seen"] for unit in ("locations", "voxels")}
    return next((f"{count:.2e} {unit}" for unit, count in counts.items() if not math.isnan(count)), "")
