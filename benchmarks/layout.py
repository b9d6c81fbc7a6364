"""Layout of a study: its names, and the columns and rows of its table of scores."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from benchmarks.markup import NOTHING
from benchmarks.names import KNOWN_NAMES, model_name

Row = tuple[Any, ...]
"""Values of a table's columns, in the order of the columns."""


@dataclass(frozen=True)
class Layout:
    """Names and table of a study.

    Attributes:
        table: name of the study and of its files, such as `table1`; also that of the paper's numbers, if it has any.
        title: title in captions.
        heads: columns of the table of scores in their order, with their headings; None hides a column.
        rows: rows that the table should have, in order, as values of the columns. A row may end early and then stands
            for all rows that begin with it. Other rows with scores follow at the end.
        names: display of values by column, where it differs from the values.
        note: sentence that is added to the notes of the table, without its full stop.
        scoring_columns: columns that distinguish how a trained model is scored, rather than which training it is from.
        baseline: row that the other rows are compared with; None to compare every two rows.
        compared_within: columns by whose values rows are compared apart: every two rows that have the same values.
        quantities: names of the quantities (`ossnet.evaluation.quantities.QUANTITIES`) that the table of scores, the
            comparisons and the figure show, in order; empty for every score in the table and for Dice and IoU in
            comparisons.
        in_paper: by row of a study with a baseline, the columns of a number in one of the paper's tables, `table` among
            them, from which the paper's difference from the baseline follows.
        axes: columns of a grid, along which a figure shows the quantities; empty for rows that are no grid.
    """

    table: str
    title: str
    heads: Mapping[str, str | None] = field(default_factory=dict)
    rows: Sequence[Row] = ()
    names: Mapping[str, Mapping[Any, str]] = field(default_factory=dict)
    note: str = ""
    scoring_columns: Collection[str] = ()
    baseline: Row | None = None
    compared_within: Collection[str] = ()
    quantities: Sequence[str] = ()
    in_paper: Mapping[Row, Mapping[str, str | int]] = field(default_factory=dict)
    axes: Sequence[str] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns whose values distinguish rows."""
        return tuple(self.heads)

    @property
    def shown(self) -> list[str]:
        """The headings of the columns that are shown."""
        return [head for head in self.heads.values() if head is not None]

    @property
    def own_model(self) -> str | None:
        """The model that the study is about, whose name no column shows; None where models are rows."""
        if self.heads.get("model", "") is not None or not self.rows:
            return None
        return str((self.baseline or self.rows[0])[self.columns.index("model")])

    def has(self, row: Row) -> bool:
        """Return whether a row is one of `rows`, or one that they stand for."""
        return any(row[: len(own)] == own for own in self.rows)

    def in_place(self, value: Any, model: str) -> Any:
        """Return a column's value for a model in place of the study's own, whose name in a text becomes the other's."""
        if self.own_model is None or not isinstance(value, str):
            return value
        return re.sub(rf"\b{re.escape(model_name(self.own_model))}\b", lambda _: model_name(model), value)

    def row_in_place(self, row: Row, model: str) -> Row:
        """Return a row of the study's own model for another in its place, see `in_place`."""
        return tuple(
            model if column == "model" else self.in_place(value, model)
            for column, value in zip(self.columns, row, strict=False)
        )

    def for_rows(self, found: Iterable[Row]) -> "Layout":
        """Return the layout of a table with rows of models in place of the study's own, as `--models` asks for them.

        Their models get a column, and their rows follow those of the study in the same order. Where no row of the study
        was found, its rows are left out, and without the baseline the same row of the first model that has it takes its
        place. Without such rows the layout stays as it is.

        Args:
            found: rows of a table, with those of the first model first.
        """
        if self.own_model is None:
            return self
        model_at = self.columns.index("model")
        rows = list(dict.fromkeys(found))
        others = [row for row in rows if row[model_at] != self.own_model and not self.has(row)]
        if not others:
            return self
        models = list(dict.fromkeys(str(row[model_at]) for row in others))

        def place(row: Row) -> tuple[int, int, str]:
            same = [row[: len(own)] == self.row_in_place(own, row[model_at]) for own in self.rows]
            return models.index(row[model_at]), [*same, True].index(True), str(row)

        names = ", ".join(map(model_name, models))
        sentence = f"{names}: in place of {model_name(self.own_model)}, in the rows whose settings the model has"
        baseline = self.baseline
        if baseline is not None and baseline not in rows:
            in_place = [self.row_in_place(baseline, model) for model in models]
            baseline = next((row for row in in_place if row in others), baseline)
        return replace(
            self,
            heads={**self.heads, "model": "Model"},
            names={"model": KNOWN_NAMES, **self.names},
            rows=[*(self.rows if len(others) < len(rows) else ()), *sorted(others, key=place)],
            note=f"{self.note}. {sentence}" if self.note else sentence,
            baseline=baseline,
        )

    def training(self, row: Row) -> Row:
        """Return the part of a row that is the same for all rows that score the same trained models.

        Rows with other values here may still be of one training; the records of runs tell, see
        `benchmarks.report.score_records.scores_of`.
        """
        return tuple(
            value for column, value in zip(self.columns, row, strict=True) if column not in self.scoring_columns
        )

    def stratum(self, row: Row) -> Row:
        """Return the part of a row that is the same for all rows that it is compared with."""
        return tuple(value for column, value in zip(self.columns, row, strict=True) if column in self.compared_within)

    def arrange(self, found: Iterable[Row]) -> list[Row]:
        """Return `rows` in order, each replaced by the rows of `found` that it stands for, then the rest of `found`."""
        rest = sorted(set(found), key=str)
        arranged: list[Row] = []
        for row in self.rows:
            fitting = [other for other in rest if other[: len(row)] == row]
            arranged += fitting or [row]
            rest = [other for other in rest if other not in fitting]
        return arranged + rest

    def label(self, row: Row) -> list[str]:
        """Return the texts of the shown columns of a row."""
        texts = [
            self.names.get(column, {}).get(value, str(value))
            for (column, head), value in zip(self.heads.items(), row, strict=False)
            if head is not None
        ]
        return texts + [NOTHING.text] * (len(self.shown) - len(texts))
