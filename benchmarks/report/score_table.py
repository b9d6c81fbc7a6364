"""What the tables are called by and made of, and how they read: the paper's numbers beside ours."""

import math
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.markup import NOTHING, Cell, Grid, latex, markdown, span
from benchmarks.report.table_notes import notes_of_numbers
from ossnet.errors import UserError
from ossnet.evaluation.quantities import QUANTITIES, Quantity
from ossnet.files import write_text

MODEL_NAMES = {
    "unet3d": "3D residual U-Net",
    "unet2d-height": "2D residual U-Net, height slices",
    "unet2d-width": "2D residual U-Net, width slices",
    "unet2d-depth": "2D residual U-Net, depth slices",
    "onet": "O-Net",
    "a": "OSS-Net A",
    "b": "OSS-Net B",
    "c": "OSS-Net C",
    "d": "OSS-Net D",
}
"""The suite's models by their names in the paper, in the order of its Table 2."""

PAPER_DATASETS = {"glioma": "brats", "brats2020": "brats", "liver": "lits"}
"""Data sets to the one whose published numbers are set beside theirs, where the names differ."""

STAND_INS = {"glioma": "BraTS 2020", "liver": "LiTS"}
"""The embedded data sets, and what each stands in for."""

GROUP = ["dataset", "profile", "protocol"]
"""What no number is ever averaged over: each has a table of its own."""

OF_THE_PAPER = {"dice", "iou"}
"""What the paper reports, and tables therefore show in more detail."""

Row = tuple[Any, ...]

Caveats = Mapping[tuple[str, str, str], Sequence[str]]
"""What a reader must know of the runs behind a table, in sentences, by `GROUP`; see `benchmarks.report.caveats`."""


@dataclass(frozen=True)
class Layout:
    """What a study's table looks like.

    Attributes:
        table: its name, which is also that of the published numbers: `table1`.
        title: its title in captions.
        heads: by column that tells rows apart, in order: its heading, or None for a column that is not shown.
        rows: the values of these columns for all rows that the table should have, in order. A row may end early: it
            then stands for all that begin with it. Rows that are found beside these follow them.
        names: by column, what its values are shown as, where not as they are.
        note: what the captions add.
        scoring: those of the columns that tell how a training is scored, not which it is.
    """

    table: str
    title: str
    heads: Mapping[str, str | None]
    rows: Sequence[Row]
    names: Mapping[str, Mapping[Any, str]] = field(default_factory=dict)
    note: str = ""
    scoring: Collection[str] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that tell rows apart."""
        return tuple(self.heads)

    @property
    def shown(self) -> list[str]:
        """The headings of the columns that are shown."""
        return [head for head in self.heads.values() if head is not None]

    def training(self, row: Row) -> Row:
        """What a row shares with all that are of the same trained seeds."""
        return tuple(value for column, value in zip(self.columns, row, strict=True) if column not in self.scoring)

    def arrange(self, found: Iterable[Row]) -> list[Row]:
        """`rows` in their order, each replaced by those of `found` that it stands for, and then the rest of `found`."""
        rest = sorted(set(found), key=str)
        arranged: list[Row] = []
        for row in self.rows:
            fitting = [other for other in rest if other[: len(row)] == row]
            arranged += fitting or [row]
            rest = [other for other in rest if other not in fitting]
        return arranged + rest

    def label(self, row: Row) -> list[str]:
        """How the shown columns of a row read."""
        texts = [
            self.names.get(column, {}).get(value, str(value))
            for (column, head), value in zip(self.heads.items(), row, strict=False)
            if head is not None
        ]
        return texts + [NOTHING.text] * (len(self.shown) - len(texts))


def columns_of(layout: Layout) -> list[str]:
    """The columns of a table's CSV file, with a row for each row of the table and quantity."""
    return [
        *("table", *GROUP, *layout.columns, "quantity", "unit", "value", "low", "high"),
        *("std_seeds", "std_cases", "best", "seeds", "n", "published", "reference"),
    ]


def group_keys(frame: pd.DataFrame) -> list[tuple[str, str, str]]:
    """The data sets, profiles and protocols of a frame, sorted."""
    return sorted(frame[GROUP].drop_duplicates().itertuples(index=False, name=None))


def source_text(dataset: str, profile: str, protocol: str) -> str:
    """What a caption says of the scores' origin; the protocol may be empty."""
    stand_in = f" (synthetic, stands in for {STAND_INS[dataset]})" if dataset in STAND_INS else ""
    return f"Data set {dataset}{stand_in}, profile {profile}" + (f", protocol {protocol}" if protocol else "")


