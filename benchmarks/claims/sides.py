"""The numbers that claims are judged by: our records, the paper's tables, and predictions."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, get_args

import pandas as pd

from benchmarks.claims.measures import Row, fits, select
from benchmarks.claims.schema import Column, Selection
from benchmarks.report.statistics import Scores
from ossnet.data.paper_datasets import PAPER_DATASETS
from ossnet.errors import UserError

PAPER_LACKS = "not in the paper's tables"


class Side(NamedTuple):
    """Numbers that claims are judged by, and the reasons why others are missing.

    Attributes:
        name: `ours`, `paper`, `prediction` or `ablations`.
        rows: the numbers.
        by_quantity: reasons by quantity.
        reasons: rows with a `reason` for all numbers that agree with their other columns.
        otherwise: the reason for all other numbers.
    """

    name: str
    rows: Sequence[Row]
    by_quantity: Mapping[str, str]
    reasons: Sequence[Row]
    otherwise: str

    @property
    def published(self) -> bool:
        """True for the paper's tables."""
        return self.name == "paper"

    def select(self, selection: Selection) -> tuple[list[Row], list[Row]]:
        """Return the selected rows that have a value, and each combination of the selection that no row has."""
        return select([row for row in self.rows if "value" in row], selection)

    def why_missing(self, wanted: Row) -> str:
        """Return the reason why a selected number is missing."""
        if wanted.get("quantity") in self.by_quantity:
            return self.by_quantity[wanted["quantity"]]
        for known in self.reasons:
            if all(column not in known or fits(known[column], value) for column, value in wanted.items()):
                return str(known["reason"])
        if any(all(fits(row.get(column), value) for column, value in wanted.items()) for row in self.rows):
            return "no valid score"
        return self.otherwise


def our_side(records: pd.DataFrame, failures: pd.DataFrame | None, unmeasured: Mapping[str, str]) -> Side:
    """Return our records as a side; see `benchmarks.claims.judge.judge` for the arguments.

    Raises:
        UserError: two records are of the same number.
    """
    failed = [] if failures is None or failures.empty else _rows(_under_paper_names(failures))
    reasons = [{**row, "reason": f"run failed ({row['reason']})"} for row in failed]
    return Side("ours", _our_rows(records), unmeasured, reasons, "not run")


def paper_side(published: Mapping[str, pd.DataFrame]) -> Side:
    """Return the paper's tables as a side; their notes explain missing numbers."""
    rows = [
        row
        for frame in published.values()
        for row in _rows(frame.assign(low=frame["value"], high=frame["value"], source=frame["dataset"]))
    ]
    reasons = [{**row, "reason": f"{PAPER_LACKS} ({row['note']})"} for row in rows if row.get("note")]
    return Side("paper", rows, {}, reasons, PAPER_LACKS)


def prediction_side(predicted: pd.DataFrame | None) -> Side:
    """Return predicted numbers as a side."""
    return Side("prediction", [] if predicted is None else _our_rows(predicted), {}, [], "not predicted")


def _under_paper_names(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(source=frame["dataset"], dataset=frame["dataset"].replace(PAPER_DATASETS))


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
