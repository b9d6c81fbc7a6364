"""The numbers of a table of scores, from the scores of single cases.

Departure: the paper reports the best of three runs. Here that is one column, next to the mean over seeds with its
interval.
"""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from benchmarks.layout import Layout, Row
from benchmarks.names import GROUP, PUBLISHED, read_published
from benchmarks.report.score_records import Records, scores_of
from benchmarks.report.statistics import best_of, describe
from benchmarks.study import Study
from ossnet.data.paper_datasets import PAPER_DATASETS
from ossnet.errors import UserError
from ossnet.evaluation.quantities import QUANTITIES

BEST_OF = 3
"""Number of runs of which the paper reports the best."""


@dataclass(frozen=True, eq=False)
class Group:
    """The scores of one data set, profile and protocol.

    Attributes:
        key: data set, profile and protocol.
        matrices: by (quantity, unit), the scores [seeds, cases] of each row of the table in the layout's order.
        trainings: an identifier of each row's trainings, equal for rows that score the same ones.
    """

    key: tuple[str, str, str]
    matrices: dict[tuple[str, str], dict[Row, pd.DataFrame]]
    trainings: dict[Row, Hashable]


def columns_of(layout: Layout) -> list[str]:
    """Return the columns of a table's CSV file, which has a row for each row of the table and quantity."""
    return [
        *("table", *GROUP, *layout.columns, "quantity", "unit", "value", "low", "high"),
        *("std_seeds", "std_cases", "best", "seeds", "n", "published", "reference"),
    ]


def group_keys(frame: pd.DataFrame) -> list[tuple[str, str, str]]:
    """Return the data sets, profiles and protocols of a frame, sorted."""
    return sorted(frame[GROUP].drop_duplicates().itertuples(index=False, name=None))


def groups(scores: pd.DataFrame, layout: Layout) -> Iterator[Group]:
    """Group scores by data set, profile and protocol.

    Raises:
        UserError: a case has two scores of one quantity for one row and seed.
    """
    if scores.empty:
        return
    scores = _with_units(scores)
    _refuse_duplicates(scores, layout)
    for key in group_keys(scores):
        of_group = scores[(scores[GROUP] == list(key)).all(axis=1)]
        levels: list[Hashable] = ["quantity", "unit", *layout.columns]
        wide = of_group.pivot(index=[*levels, "seed"], columns="case", values="value")
        found: dict[tuple[str, str], dict[Row, pd.DataFrame]] = {}
        for (quantity, unit, *values), block in wide.groupby(level=levels):
            found.setdefault((str(quantity), str(unit)), {})[tuple(values)] = block.droplevel(levels)
        # In the order of the records, which have the first of several models first.
        rows = list(dict.fromkeys(_keys(of_group, layout)))
        rows = layout.for_rows(rows).arrange(rows)
        matrices = {
            what: {row: found[what][row] for row in rows if row in found[what]}
            for what in sorted(found, key=lambda what: list(QUANTITIES).index(what[0]))
        }
        yield Group(key, matrices, _trainings(of_group, layout))


def summary_of(study: Study, scores: pd.DataFrame, reference: Sequence[Records] = ()) -> pd.DataFrame:
    """Return the numbers of a study's table with the paper's; see `summarise`."""
    return summarise(scores, read_published(PUBLISHED, study.name), study.layout, scores_of(reference))


