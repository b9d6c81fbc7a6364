"""Verdicts on claims, worked out from our records and from the paper's own tables."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import pandas as pd

from benchmarks.claims.measures import Interval, measure
from benchmarks.claims.outcomes import Outcome, Verdict, outcomes_of
from benchmarks.claims.schema import Claim
from benchmarks.claims.sides import Side, our_side, paper_side, prediction_side
from benchmarks.claims.wording import (
    comparison_text,
    differing_columns,
    interval_text,
    limit_text,
    missing_text,
    number_text,
    unit_of,
    words_of,
)

VERDICT_COLUMNS = [
    *("claim", "subject", "text", "where"),
    *("verdict", "numbers", "interval", "limit"),
    *("verdict_published", "numbers_published", "limit_published", "explanation"),
    *("verdict_ablations", "numbers_ablations", "interval_ablations", "limit_ablations"),
]
COMPARISON_COLUMNS = [
    *("claim", "judged_by", "verdict", "dataset", "comparison", "value", "low", "high"),
    *("at_least", "at_most", "unit", "reason"),
]

NOT_JUDGED = "our records agree by definition and are not judged"


def judge(
    claims: Sequence[Claim],
    ours: pd.DataFrame,
    published: Mapping[str, pd.DataFrame],
    failures: pd.DataFrame | None = None,
    unmeasured: Mapping[str, str] = {},
    predicted: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Judge every claim by our records and by the paper's own tables.

    A claim states that all its comparisons lie within limits. It `holds` if the 95 % interval of each comparison does.
    This needs no correction for the number of comparisons: a false claim has a comparison beyond its limit and is
    accepted only if the interval of that comparison misses the truth (an intersection-union test; Berger 1982). A claim
    `does not hold` if a single interval lies beyond its limit. Since each further comparison is another chance of
    error, these intervals are wider, so that all intervals of the claim cover the truth jointly in 95 % of studies.
    Otherwise the claim is `undecided`. Nothing is corrected for the number of claims. `benchmarks.report.simulation`
    shows how often each kind of error occurs. The interval returned is the one that decided.

    `benchmarks.claims.measures.measure` defines the intervals. A number without one, such as a score of one seed,
    decides nothing. The paper's numbers are taken as printed: they are the best of three runs, ours are means over
    seeds.

    Args:
        claims: the claims.
        ours: rows of `benchmarks.report.summary.summarise`, of one or more tables; may be empty. The columns of
            `Setting` distinguish records of one model. `glioma` stands for BraTS and `liver` for LiTS. The column
            `scores`, if there is one, holds `benchmarks.report.statistics.Scores` or nothing. Exact numbers, such as
            those of memory, have `low` and `high` equal to `value`.
        published: the frames of `benchmarks.names.read_published`, by table.
        failures: runs without scores, with columns table, dataset, model, reason and those of `Setting`. A column that
            is absent or empty stands for any value. May be empty.
        unmeasured: reason why we have no numbers of a quantity, by quantity.
        predicted: predicted numbers, with the columns of `ours`. They are given where a claim is not measured, and
            decide nothing.

    Returns:
        One row per claim, in the order given, with `VERDICT_COLUMNS`, all text, and `comparisons`. `numbers` describes
        the comparison with the smallest margin among those that decide; for a claim that is not measured, what is
        missing and why. `interval` and `limit` are those of this comparison. `explanation` has the numbers of
        `Claim.beside`. The columns of ablations are the verdict by `Claim.ablations`, empty for a claim without such
        tests. `comparisons` is a list of mappings with the keys `COMPARISON_COLUMNS`, one per comparison;
        `judged_by` is `ours`, `paper`, `prediction` or `ablations`.

    Raises:
        UserError: two of our records are of the same number, such as those of two profiles.
    """
    us, paper = our_side(ours, failures, unmeasured), paper_side(published)
    prediction = prediction_side(predicted)
    rows = []
    for claim in claims:
        of_us = _Judgement(Verdict.BY_DEFINITION, NOT_JUDGED) if claim.by_definition else _judge_by(us, claim)
        if of_us.verdict == Verdict.NOT_MEASURED:
            of_us = _with_prediction(of_us, _judge_by(prediction, claim))
        of_paper = _judge_by(paper, claim)
        explanation, explaining = _explanation(claim, us)
        of_ablations = _NONE
        if claim.ablations:
            of_ablations = _judge_by(us._replace(name="ablations"), replace(claim, tests=claim.ablations))
        rows.append(
            (
                *(claim.id, claim.subject, claim.text, claim.where),
                *(of_us.verdict.value, of_us.numbers, of_us.interval, of_us.limit),
                *(of_paper.verdict.value, of_paper.numbers, of_paper.limit, explanation),
                of_ablations.verdict.value if claim.ablations else "",
                *(of_ablations.numbers, of_ablations.interval, of_ablations.limit),
                [*of_us.comparisons, *explaining, *of_paper.comparisons, *of_ablations.comparisons],
            )
        )
    return pd.DataFrame(rows, columns=[*VERDICT_COLUMNS, "comparisons"])


