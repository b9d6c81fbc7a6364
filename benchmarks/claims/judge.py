"""What our records and the paper's own tables say of each claim: no verdict is written down, all are worked out."""

import itertools
import math
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple, get_args

import pandas as pd

from benchmarks.claims.schema import (
    Claim,
    Column,
    Comparison,
    Interval,
    Kind,
    Row,
    Selection,
    Setting,
    fits,
    measure,
    select,
)
from benchmarks.markup import power_of_two
from benchmarks.names import MODEL_NAMES, PAPER_DATASETS, PAPER_NAMES, STAND_INS
from benchmarks.report.statistics import Scores
from ossnet.errors import UserError
from ossnet.evaluation.quantities import QUANTITIES

ROUNDING = 1e-9
"""Slack at every limit: decimal fractions are not exact in binary, and a limit itself is allowed."""

SHOWN = 3
"""As many comparisons of one data set a verdict tells, and counts the others. Of what is missing it names one."""

VERDICT_COLUMNS = [
    *("claim", "subject", "text", "where"),
    *("verdict", "numbers", "verdict_published", "numbers_published"),
]

PAPER_LACKS = "not in the paper's tables"
NOT_JUDGED = "our records cannot but agree, and are not judged"


class Verdict(StrEnum):
    """Of several comparisons, the first verdict in this order is the claim's; the last is no comparison's."""

    FAILS = "does not hold"
    NOT_MEASURED = "not measured"
    UNDECIDED = "undecided"
    HOLDS = "holds"
    BY_DEFINITION = "by definition"


def judge(
    claims: Sequence[Claim],
    ours: pd.DataFrame,
    published: Mapping[str, pd.DataFrame],
    failures: pd.DataFrame | None = None,
    unmeasured: Mapping[str, str] = {},
) -> pd.DataFrame:
    """Judge every claim by our records and by the paper's own tables.

    A claim says of all its comparisons that they lie within limits. It `holds` if the interval of 95 % of each of them
    does. That needs no correction for their number: a false claim has a comparison beyond its limit, and is accepted
    only if that one's own interval errs (an intersection-union test; Berger 1982). It `does not hold` if a single
    interval lies beyond its limit; there are as many chances to err as comparisons, so these intervals are wider, for
    all of the claim to hold the truth at once in 95 % of studies. Else it is `undecided`. There is no correction over
    claims. `benchmarks.report.simulation` shows how often either error is made. The interval that is told is the one
    that decided.

    What an interval is, `benchmarks.claims.schema.measure` says. A record without one, such as a score of one seed,
    decides nothing. The paper's numbers are taken as printed: they are the best of three runs, ours are means over
    seeds.

    Args:
        ours: rows of `benchmarks.report.summary.summarise`, of one or more tables; may be empty. Columns of `Setting`
            tell records of one model apart. `glioma` stands for BraTS and `liver` for LiTS. The column `scores`, if
            there, holds `benchmarks.report.statistics.Scores` or nothing. Exact numbers, such as those of memory, have
            `low` and `high` equal to `value`.
        published: what `read_published` gives, by the table's name.
        failures: runs without scores: columns table, dataset, model, reason and those of `Setting`. A column that is
            absent or empty stands for any value. May be empty.
        unmeasured: by quantity, why we have no number of it and what would give one.

    Returns:
        One row a claim, in their order, with `VERDICT_COLUMNS`, all text. `numbers` are the comparisons that decide,
        those furthest beyond their limit first; of a claim that holds, the one closest to its limit; of one that is
        not measured, what is missing and why. A claim that our records agree with by definition has no verdict by them.

    Raises:
        UserError: two of our records answer the same question, such as those of two profiles.
    """
    failed = [] if failures is None or failures.empty else _rows(_under_paper_names(failures))
    reasons = [{**row, "reason": f"run failed ({row['reason']})"} for row in failed]
    us = _Side(_our_rows(ours), unmeasured, reasons, "not run")
    numbers = [row for table in published.values() for row in _paper_rows(table)]
    notes = [{**row, "reason": f"{PAPER_LACKS} ({row['note']})"} for row in numbers if row.get("note")]
    paper = _Side(numbers, {}, notes, PAPER_LACKS)
    rows = [
        (
            *(claim.id, claim.subject, claim.text, claim.where),
            *((Verdict.BY_DEFINITION.value, NOT_JUDGED) if claim.by_definition else _verdict(claim, us, False)),
            *_verdict(claim, paper, True),
        )
        for claim in claims
    ]
    return pd.DataFrame(rows, columns=VERDICT_COLUMNS)