def read_published(folder: str | Path, table: str) -> pd.DataFrame:
    """The paper's numbers of `table` (`table1`, `table2` or `table3`), one row a number, from `folder/TABLE.csv`.

    Raises:
        UserError: there is no such file.
    """
    path = Path(folder) / f"{table}.csv"
    if not path.is_file():
        raise UserError(f"cannot find the published numbers {path}; give the folder that holds them")
    return pd.read_csv(path, dtype={"unit": str, "note": str}).fillna({"unit": "", "note": ""})


def to_markdown(
    frame: pd.DataFrame, layout: Layout, failures: pd.DataFrame | None = None, caveats: Caveats | None = None
) -> str:
    """What `summarise` gives as GitHub Markdown.

    For each data set, profile and protocol a caption, a table and notes; the best value of a column is bold.

    Args:
        failures: one row a run without scores, with columns dataset, profile, seed, reason (`OOM` or a sentence) and
            `layout.columns`. None and empty are the same.
        caveats: for the notes.
    """
    return "\n\n".join(markdown(grid) for grid in _grids(frame, layout, failures, caveats)) + "\n"


def to_latex(
    frame: pd.DataFrame, layout: Layout, failures: pd.DataFrame | None = None, caveats: Caveats | None = None
) -> str:
    """As `to_markdown`, in LaTeX for a document that loads booktabs and graphicx (which fits the table to the page)."""
    return "\n\n".join(latex(grid) for grid in _grids(frame, layout, failures, caveats)) + "\n"


def write_table(
    frame: pd.DataFrame,
    stem: str | Path,
    layout: Layout,
    failures: pd.DataFrame | None = None,
    appendix: Sequence[Grid] = (),
    caveats: Caveats | None = None,
) -> None:
    """Write `stem`.csv (`columns_of(layout)` of `frame`), `stem`.md and `stem`.tex, each whole or not at all.

    Args:
        appendix: tables that follow in the latter two.
        caveats: for the notes.

    Raises:
        UserError: a file cannot be written.
    """
    write_text(f"{stem}.csv", frame[columns_of(layout)].to_csv(index=False, lineterminator="\n"))
    for ending, markup, table in (("md", markdown, to_markdown), ("tex", latex, to_latex)):
        parts = [table(frame, layout, failures, caveats), *(f"{markup(grid)}\n" for grid in appendix)]
        write_text(f"{stem}.{ending}", "\n".join(parts))


Failed = Mapping[Row, Mapping[int, str]]
"""Why runs have no scores, by row and seed."""


def failed_rows(failures: pd.DataFrame | None, layout: Layout) -> dict[tuple[str, str], dict[Row, dict[int, str]]]:
    """Why runs have no scores, by data set and profile, row of the table and seed."""
    failed: dict[tuple[str, str], dict[Row, dict[int, str]]] = {}
    for run in [] if failures is None else failures.to_dict("records"):
        row = tuple(run[column] for column in layout.columns)
        failed.setdefault((run["dataset"], run["profile"]), {}).setdefault(row, {})[run["seed"]] = run["reason"]
    return failed


def _grids(frame: pd.DataFrame, layout: Layout, failures: pd.DataFrame | None, caveats: Caveats | None) -> list[Grid]:
    failed = failed_rows(failures, layout)
    keys = group_keys(frame)
    # A data set on which every run failed has no rows, and is shown all the same.
    scored = {key[:2] for key in keys}
    keys += [(*where, "") for where in failed if where not in scored]
    return [
        _grid(
            frame[(frame[GROUP] == list(key)).all(axis=1)],
            key,
            layout,
            failed.get(key[:2], {}),
            (caveats or {}).get(key, ()),
        )
        for key in keys
    ]


