"""Differences between rows of the paper's tables that a study's differences from its baseline correspond to."""

import math
from collections.abc import Mapping
from functools import cache

import pandas as pd

from benchmarks.layout import Layout, Row
from benchmarks.names import PUBLISHED, read_published
from ossnet.data.paper_datasets import PAPER_DATASETS


def published_difference(layout: Layout, row: Row, dataset: str, quantity: str) -> float:
    """Return the paper's number for a row minus that for the baseline; NaN where it does not have both.

    An embedded data set takes the numbers of the one that it stands in for.

    Args:
        layout: the table's layout, which has a baseline.
        row: the row.
        dataset: name of the data set.
        quantity: name of the quantity.
    """
    first, second = (_number(layout.in_paper.get(of, {}), dataset, quantity) for of in (row, layout.baseline or ()))
    return first - second


def _number(columns: Mapping[str, str | int], dataset: str, quantity: str) -> float:
    if not columns:
        return math.nan
    rows = _published(str(columns["table"]))
    wanted = {**columns, "dataset": PAPER_DATASETS.get(dataset, dataset), "quantity": quantity}
    fitting = [rows[column] == value for column, value in wanted.items()]
    values = rows["value"][pd.concat(fitting, axis=1).all(axis=1)]
    return float(values.iloc[0]) if len(values) else math.nan


@cache
def _published(table: str) -> pd.DataFrame:
    return read_published(PUBLISHED, table)