class _Side(NamedTuple):
    """Our records or the paper's numbers, and why some are missing: by quantity, by rows and for all others."""

    rows: Sequence[Row]
    by_quantity: Mapping[str, str]
    reasons: Sequence[Row]
    otherwise: str

    def select(self, selection: Selection) -> tuple[list[Row], list[Row]]:
        return select([row for row in self.rows if "value" in row], selection)

    def why_missing(self, wanted: Row) -> str:
        if wanted.get("quantity") in self.by_quantity:
            return self.by_quantity[wanted["quantity"]]
        for known in self.reasons:
            if all(column not in known or fits(known[column], value) for column, value in wanted.items()):
                return str(known["reason"])
        if any(all(fits(row.get(column), value) for column, value in wanted.items()) for row in self.rows):
            return "no valid score"
        return self.otherwise


class _Outcome(NamedTuple):
    """Of one comparison or one missing number. `about` is the data set or the reason, `text` the rest."""

    verdict: Verdict
    about: str
    text: str
    asked: str = ""
    margin: float = 0.0


def _under_paper_names(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(source=frame["dataset"], dataset=frame["dataset"].replace(PAPER_DATASETS))


def _paper_rows(frame: pd.DataFrame) -> list[Row]:
    return _rows(frame.assign(low=frame["value"], high=frame["value"], source=frame["dataset"]))


def _our_rows(frame: pd.DataFrame) -> list[Row]:
    if frame.empty:
        return []
    frame = _under_paper_names(frame)
    twice = frame[frame.duplicated([column for column in get_args(Column) if column in frame and column != "unit"])]
    if len(twice):
        row = twice.iloc[0]
        raise UserError(
            f"two records of {row['quantity']} for model {row['model']} in the place of {row['dataset']}; "
            "give those of one profile, data set and protocol"
        )
    return _rows(frame)


def _rows(frame: pd.DataFrame) -> list[Row]:
    return [
        {column: value for column, value in row.items() if isinstance(value, Scores) or not pd.isna(value)}
        for row in frame.to_dict("records")
    ]


def _verdict(claim: Claim, side: _Side, published: bool) -> tuple[str, str]:
    compared = [(test, *_compared(test, claim.on, side)) for test in claim.tests]
    number = max(1, sum(len(groups) for _, groups, _ in compared))
    outcomes = [missing for _, _, absent in compared for missing in absent]
    outcomes += [_measured(test, group, published, number) for test, groups, _ in compared for group in groups]
    verdict = next(verdict for verdict in Verdict if any(outcome.verdict == verdict for outcome in outcomes))
    deciding = sorted((one for one in outcomes if one.verdict == verdict), key=lambda one: one.margin)
    count = ""
    if len(outcomes) > 1 and verdict == Verdict.HOLDS:
        count, deciding = f"closest of {len(outcomes)}: ", deciding[:1]
    elif len(outcomes) > 1 and verdict != Verdict.NOT_MEASURED:
        count = f"{len(deciding)} of {len(outcomes)}: "
    alike = len({one.asked for one in deciding}) == 1
    texts: dict[str, list[str]] = {}
    for one in deciding:
        texts.setdefault(one.about, []).append(one.text if alike else one.text + one.asked)
    shown = 1 if verdict == Verdict.NOT_MEASURED else SHOWN
    numbers = "; ".join(f"{about}: {_shortened(of, shown)}" for about, of in texts.items())
    return verdict.value, count + numbers + (deciding[0].asked if alike else "") + _beside(claim, side)


def _beside(claim: Claim, side: _Side) -> str:
    """Give the numbers that a claim shows with its verdict, of the data sets that it is about."""
    if not claim.beside:
        return ""
    rows, _ = side.select({**claim.on, **claim.beside})
    return "".join(f"; {_formula('value', (row,), measure('value', (row,)))}" for row in rows)


def _shortened(texts: Sequence[str], shown: int) -> str:
    texts = list(dict.fromkeys(texts))
    return "; ".join([*texts[:shown], f"and {len(texts) - shown} more"] if len(texts) > shown else texts)


def _compared(test: Comparison, on: Selection, side: _Side) -> tuple[list[tuple[Row, ...]], list[_Outcome]]:
    """The numbers of each measure that the test makes, and an outcome for each that it lacks."""
    of, absent = side.select({**on, **test.of})
    groups: list[tuple[Row, ...]] = [(row,) for row in of]
    if test.kind == "spread":
        groups = [tuple(of)] if len(of) > 1 and not absent else []
    elif test.to:
        to, absent_from_to = side.select({**on, **test.to})
        absent += absent_from_to
        groups = [
            (row, other)
            for row, other in itertools.product(of, to)
            if row is not other and all(row.get(column) == other.get(column) for column in test.same)
        ]
    missing = [_Outcome(Verdict.NOT_MEASURED, side.why_missing(wanted), _what(wanted)) for wanted in absent]
    if not absent and not groups:
        alike = f" of the same {' and '.join(test.same)}" if test.same else ""
        missing = [_Outcome(Verdict.NOT_MEASURED, f"nothing to compare with{alike}", "; ".join(map(_what, of)))]
    return groups, missing


def _measured(test: Comparison, group: Sequence[Row], published: bool, comparisons: int) -> _Outcome:
    """The outcome of one of so many comparisons of a claim."""
    source = group[0]["source"]
    stand_in = f" (stand-in for {STAND_INS[source]})" if source in STAND_INS else ""
    about = f"{PAPER_NAMES.get(source, source)}{stand_in}"
    for condition in ("profile", "protocol", "unit"):
        values = {str(row.get(condition) or "none") for row in group}
        if len(values) > 1:
            differ = f"not of one {condition} ({', '.join(sorted(values))})"
            return _Outcome(Verdict.NOT_MEASURED, differ, "; ".join(map(_what, group)))
    lowest, highest = test.limits(published)
    alone = measure(test.kind, group)
    if lowest - ROUNDING <= alone.low and alone.high <= highest + ROUNDING:
        verdict, decisive = Verdict.HOLDS, alone
    else:
        decisive = measure(test.kind, group, comparisons)
        beyond = decisive.high < lowest - ROUNDING or decisive.low > highest + ROUNDING
        verdict = Verdict.FAILS if beyond else Verdict.UNDECIDED
    margin = min(decisive.low - lowest, highest - decisive.high)
    return _Outcome(verdict, about, _formula(test.kind, group, decisive), f"; asked {_asked(lowest, highest)}", margin)


def _asked(lowest: float, highest: float) -> str:
    if math.isinf(highest):
        return f"at least {lowest:g}"
    return f"at most {highest:g}" if math.isinf(lowest) else f"{lowest:g} to {highest:g}"


WORDS = {
    "sampling": "{} sampling",
    "extraction": "{} extraction",
    "resolution": "{} voxels",
    "slices": "{:.0f} slice(s) at a time",
}
SIGNS = {"value": "", "difference": " − ", "ratio": " / ", "spread": " vs "}
RESULTS = {"difference": "", "ratio": "", "spread": ": largest − smallest"}


def _words(row: Row) -> dict[str, str]:
    """What tells a record, or a selected one that is missing, from others, by column."""
    words = {}
    if "quantity" in row:
        quantity = row["quantity"]
        words["quantity"] = QUANTITIES[quantity].name if quantity in QUANTITIES else quantity.replace("_", " ")
    if "model" in row:
        words["model"] = MODEL_NAMES.get(row["model"], row["model"])
    for setting in get_args(Setting):
        if setting == "locations" and setting in row:
            drawn = f" ({row['drawn']:.0f} drawn)" if row.get("drawn", row[setting]) != row[setting] else ""
            words[setting] = f"{power_of_two(int(row[setting]))} locations{drawn}"
        elif setting in row:
            words[setting] = WORDS[setting].format(row[setting])
    return words


def _what(row: Row) -> str:
    where = f" on {PAPER_NAMES.get(row['dataset'], row['dataset'])}" if "dataset" in row else ""
    return ", ".join(_words(row).values()) + where


def _formula(kind: Kind, group: Sequence[Row], result: Interval) -> str:
    """What the parts have in common, the numbers by what tells them apart, and the result."""
    words = [_words(row) for row in group]
    common = {column for column in words[0] if all(of.get(column) == words[0][column] for of in words)}
    units = [f" {row['unit']}" if row.get("unit") else "" for row in group]
    parts = [
        " ".join([*(word for column, word in of.items() if column not in common), f"{row['value']:.4g}{unit}"])
        for of, row, unit in zip(words, group, units, strict=True)
    ]
    formula = f"{', '.join(words[0][column] for column in words[0] if column in common)}: {SIGNS[kind].join(parts)}"
    if kind in RESULTS:
        formula += f"{RESULTS[kind]} = {result.value:.4g}{'' if kind == 'ratio' else units[0]}"
    if math.isinf(result.low) or math.isinf(result.high):
        return f"{formula} (no interval known)"
    return formula + (f" [{result.low:.4g}, {result.high:.4g}]" if result.low < result.high else "")
