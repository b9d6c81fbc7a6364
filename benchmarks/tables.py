"""From scores of single cases to tables: pure functions of records, and the paper's numbers beside them."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from benchmarks.markup import NOTHING, Cell, Grid, latex, markdown
from ossnet.errors import UserError
from ossnet.files import write_text
from ossnet.quantities import QUANTITIES

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

COLUMNS = [
    *("table", "dataset", "profile", "model", "quantity"),
    *("value", "unit", "low", "high", "n", "published", "protocol"),
]

GROUP = ["dataset", "profile", "protocol"]
KEYS = [*GROUP, "model", "quantity", "unit"]


def read_published(folder: str | Path, table: str) -> pd.DataFrame:
    """The paper's numbers of `table` (`table1`, `table2` or `table3`), one row a number, from `folder/TABLE.csv`.

    Raises:
        UserError: there is no such file.
    """
    path = Path(folder) / f"{table}.csv"
    if not path.is_file():
        raise UserError(f"cannot find the published numbers {path}; give the folder that holds them")
    return pd.read_csv(path, dtype={"unit": str, "note": str}).fillna({"unit": "", "note": ""})


def summarise(scores: pd.DataFrame, published: pd.DataFrame, table: str = "table2") -> pd.DataFrame:
    """One row for each data set, profile, protocol, model and quantity.

    Args:
        scores: one row a score, with columns dataset, profile, model, seed, case, quantity, value (NaN where a case has
            no valid score), unit and protocol.
        published: rows of `read_published`. An embedded data set takes the column of the one that it stands in for.
        table: the table's name, and which rows of `published` belong to it.

    Returns:
        Exactly `COLUMNS`. `value` is the mean over seeds of each seed's mean over its valid cases, `low` and `high` the
        smallest and largest mean of a seed (a spread over seeds, not an interval of confidence), `n` the number of
        distinct cases with a valid score, `published` the paper's number or NaN. Models are in the order of
        `MODEL_NAMES`, others after them by name; quantities in that of `QUANTITIES`.

    Raises:
        UserError: a case has two scores of one quantity for the same model and seed.
        ValueError: a quantity that is not in `QUANTITIES`, or two published numbers for one row.
    """
    # A column of nothing but empty texts comes back from a CSV file as numbers.
    scores = scores.astype({"unit": object}).fillna({"unit": ""})
    once = [*KEYS, "seed", "case"]
    if scores.duplicated(once).any():
        row = scores[scores.duplicated(once)].iloc[0]
        raise UserError(
            f"two scores of {row['quantity']} for model {row['model']}, seed {row['seed']}, case {row['case']} "
            f"on {row['dataset']}; remove the run that was recorded twice"
        )
    # pandas leaves NaN out of means.
    seed_means = scores.groupby([*KEYS, "seed"])["value"].mean()
    rows = seed_means.groupby(KEYS).agg(value="mean", low="min", high="max")
    valid = scores.dropna(subset="value").groupby(KEYS)["case"].nunique()
    rows = rows.assign(n=valid.reindex(rows.index, fill_value=0)).reset_index()

    paper = published.loc[published["table"] == table, ["dataset", "model", "quantity", "value"]]
    rows = rows.assign(table=table, paper_dataset=rows["dataset"].replace(PAPER_DATASETS)).merge(
        paper.rename(columns={"dataset": "paper_dataset", "value": "published"}),
        on=["paper_dataset", "model", "quantity"],
        how="left",
        validate="many_to_one",
    )
    models = _model_order(rows["model"])
    quantities = list(QUANTITIES)
    rows = rows.assign(by_model=rows["model"].map(models.index), by_quantity=rows["quantity"].map(quantities.index))
    return rows.sort_values([*GROUP, "by_model", "by_quantity"], ignore_index=True)[COLUMNS]


@dataclass(frozen=True)
class Runs:
    """What a rendered table tells of the runs behind its rows.

    Attributes:
        seeds: number of seeds with scores, by (dataset, profile, protocol, model).
        status: by (dataset, profile, model), why runs have no scores, such as 'OOM' or 'failed: ...'. It stands in the
            model's row: instead of the scores where there are none, else beside the number of seeds.
        models: those with a row in every table; without scores and status they read 'not run'. Others that have
            scores or a status follow.
    """

    seeds: Mapping[tuple[str, ...], int]
    status: Mapping[tuple[str, str, str], str] = field(default_factory=dict)
    models: Sequence[str] = tuple(MODEL_NAMES)


def seed_counts(scores: pd.DataFrame) -> dict[tuple[str, ...], int]:
    """Number of seeds with scores, by (dataset, profile, protocol, model), for `Runs`."""
    counts = scores.groupby([*GROUP, "model"])["seed"].nunique().reset_index()
    return {tuple(run): seeds for *run, seeds in counts.itertuples(index=False, name=None)}


def to_markdown(frame: pd.DataFrame, runs: Runs) -> str:
    """What `summarise` gives as GitHub Markdown.

    For each data set, profile and protocol a caption and a table with one row a model; the best value of a column is
    bold, and the paper's numbers stand beside ours.
    """
    return "\n\n".join(markdown(grid) for grid in _grids(frame, runs)) + "\n"


def to_latex(frame: pd.DataFrame, runs: Runs) -> str:
    """As `to_markdown`, in LaTeX for a document that loads booktabs and graphicx (which fits the table to the page)."""
    return "\n\n".join(latex(grid) for grid in _grids(frame, runs)) + "\n"


def write_table(frame: pd.DataFrame, stem: str | Path, runs: Runs) -> None:
    """Write `stem`.csv (the rows of `frame`), `stem`.md and `stem`.tex, each whole or not at all.

    Raises:
        UserError: a file cannot be written.
    """
    write_text(f"{stem}.csv", frame.to_csv(index=False, lineterminator="\n"))
    write_text(f"{stem}.md", to_markdown(frame, runs))
    write_text(f"{stem}.tex", to_latex(frame, runs))


def _model_order(models: pd.Series) -> list[str]:
    return [*MODEL_NAMES, *sorted(set(models) - set(MODEL_NAMES))]


def _grids(frame: pd.DataFrame, runs: Runs) -> list[Grid]:
    groups = list(frame[GROUP].drop_duplicates().itertuples(index=False, name=None))
    # A data set on which every run failed has no rows, and is shown all the same.
    scored = {tuple(group[:2]) for group in groups}
    tried = dict.fromkeys((dataset, profile) for dataset, profile, _ in runs.status)
    groups += [(*where, "") for where in tried if where not in scored]
    return [_grid(frame[(frame[GROUP] == list(group)).all(axis=1)], group, runs) for group in groups]


def _grid(rows: pd.DataFrame, group: tuple[str, str, str], runs: Runs) -> Grid:
    scored = list(rows["model"].unique())
    status = {model: why for (*where, model), why in runs.status.items() if tuple(where) == group[:2]}
    models = list(dict.fromkeys([*runs.models, *scored, *status]))
    seeds = [runs.seeds.get((*group, model), 0) for model in models]

    columns = {"Model": [Cell(MODEL_NAMES.get(model, model)) for model in models]}
    if len(scored) < len(models):
        columns["Status"] = [Cell("" if model in scored else status.get(model, "not run")) for model in models]
    for name in rows["quantity"].drop_duplicates().sort_values(key=lambda names: names.map(list(QUANTITIES).index)):
        quantity = QUANTITIES[name]
        of_model = rows[rows["quantity"] == name].set_index("model").reindex(models)
        title = f"{quantity.name} ({quantity.unit})" if quantity.unit else quantity.name
        ours = zip(of_model["value"], of_model["low"], of_model["high"], seeds, strict=True)
        texts = [_with_spread(*numbers, digits=2 if quantity.unit else 3) for numbers in ours]
        columns[f"{title} {'↑' if quantity.higher_is_better else '↓'}"] = _column(texts, quantity.higher_is_better)
        if of_model["published"].notna().any():
            texts = [f"{number:.4f}" for number in of_model["published"]]
            columns[f"{quantity.name}, paper"] = _column(texts, quantity.higher_is_better)
    n = rows.groupby("model")["n"].agg(["min", "max"]).reindex(models, fill_value=0)
    columns["Cases"] = [Cell(_range(low, high)) for low, high in zip(n["min"], n["max"], strict=True)]
    columns["Seeds"] = [
        Cell(f"{count} ({status[model]})" if model in scored and model in status else f"{count}")
        for model, count in zip(models, seeds, strict=True)
    ]
    return Grid(_caption(rows, group, seeds), list(columns), [list(row) for row in zip(*columns.values(), strict=True)])


def _column(texts: Sequence[str], higher_is_better: bool) -> list[Cell]:
    """Cells of one quantity, each text led by its value; all that read as the best one are bold."""
    values = [float(text.split()[0]) for text in texts]
    valid = [value for value in values if not math.isnan(value)]
    best = (max if higher_is_better else min)(valid, default=math.nan)
    return [
        NOTHING if math.isnan(value) else Cell(text, bold=value == best)
        for value, text in zip(values, texts, strict=True)
    ]


def _with_spread(value: float, low: float, high: float, seeds: int, digits: int) -> str:
    spread = f" ({low:.{digits}f}–{high:.{digits}f})" if seeds > 1 else ""
    return f"{value:.{digits}f}{spread}"


def _range(low: int, high: int) -> str:
    return f"{low}" if low == high else f"{low}–{high}"


def _caption(rows: pd.DataFrame, group: tuple[str, str, str], seeds: Sequence[int]) -> str:
    dataset, profile, protocol = group
    tables = [re.sub(r"^table(\d+)$", r"Table \1", name).capitalize() for name in rows["table"].unique()]
    where = ", ".join(f"{what} {name}" for what, name in (("profile", profile), ("protocol", protocol)) if name)
    ran = [count for count in seeds if count]
    cases = _range(rows["n"].min(), rows["n"].max())
    size = f"cases: {cases}; seeds: {_range(min(ran), max(ran))}" if ran else "no scores"
    sentences = [*tables, f"Data set {dataset}{', ' if where else ''}{where}; {size}"]
    if ran:
        sentences.append(
            "A value is the mean over seeds of the mean over valid cases; in brackets, where there are several seeds, "
            "the smallest and the largest mean of one"
        )
    if "hausdorff95" in set(rows["quantity"]):
        sentences.append("HD95: the larger of the two directed 95th percentiles")
    if "surface_dice" in set(rows["quantity"]):
        sentences.append("Surface Dice: at a tolerance of 2 mm, or of the longest voxel edge where that is more")
    if rows["published"].notna().any():
        sentences.append("Paper: Reich et al. (BMVC 2021), best of three seeds")
        if dataset in STAND_INS:
            sentences.append(
                f"The data set {dataset} is synthetic and stands in for {STAND_INS[dataset]}: "
                "the paper's numbers are of other data and not directly comparable"
            )
    return ". ".join(sentences) + "."