class _Judgement(NamedTuple):
    """The verdict on a claim by one side, in the texts of `VERDICT_COLUMNS`, with all comparisons."""

    verdict: Verdict
    numbers: str
    interval: str = ""
    limit: str = ""
    comparisons: Sequence[Mapping[str, Any]] = ()


_NONE = _Judgement(Verdict.NOT_MEASURED, "")


def _judge_by(side: Side, claim: Claim) -> _Judgement:
    outcomes = outcomes_of(claim, side)
    verdict = next(verdict for verdict in Verdict if any(outcome.verdict == verdict for outcome in outcomes))
    deciding = sorted((one for one in outcomes if one.verdict == verdict), key=lambda one: one.margin)
    worst = deciding[0]
    unit = unit_of(worst.kind, worst.group)
    limit = limit_text(worst.limits, unit)
    comparisons = [_entry(claim, side, one) for one in outcomes]
    if worst.measured is None:
        return _Judgement(verdict, _missing(deciding), limit=limit, comparisons=comparisons)
    numbers = number_text(worst.measured.value, unit)
    if len(outcomes) > 1:
        count = len(deciding)
        counts = {Verdict.FAILS: f", {count} beyond the limit", Verdict.UNDECIDED: f", {count} undecided"}
        numbers += f" (worst of {len(outcomes)}{counts.get(verdict, '')})"
    differing = differing_columns([row for one in outcomes if one.measured is not None for row in one.group])
    if comparison := comparison_text(worst.kind, worst.group, differing):
        numbers += f": {comparison}"
    return _Judgement(verdict, numbers, interval_text(worst.measured), limit, comparisons)


def _missing(outcomes: Sequence[Outcome]) -> str:
    """Return a text with the first missing number for each reason, and how many more are missing for that reason."""
    by_reason: dict[str, list[str]] = {}
    for one in outcomes:
        text = "; ".join(map(missing_text, one.group))
        texts = by_reason.setdefault(one.reason, [])
        if text not in texts:
            texts.append(text)
    return "; ".join(
        f"{reason}: {texts[0]}" + (f"; and {len(texts) - 1} more" if len(texts) > 1 else "")
        for reason, texts in by_reason.items()
    )


def _with_prediction(judgement: _Judgement, predicted: _Judgement) -> _Judgement:
    """Add what is predicted to a claim that is not measured."""
    if predicted.verdict == Verdict.NOT_MEASURED:
        return judgement
    reasons = "; ".join(dict.fromkeys(one["reason"] for one in judgement.comparisons if one["reason"]))
    return judgement._replace(
        numbers=f"{reasons}; predicted {predicted.numbers}",
        limit=predicted.limit,
        comparisons=[*judgement.comparisons, *predicted.comparisons],
    )


def _explanation(claim: Claim, side: Side) -> tuple[str, list[Mapping[str, Any]]]:
    """Return the numbers that explain a claim's verdict, as a text and as entries of `comparisons`."""
    rows = side.select({**claim.on, **claim.beside})[0] if claim.beside else []
    texts: list[str] = []
    entries: list[Mapping[str, Any]] = []
    for row in rows:
        measured = measure("value", (row,))
        number = number_text(measured.value, unit_of("value", (row,)))
        texts.append(f"{comparison_text('value', (row,), words_of(row))} {number} {interval_text(measured)}".strip())
        entry = _entry(claim, side, Outcome(Verdict.UNDECIDED, "value", (row,), (-math.inf, math.inf), measured))
        entries.append({**entry, "verdict": ""})
    return "; ".join(texts), entries


def _entry(claim: Claim, side: Side, outcome: Outcome) -> Mapping[str, Any]:
    """Return a comparison with the keys `COMPARISON_COLUMNS`; NaN stands for a number that is not known."""
    first = outcome.group[0]
    numbers = outcome.measured or Interval(math.nan, math.nan, math.nan)
    if outcome.measured is None:
        comparison = "; ".join(map(missing_text, outcome.group))
    else:
        comparison = comparison_text(outcome.kind, outcome.group, words_of(first).keys() - {"dataset"})
    ends = (numbers.low, numbers.high, *outcome.limits)
    values = (
        *(claim.id, side.name, outcome.verdict.value, first.get("source", first.get("dataset", "")), comparison),
        *(numbers.value, *(end if math.isfinite(end) else math.nan for end in ends)),
        *(unit_of(outcome.kind, outcome.group), outcome.reason),
    )
    return dict(zip(COMPARISON_COLUMNS, values, strict=True))
