"""The numbers, intervals and limits of verdicts as text."""

import math
from collections.abc import Collection, Iterable, Sequence
from typing import get_args

from benchmarks.claims.measures import Interval, Row
from benchmarks.claims.schema import Kind, Setting
from benchmarks.markup import interval, power_of_two, with_minus
from benchmarks.names import PAPER_NAMES, model_name
from ossnet.evaluation.quantities import COST_QUANTITIES, QUANTITIES

WORDS = {
    "sampling": "{} sampling",
    "extraction": "{} extraction",
    "resolution": "{} voxels",
    "slices": "{:.0f} slice(s) at a time",
    "change": "{}",
}
SIGNS: dict[Kind, str] = {"difference": " − ", "ratio": " / ", "spread": " vs "}

DIGITS = ".4g"


def words_of(row: Row) -> dict[str, str]:
    """Return the words for what identifies a number, or a selected one that is missing, by column."""
    words: dict[str, str] = {}
    if dataset := row.get("source", row.get("dataset")):
        words["dataset"] = PAPER_NAMES.get(str(dataset), str(dataset))
    if "quantity" in row:
        quantity = row["quantity"]
        # Memory and runtime, which are those of probes, have no capital letter within the words of a number.
        named = quantity in QUANTITIES and quantity not in COST_QUANTITIES
        words["quantity"] = QUANTITIES[quantity].name if named else quantity.replace("_", " ")
    # The name of a change says which network it is.
    if "model" in row and "change" not in row:
        words["model"] = model_name(str(row["model"]))
    for setting in get_args(Setting):
        if setting == "locations" and setting in row:
            drawn = f" ({row['drawn']:.0f} drawn)" if row.get("drawn", row[setting]) != row[setting] else ""
            words[setting] = f"{power_of_two(int(row[setting]))} locations{drawn}"
        elif setting in row:
            words[setting] = WORDS[setting].format(row[setting])
    return words


def differing_columns(rows: Iterable[Row]) -> set[str]:
    """Return the columns whose words are not the same for all rows."""
    words = [words_of(row) for row in rows]
    return {column for of in words for column in of if any(other.get(column) != of[column] for other in words)}


def missing_text(row: Row) -> str:
    """Describe a number that is missing, as `IoU, OSS-Net A on BraTS 2020`."""
    words = words_of(row)
    dataset = words.pop("dataset", None)
    return ", ".join(words.values()) + (f" on {dataset}" if dataset else "")


def unit_of(kind: Kind, group: Sequence[Row]) -> str:
    """Return the unit of a measure, empty for a ratio or a quantity without a unit."""
    return "" if kind == "ratio" else str(group[0].get("unit") or "")


def number_text(value: float, unit: str = "") -> str:
    """Return a number to four digits with its unit."""
    return with_minus(f"{value:{DIGITS}}") + (f" {unit}" if unit else "")


def comparison_text(kind: Kind, group: Sequence[Row], columns: Collection[str]) -> str:
    """Describe a measure: what its numbers share, then each number after what tells it apart.

    Args:
        kind: the measure.
        group: its numbers.
        columns: the columns of which the shared words are given.
    """
    words = [words_of(row) for row in group]
    shared = {column for column in words[0] if all(of.get(column) == words[0][column] for of in words)}
    parts = [word for column, word in words[0].items() if column in shared and column in columns]
    if kind != "value":
        operands = [
            " ".join([*(word for column, word in of.items() if column not in shared), _operand(row)])
            for of, row in zip(words, group, strict=True)
        ]
        parts.append(("largest − smallest of " if kind == "spread" else "") + SIGNS[kind].join(operands))
    return ", ".join(parts)


def interval_text(measured: Interval) -> str:
    """Return an interval as `[0.1, 0.3]`; empty for an exact number, `unknown` where there is none."""
    if math.isinf(measured.low) or math.isinf(measured.high):
        return "unknown"
    return with_minus(interval(measured.low, measured.high, DIGITS)) if measured.low < measured.high else ""


def limit_text(limits: tuple[float, float], unit: str) -> str:
    """Return limits as `≥ 0.1`, `≤ 16 GB` or `0.1 to 0.3`."""
    lowest, highest = limits
    if math.isinf(highest):
        text = f"≥ {lowest:g}"
    else:
        text = f"≤ {highest:g}" if math.isinf(lowest) else f"{lowest:g} to {highest:g}"
    return with_minus(text) + (f" {unit}" if unit else "")


def _operand(row: Row) -> str:
    return number_text(row["value"], row.get("unit") or "")
