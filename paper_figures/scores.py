"""Scores of a study as figures show them, read from its records."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from benchmarks.markup import span
from benchmarks.names import GROUP, source_text
from benchmarks.report.cost_quantities import cost_values, with_costs
from benchmarks.report.score_records import failures_of, records_of, scores_of
from benchmarks.report.score_table import group_keys
from benchmarks.report.summary import summary_of
from benchmarks.study import Study


@dataclass(frozen=True, eq=False)
class Numbers:
    """The scores of one data set, profile and protocol.

    Attributes:
        key: data set, profile and protocol.
        rows: rows of `benchmarks.report.summary.summarise`: `value` is the mean over seeds and cases, `low` and `high`
            are the ends of its 95 % interval (NaN with one seed or case), `published` is the paper's number or NaN.
            `by_seed` is added: a list of each seed's mean over its valid cases, NaN without any. Rows of the costs that
            the study's layout shows are added, whose `value` is the median over seeds.
        failures: a row for each failed run, as `benchmarks.report.score_records.failures_of` returns it.
    """

    key: tuple[str, str, str]
    rows: pd.DataFrame
    failures: pd.DataFrame

    @property
    def title(self) -> str:
        """The origin of the numbers, and their numbers of seeds and cases."""
        return f"{source_text(*self.key)}; seeds: {span(self.rows['seeds'])}; cases: {span(self.rows['n'])}"

    def own(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Return those of some rows, such as costs, that are of this data set, profile and protocol."""
        return rows[(rows[GROUP] == list(self.key)).all(axis=1)]


def read_numbers(study: Study, folder: Path) -> dict[str, list[Numbers]]:
    """Return, by profile, the numbers of a study's records in a folder, sorted by data set and protocol.

    Left out are data sets and protocols without any of the study's quantities, as where the volume of false positives
    is the only one and every case has foreground.

    Raises:
        UserError: a file cannot be read.
    """
    records = records_of(study.layout, folder)
    scores = scores_of(records)
    if scores.empty:
        return {}
    on = [*GROUP, *study.layout.columns, "quantity"]
    means = scores.groupby([*on, "seed"])["value"].mean().reset_index()
    of_seeds = [part for part in (means, cost_values(records, study.layout)) if len(part)]
    by_seed = pd.concat(of_seeds).groupby(on)["value"].agg(list).rename("by_seed").reset_index()
    rows = with_costs(summary_of(study, scores), records, study.layout).merge(by_seed, on=on)
    failures = failures_of(records)
    by_profile: dict[str, list[Numbers]] = {}
    shown = rows[rows["quantity"].isin(study.layout.quantities or rows["quantity"])]
    for key in group_keys(shown):
        # A failed run has no protocol.
        failed = failures if failures.empty else _with(failures, GROUP[:2], key)
        by_profile.setdefault(key[1], []).append(Numbers(key, _with(rows, GROUP, key), failed))
    return by_profile


def read_own_numbers(study: Study, folder: Path) -> dict[str, list[Numbers]]:
    """Return the `read_numbers` of the layout's own rows, without those of models that stand in for the study's own.

    Raises:
        UserError: a file cannot be read.
    """
    by_profile = {}
    for profile, several in read_numbers(study, folder).items():
        rows_of = [(of, of.rows[list(study.layout.columns)].itertuples(index=False, name=None)) for of in several]
        own = [replace(of, rows=of.rows[[study.layout.has(row) for row in rows]]) for of, rows in rows_of]
        if any(len(of.rows) for of in own):
            by_profile[profile] = [of for of in own if len(of.rows)]
    return by_profile


def _with(frame: pd.DataFrame, columns: Sequence[str], values: Sequence[str]) -> pd.DataFrame:
    """Return the rows that have these values in these columns."""
    fitting = [frame[column] == value for column, value in zip(columns, values, strict=False)]
    return frame[pd.concat(fitting, axis=1).all(axis=1)]