def _grid(
    numbers: pd.DataFrame, key: tuple[str, str, str], layout: Layout, failed: Failed, caveats: Sequence[str]
) -> Grid:
    by_row: dict[Row, dict[str, Numbers]] = {}
    for record in numbers.to_dict("records"):
        by_row.setdefault(tuple(record[column] for column in layout.columns), {})[record["quantity"]] = record
    rows = layout.arrange({*by_row, *failed})

    labels = zip(*map(layout.label, rows), strict=True)
    columns = {head: [Cell(text) for text in texts] for head, texts in zip(layout.shown, labels, strict=True)}
    for name in QUANTITIES:
        if name in set(numbers["quantity"]):
            columns |= _columns(name, [by_row.get(row, {}).get(name, {}) for row in rows])
    for head, count in (("Cases", "n"), ("Seeds", "seeds")):
        columns[head] = [Cell(span(record[count] for record in by_row.get(row, {}).values())) for row in rows]
    status = [status_text(row in by_row, failed.get(row, {})) for row in rows]
    if any(status):
        columns["Status"] = [Cell(text) for text in status]
    cells = [list(row) for row in zip(*columns.values(), strict=True)]
    return Grid(_caption(numbers, key, layout), list(columns), cells, _notes(numbers, key[0], layout, failed, caveats))


Numbers = Mapping[Hashable, Any]
"""A row of what `summarise` gives; empty for what was not measured."""


def heading(quantity: Quantity) -> str:
    """How tables head the column of a quantity's values, with an arrow to the better end."""
    title = f"{quantity.name} ({quantity.unit})" if quantity.unit else quantity.name
    return f"{title} {'↑' if quantity.higher_is_better else '↓'}"


def _columns(name: str, of_rows: Sequence[Numbers]) -> dict[str, list[Cell]]:
    """The columns of one quantity; of those that the paper reports also our best, the reference and its number."""
    quantity = QUANTITIES[name]
    digits = quantity.digits

    def column(what: str, digits: int = digits, details: Sequence[str] | None = None) -> list[Cell]:
        values = [numbers.get(what, math.nan) for numbers in of_rows]
        # What reads alike is best together.
        texts = [f"{value:.{digits}f}" for value in values]
        valid = [float(text) for text in texts if text != "nan"]
        best = (max if quantity.higher_is_better else min)(valid, default=math.nan)
        return [
            NOTHING if text == "nan" else Cell(text, float(text) == best, detail)
            for text, detail in zip(texts, details or [""] * len(texts), strict=True)
        ]

    details = [_detail(numbers, digits, with_deviation=name in OF_THE_PAPER) for numbers in of_rows]
    columns = {heading(quantity): column("value", details=details)}
    if name in OF_THE_PAPER:
        if any(numbers.get("seeds", 0) > 1 for numbers in of_rows):
            columns[f"{quantity.name}, best"] = column("best")
        if any(not math.isnan(numbers.get("reference", math.nan)) for numbers in of_rows):
            columns[f"{quantity.name}, reference"] = column("reference")
    if any(not math.isnan(numbers.get("published", math.nan)) for numbers in of_rows):
        columns[f"{quantity.name}, paper"] = column("published", digits=4)
    return columns


def _detail(numbers: Numbers, digits: int, with_deviation: bool) -> str:
    deviation, low, high = (numbers.get(what, math.nan) for what in ("std_seeds", "low", "high"))
    parts = [] if math.isnan(deviation) or not with_deviation else [f"± {deviation:.{digits}f}"]
    return " ".join(parts if math.isnan(low) else [*parts, f"[{low:.{digits}f}, {high:.{digits}f}]"])


def status_text(scored: bool, failed: Mapping[int, str]) -> str:
    """How a row's runs that have no scores read: the failed seeds by their reason, or that there was no run."""
    kinds = {seed: "OOM" if reason == "OOM" else "failed" for seed, reason in sorted(failed.items())}
    if scored:
        return ", ".join(f"seed {seed}: {kind}" for seed, kind in kinds.items())
    return ", ".join(sorted(set(kinds.values()))) or "not run"


def _caption(numbers: pd.DataFrame, key: tuple[str, str, str], layout: Layout) -> str:
    size = "no scores" if numbers.empty else f"cases: {span(numbers['n'])}; seeds: {span(numbers['seeds'])}"
    return f"{layout.title}. {source_text(*key)}; {size}."


def _notes(numbers: pd.DataFrame, dataset: str, layout: Layout, failed: Failed, caveats: Sequence[str]) -> str:
    sentences = [*notes_of_numbers(numbers, OF_THE_PAPER, STAND_INS.get(dataset)), *caveats]
    if layout.note:
        sentences.append(layout.note)
    for row, reasons in failed.items():
        for reason in dict.fromkeys(reasons.values()):
            seeds = ", ".join(str(seed) for seed in sorted(reasons) if reasons[seed] == reason)
            sentences.append(f"Failed: {', '.join(layout.label(row))}, seed {seeds}: {reason}")
    return " ".join(f"{sentence.rstrip('.')}." for sentence in sentences)