def summarise(
    scores: pd.DataFrame, published: pd.DataFrame, layout: Layout, reference: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Return a row for each data set, profile, protocol, row of the table and quantity.

    Args:
        scores: one row per score, with columns dataset, profile, protocol, seed, case, quantity, value (NaN where a
            case has no valid score), unit, `layout.columns` and, where it is known, training (see
            `benchmarks.report.score_records.scores_of`). May be empty.
        published: rows of `read_published`. An embedded data set takes the numbers of the one that it stands in for.
        layout: the table's layout.
        reference: scores of the committed records, or None. `scores` itself counts as None.

    Returns:
        Exactly `columns_of(layout)` and `scores`. `value` is the mean over seeds of each seed's mean over its valid
        cases. `low` and `high` are its 95 % interval over seeds and cases (NaN with one seed or case). `std_seeds` and
        `std_cases` are the standard deviations of the seeds' means and of the cases' means. `best` is the mean of the
        best of `BEST_OF` seeds, or of all if they are fewer; for every quantity this is the seed of the highest IoU, by
        which the released code chooses epochs. `seeds` and `n` are the numbers of seeds and of cases with a valid
        score. `published` is the paper's number and `reference` the reference's `value`, or NaN.

        `scores` holds `benchmarks.report.statistics.Scores`, from which two rows, or two quantities of a row, can be
        compared case by case.

    Raises:
        UserError: a case has two scores of one quantity for one row and seed.
        ValueError: a quantity is not in `QUANTITIES`, or a row has two published numbers.
    """
    parts = [
        describe(matrices, group.trainings)
        .rename(columns={"mean": "value", "cases": "n"})
        .assign(
            table=layout.table,
            **dict(zip(GROUP, group.key, strict=True)),
            **{name: [row[place] for row in matrices] for place, name in enumerate(layout.columns)},
            quantity=quantity,
            unit=unit,
            best=[
                best_of(matrix, min(BEST_OF, len(matrix)), QUANTITIES[quantity].higher_is_better, picked_by.get(row))
                for row, matrix in matrices.items()
            ],
        )
        for group in groups(scores, layout)
        for picked_by in [group.matrices.get(("iou", ""), {})]
        for (quantity, unit), matrices in group.matrices.items()
    ]
    if not parts:
        return pd.DataFrame(columns=[*columns_of(layout), "scores"])
    rows = _with_published(pd.concat(parts, ignore_index=True), published, layout)
    rows = _with_reference(rows, None if reference is scores else reference, layout)
    # Within a group, by the table's rows and then by quantity.
    keys = _keys(rows, layout)
    order = {key: place for place, key in enumerate(layout.for_rows(keys).arrange(keys))}
    rows = rows.assign(place=[order[key] for key in _keys(rows, layout)])
    return rows.sort_values([*GROUP, "place"], kind="stable", ignore_index=True)[[*columns_of(layout), "scores"]]


def _trainings(scores: pd.DataFrame, layout: Layout) -> dict[Row, Hashable]:
    """Return an identifier of each row's trainings, by the layout alone where scores do not state their training."""
    keys = _keys(scores, layout)
    if "training" not in scores or scores["training"].isna().any():
        return {row: layout.training(row) for row in set(keys)}
    found: dict[Row, set[str]] = {}
    for row, training in set(zip(keys, scores["training"], strict=True)):
        found.setdefault(row, set()).add(training)
    return {row: frozenset(trainings) for row, trainings in found.items()}


def _with_units(scores: pd.DataFrame) -> pd.DataFrame:
    # A CSV column of empty texts only is read as numbers.
    return scores.astype({"unit": object}).fillna({"unit": ""})


def _refuse_duplicates(scores: pd.DataFrame, layout: Layout) -> None:
    twice = scores.duplicated([*GROUP, *layout.columns, "quantity", "unit", "seed", "case"])
    if twice.any():
        row = scores[twice].iloc[0]
        which = ", ".join(f"{column} {row[column]}" for column in (*layout.columns, "seed", "case"))
        raise UserError(
            f"two scores of {row['quantity']} for {which} on {row['dataset']}; remove the run that was recorded twice"
        )


def _keys(rows: pd.DataFrame, layout: Layout) -> list[Row]:
    return list(rows[list(layout.columns)].itertuples(index=False, name=None))


def _with_published(rows: pd.DataFrame, published: pd.DataFrame, layout: Layout) -> pd.DataFrame:
    # The paper does not give every column that distinguishes our rows.
    on = ["paper_dataset", *(name for name in layout.columns if name in published), "quantity"]
    paper = published[published["table"] == layout.table].rename(
        columns={"dataset": "paper_dataset", "value": "published"}
    )
    rows = rows.assign(paper_dataset=rows["dataset"].replace(PAPER_DATASETS))
    return rows.merge(paper[[*on, "published"]], on=on, how="left", validate="many_to_one")


def _with_reference(rows: pd.DataFrame, reference: pd.DataFrame | None, layout: Layout) -> pd.DataFrame:
    if reference is None or reference.empty:
        return rows.assign(reference=np.nan)
    on = [*GROUP, *layout.columns, "quantity", "unit"]
    by_seed = _with_units(reference).groupby([*on, "seed"])["value"].mean()
    means = by_seed.groupby(on).mean().rename("reference").reset_index()
    return rows.merge(means, on=on, how="left", validate="many_to_one")
