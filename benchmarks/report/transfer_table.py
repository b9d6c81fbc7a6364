"""The table of a transfer: Dice of each case of another data set, by model and by what it was trained on."""

import math
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from benchmarks.markup import NOTHING, Cell, Table, latex, markdown, span
from benchmarks.names import STAND_INS, model_name
from benchmarks.report.score_records import Records, failures_of, read_records, scores_of
from benchmarks.report.table_notes import join_notes
from ossnet.files import write_text

STUDY = "transfer"
"""Name of the study in records."""

FOLDER = "transfer"
"""Folder of records, tables and images in a results folder; images of patients may not be passed on."""

MAX_CASES = 8
"""Largest number of cases with columns of their own."""

KEY = ["trained_on", "model", "cases", "case", "quantity", "unit"]
"""Columns that distinguish the numbers of a transfer."""


def transfer_numbers(records: Records) -> pd.DataFrame:
    """Return the mean over seeds of each score, in the order of the records.

    Columns are `KEY` and `value`, `std_seeds` (the standard deviation over seeds, NaN for a single one) and `seeds`. A
    row with an empty `case` has the mean over those cases of a data set that were scored for all rows of the table, so
    that rows can be compared; its `std_seeds` is that of the seeds' means.
    """
    scores = scores_of([records])
    if scores.empty:
        return pd.DataFrame(columns=[*KEY, "value", "std_seeds", "seeds"])
    pairs = common_cases(scores)
    common = scores[[pair in pairs for pair in zip(scores["cases"], scores["case"], strict=True)]]
    means = common.groupby([*(name for name in KEY if name != "case"), "seed"], sort=False, as_index=False)["value"]
    both = pd.concat([scores, means.mean().assign(case="")])
    found = (
        both.dropna(subset="value").groupby(KEY, sort=False)["value"].agg(value="mean", std_seeds="std", seeds="count")
    )
    return found.reset_index()


def common_cases(scores: pd.DataFrame) -> set[tuple[str, str]]:
    """Return the cases that were scored for every row of the table, each after the name of its data set."""
    runs = scores[["trained_on", "model", "cases", "case"]].drop_duplicates()
    rows = runs[["trained_on", "model", "cases"]].drop_duplicates().groupby("cases").size()
    by_case = runs.groupby(["cases", "case"]).size().rename("count").reset_index().to_dict("records")
    return {(row["cases"], row["case"]) for row in by_case if row["count"] == rows[row["cases"]]}


def transfer_table(records: Records) -> Table:
    """Return the table of a transfer's Dice."""
    numbers = transfer_numbers(records)
    dice = numbers[numbers["quantity"] == "dice"]
    by_place = {tuple(row[name] for name in KEY[:4]): row for row in dice.to_dict("records")}
    source, target = _names(records)
    cases = list(dict.fromkeys(name for (_, _, of, name) in by_place if of == target and name))
    shown = cases if len(cases) <= MAX_CASES else []
    rows = []
    runs = dict.fromkeys((row["columns"]["trained_on"], row["model"]) for row in records.rows)
    for trained_on, model in runs:

        def cell(of: str, case: str, key: tuple[str, str] = (trained_on, model)) -> Cell:
            number = by_place.get((*key, of, case))
            if number is None:
                return NOTHING
            spread = number["std_seeds"]
            return Cell(f"{number['value']:.3f}", detail="" if math.isnan(spread) else f"± {spread:.3f}")

        of_target = by_place.get((trained_on, model, target, ""), {})
        rows.append(
            [
                *(Cell(trained_on), Cell(model_name(model)), cell(source, "")),
                *(cell(target, case) for case in shown),
                *(cell(target, ""), Cell(str(of_target.get("seeds", 0)))),
            ]
        )
    tests = {name for (_, _, of, name) in by_place if of == source and name}
    pooled = common_cases(scores_of([records])) if cases else set()
    common = [case for case in cases if (target, case) in pooled]
    of_all = "Mean" if common == cases else f"Mean of {len(common)} cases"
    head = ["Trained on", "Model", f"{source}, {len(tests)} test cases", *shown, of_all, "Seeds"]
    seeds = span(set(map(int, dice["seeds"])))
    caption = (
        f"Transfer: Dice of models trained on {source}, for {len(cases)} cases of {target}. Profile {records.profile}; "
        f"modalities: {', '.join(_modalities(records))}; seeds: {seeds}."
    )
    return Table(caption, head, rows, join_notes(_notes(records, len(cases))), "ll" + "r" * (len(head) - 2))


def write_transfer(records: Records, stem: Path) -> str:
    """Write `stem`.csv, .md and .tex, each whole or not at all, and return the Markdown.

    Raises:
        UserError: a file cannot be written.
    """
    table = transfer_table(records)
    text = markdown(table) + "\n"
    write_text(f"{stem}.csv", transfer_numbers(records).to_csv(index=False, lineterminator="\n"))
    write_text(f"{stem}.md", text)
    write_text(f"{stem}.tex", latex(table) + "\n")
    return text


def collect_transfers(results: Path) -> list[Path]:
    """Write the tables of all transfers in a results folder from their records; return the paths of the Markdown.

    Raises:
        UserError: a file cannot be read or written.
    """
    folder = results / FOLDER
    written = []
    for records in read_records(folder, [STUDY]):
        stem = folder / f"{records.study}-{records.dataset}-{records.profile}"
        write_transfer(records, stem)
        written.append(Path(f"{stem}.md"))
    return written


def _names(records: Records) -> tuple[str, str]:
    """Return the names of the data sets that models were trained on and applied to."""
    first = records.rows[0]["columns"]["trained_on"]
    targets = [row["columns"]["cases"] for row in records.rows if row["columns"]["cases"] != first]
    return first, targets[0] if targets else ""


def _modalities(records: Records) -> Sequence[str]:
    modalities: Sequence[str] = records.rows[0]["spec"]["training"]["modalities"]
    return modalities


def _notes(records: Records, count: int) -> list[str]:
    source, target = _names(records)
    training = records.rows[0]["spec"]["training"]
    notes = [f"{source} is synthetic and stands in for {STAND_INS[source]}"] if source in STAND_INS else []
    notes += [
        "Each value is the mean over seeds, followed by their standard deviation after ±",
        "All models and seeds are shown, and none was chosen by these cases",
        "Dice is of every voxel of a case's own grid; models work on "
        f"{'x'.join(map(str, training['preprocessing']['shape']))} voxels",
        f"{count} cases are too few for conclusions about others, so there are no intervals",
    ]
    if any(row["columns"]["trained_on"] == target for row in records.rows):
        notes += [
            f"Trained on {target}: on those of its cases that have no score, from new weights or from those of the "
            f"training on {source}, with the same network and grid",
            "The mean is over the cases that all rows have scores of",
        ]
    failures = failures_of([records])
    if len(failures):
        notes.append(f"{len(failures)} runs have failed")
    return notes
