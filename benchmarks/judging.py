"""What our records and the paper's own tables say of each claim: no verdict is written down, all are worked out."""

import itertools
import math
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple, get_args

import pandas as pd

from benchmarks.claims import Claim, Column, Comparison, Selection, Setting
from benchmarks.markup import Cell, Grid, markdown
from benchmarks.tables import MODEL_NAMES, PAPER_DATASETS, STAND_INS
from ossnet.errors import UserError
from ossnet.files import write_text
from ossnet.quantities import QUANTITIES

ROUNDING = 1e-9
"""Slack at every limit: decimal fractions are not exact in binary, and a limit itself is allowed."""

SHOWN = 3
"""As many comparisons, and as many missing numbers, a verdict names; it counts the others."""

VERDICT_COLUMNS = ["claim", "text", "where", "verdict", "numbers", "verdict_published", "numbers_published"]


class Verdict(StrEnum):
    """Of several comparisons, the first verdict in this order is the claim's."""

    FAILS = "does not hold"
    NOT_MEASURED = "not measured"
    UNDECIDED = "undecided"
    HOLDS = "holds"


def judge(claims: Sequence[Claim], ours: pd.DataFrame, published: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Judge every claim by our records and by the paper's own tables.

    Each record is an interval from `low` to `high`. A difference or ratio takes the ends that lie furthest apart, which
    is cautious: runs are not paired. A claim is `undecided` where such an interval reaches over a limit. A record
    without `low` or `high` decides nothing, nor does a score whose `low` equals its `high`, since one run has no
    spread. The paper's numbers are taken as printed.

    Args:
        ours: rows in the columns of `benchmarks.tables.COLUMNS`; further columns, of `Setting`, tell records of one
            model apart. `glioma` stands for BraTS and `liver` for LiTS. May be empty.
        published: what `read_published` gives, by the table's name.

    Returns:
        One row a claim, in their order, with `VERDICT_COLUMNS`, all text. `numbers` are the comparisons that decide,
        those furthest beyond their limit first; of a claim that holds, the one closest to its limit.

    Raises:
        UserError: two of our records answer the same question, such as those of two profiles.
    """
    records = _our_rows(ours)
    paper = [row for table in published.values() for row in _paper_rows(table)]
    rows = [
        (claim.id, claim.text, claim.where, *_verdict(claim, records, False), *_verdict(claim, paper, True))
        for claim in claims
    ]
    return pd.DataFrame(rows, columns=VERDICT_COLUMNS)


def write_claims(frame: pd.DataFrame, stem: str | Path) -> None:
    """Write what `judge` gives as `stem`.csv and `stem`.md, each whole or not at all.

    Raises:
        UserError: a file cannot be written.
    """
    stand_ins = " and ".join(f"{name} for {paper}" for name, paper in STAND_INS.items())
    counts = "; ".join(
        f"{whose}, " + ", ".join(f"{verdict} {(frame[column] == verdict).sum()}" for verdict in Verdict)
        for whose, column in (("our records", "verdict"), ("the paper's own tables", "verdict_published"))
    )
    caption = (
        f"{len(frame)} claims of the paper (Reich et al., BMVC 2021). Verdicts by {counts}. "
        f"Synthetic data stand in for the paper's, {stand_ins}: a verdict by them is about the method on those data. "
        "Brackets after our numbers give their spread."
    )
    head = ["Claim", "Statement", "Where", "By our records", "Our numbers", "By the paper's tables", "Its numbers"]
    cells = [[Cell(text) for text in row] for row in frame[VERDICT_COLUMNS].itertuples(index=False, name=None)]
    write_text(f"{stem}.csv", frame.to_csv(index=False, lineterminator="\n"))
    write_text(f"{stem}.md", markdown(Grid(caption, head, cells)) + "\n")


Row = Mapping[Hashable, Any]
"""A record: only the columns in which it has a value. `source` is its data set, `dataset` the paper's."""


class _Interval(NamedTuple):
    value: float
    low: float
    high: float

    def __str__(self) -> str:
        if math.isinf(self.low) or math.isinf(self.high):
            return f"{self.value:.4g} (no spread known)"
        return f"{self.value:.4g}" + (f" ({self.low:.4g} to {self.high:.4g})" if self.low < self.high else "")


class _Outcome(NamedTuple):
    verdict: Verdict
    text: str
    margin: float = 0.0


def _paper_rows(frame: pd.DataFrame) -> list[Row]:
    return _rows(frame.assign(low=frame["value"], high=frame["value"], source=frame["dataset"]))


def _our_rows(frame: pd.DataFrame) -> list[Row]:
    if frame.empty:
        return []
    frame = frame.assign(source=frame["dataset"], dataset=frame["dataset"].replace(PAPER_DATASETS))
    twice = frame[frame.duplicated([column for column in get_args(Column) if column in frame and column != "unit"])]
    if len(twice):
        row = twice.iloc[0]
        raise UserError(
            f"two records of {row['quantity']} for model {row['model']} in the place of {row['dataset']}; "
            "give those of one profile, data set and protocol"
        )
    one_run = frame["quantity"].isin(list(QUANTITIES)) & (frame["low"] == frame["high"])
    return _rows(frame.assign(low=frame["low"].mask(one_run), high=frame["high"].mask(one_run)))


def _rows(frame: pd.DataFrame) -> list[Row]:
    return [{column: value for column, value in row.items() if not pd.isna(value)} for row in frame.to_dict("records")]


def _verdict(claim: Claim, rows: Sequence[Row], published: bool) -> tuple[str, str]:
    outcomes = [outcome for test in claim.tests for outcome in _outcomes(test, claim.on, rows, published)]
    verdict = next(verdict for verdict in Verdict if any(outcome.verdict == verdict for outcome in outcomes))
    deciding = sorted((one for one in outcomes if one.verdict == verdict), key=lambda one: one.margin)
    if len(outcomes) == 1:
        count = ""
    elif verdict == Verdict.HOLDS:
        count, deciding = f"closest of {len(outcomes)}: ", deciding[:1]
    else:
        count = f"{len(deciding)} of {len(outcomes)}: "
    return verdict.value, count + "; ".join(_shortened([one.text for one in deciding]))


def _shortened(texts: Sequence[str]) -> list[str]:
    return [*texts[:SHOWN], f"and {len(texts) - SHOWN} more"] if len(texts) > SHOWN else list(texts)


def _outcomes(test: Comparison, on: Selection, rows: Sequence[Row], published: bool) -> Iterator[_Outcome]:
    """One for each measure that the test makes, and one for what it lacks."""
    of, absent = _select(rows, {**on, **test.of})
    groups: list[tuple[Row, ...]] = [(row,) for row in of]
    if test.kind == "spread":
        groups = [tuple(of)] if len(of) > 1 and not absent else []
    elif test.to:
        to, absent_from_to = _select(rows, {**on, **test.to})
        absent += absent_from_to
        groups = [
            (row, other)
            for row, other in itertools.product(of, to)
            if row is not other and all(row.get(column) == other.get(column) for column in test.same)
        ]
    if absent or not groups:
        nothing = "not in the paper's tables" if published else "no record"
        yield _Outcome(Verdict.NOT_MEASURED, f"{nothing}: {'; '.join(_shortened(absent)) or 'nothing to compare with'}")
    yield from (_measured(test, group, published) for group in groups)


def _select(rows: Sequence[Row], selection: Selection) -> tuple[list[Row], list[str]]:
    """The rows of a selection that have a value, and each combination that has none, in words."""
    chosen, absent = [], []
    for values in itertools.product(*selection.values()):
        wanted = dict(zip(selection, values, strict=True))
        fitting = [row for row in rows if all(_fits(row.get(column), value) for column, value in wanted.items())]
        valued = [row for row in fitting if "value" in row]
        chosen += valued
        if not valued:
            notes = {f" ({row['note']})" for row in fitting if row.get("note")}
            absent.append(", ".join(map(str, values)) + "".join(sorted(notes)))
    return chosen, absent


def _fits(value: object, wanted: str | int) -> bool:
    return value == wanted or (isinstance(value, str) and isinstance(wanted, str) and fnmatchcase(value, wanted))


def _measured(test: Comparison, group: Sequence[Row], published: bool) -> _Outcome:
    numbers = [_interval(row) for row in group]
    labels = [f"{_name(row)} {number}" for row, number in zip(group, numbers, strict=True)]
    source = group[0]["source"]
    stand_in = f" (stand-in for {STAND_INS[source]})" if source in STAND_INS else ""
    text = f"{source}{stand_in}: {SIGNS[test.kind].join(labels)}"
    for condition in ("profile", "protocol", "unit"):
        values = {str(row.get(condition) or "none") for row in group}
        if len(values) > 1:
            return _Outcome(Verdict.NOT_MEASURED, f"{text}: not of one {condition} ({', '.join(sorted(values))})")
    _, low, high = measure = MEASURES[test.kind](numbers)
    lowest, highest = test.limits(published)
    margin = min(low - lowest, highest - high) + ROUNDING
    if margin >= 0:
        verdict = Verdict.HOLDS
    elif high < lowest - ROUNDING or low > highest + ROUNDING:
        verdict = Verdict.FAILS
    else:
        verdict = Verdict.UNDECIDED
    result = "" if test.kind == "value" else f" = {measure}"
    return _Outcome(verdict, f"{text}{result}; asked {_asked(lowest, highest)}", margin)


def _asked(lowest: float, highest: float) -> str:
    if math.isinf(highest):
        return f"at least {lowest:g}"
    return f"at most {highest:g}" if math.isinf(lowest) else f"{lowest:g} to {highest:g}"


def _interval(row: Row) -> _Interval:
    known = "low" in row and "high" in row
    return _Interval(row["value"], *((row["low"], row["high"]) if known else (-math.inf, math.inf)))


def _difference(pair: Sequence[_Interval]) -> _Interval:
    first, second = pair
    return _Interval(first.value - second.value, first.low - second.high, first.high - second.low)


def _ratio(pair: Sequence[_Interval]) -> _Interval:
    """Of positive numbers; where the second may be 0, the ratio may be anything."""
    first, second = pair
    value = first.value / second.value if second.value else math.nan
    if second.low <= 0 or math.isinf(second.high):
        return _Interval(value, -math.inf, math.inf)
    return _Interval(value, first.low / second.high, first.high / second.low)


def _spread(intervals: Sequence[_Interval]) -> _Interval:
    values, lows, highs = zip(*intervals, strict=True)
    return _Interval(max(values) - min(values), max(0.0, max(lows) - min(highs)), max(highs) - min(lows))


MEASURES: dict[str, Callable[[Sequence[_Interval]], _Interval]] = {
    "value": lambda intervals: intervals[0],
    "difference": _difference,
    "ratio": _ratio,
    "spread": _spread,
}
SIGNS = {"value": "", "difference": " − ", "ratio": " / ", "spread": ", "}


def _name(row: Row) -> str:
    quantity = QUANTITIES[row["quantity"]].name if row["quantity"] in QUANTITIES else row["quantity"].replace("_", " ")
    settings = [row[column] for column in get_args(Setting) if column in row]
    texts = [setting if isinstance(setting, str) else f"{setting:.0f} locations" for setting in settings]
    return f"{quantity} of {MODEL_NAMES.get(row['model'], row['model'])}" + (f" [{', '.join(texts)}]" if texts else "")
