"""Records of the runs of a study, one file per study, data set and profile; the source of tables, claims and figures.

`results/records/STUDY-DATASET-PROFILE.jsonl` has a line of JSON for each run that has a result or a failure. A line has
what identifies the run (`model`, `seed`, `columns`), its whole `spec` and `identity`, its `provenance`, its `training`
with that training's `provenance` and `result`, and its own `result` or `failure`. With the result come `scores` by
quantity and case (null where a case has no valid score; empty for a measurement without `per_case.csv`) and
`sampled_scores` by protocol, quantity and case. A run with several classes also has `class_scores` by class or region,
quantity and case, of which its scores are the means. In records of earlier versions the run's provenance is also that
of its training, and there are no sampled scores.
"""

import csv
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from glob import escape
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.layout import Layout
from benchmarks.runs.plan import Plan, read_plans
from benchmarks.runs.run_folder import Run, identity, read_json
from ossnet.errors import UserError
from ossnet.evaluation.quantities import QUANTITIES
from ossnet.files import write_text

Record = Mapping[str, Any]

SEVERAL = "several"
"""The protocol of a table whose rows name one protocol each."""


@dataclass(frozen=True)
class Records:
    """The records of one study on one data set with one profile."""

    study: str
    dataset: str
    profile: str
    rows: tuple[Record, ...]

    def write(self, folder: Path) -> None:
        """Write the file, unless it would not change, so that its figures are not drawn again."""
        path = folder / f"{self.study}-{self.dataset}-{self.profile}.jsonl"
        text = "".join(json.dumps(row, sort_keys=True, allow_nan=False) + "\n" for row in self.rows)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            write_text(path, text)


def collect(plan: Plan) -> Records:
    """Return the records of all runs with a result or a failure, in the plan's order.

    Raises:
        UserError: a run's files are damaged.
    """
    head = {"study": plan.study, "dataset": plan.dataset, "profile": plan.profile}
    rows = []
    for run in plan.runs:
        try:
            record = _record(run)
        except (OSError, ValueError, KeyError) as error:
            raise UserError(f"{run.folder} is damaged ({error}); delete it and run the study again") from error
        if record is not None:
            rows.append(head | record)
    return Records(plan.study, plan.dataset, plan.profile, tuple(rows))


def read_records(folder: Path, studies: Sequence[str]) -> list[Records]:
    """Read all records of some studies in a folder, by study, data set and profile; none if there is no folder.

    Raises:
        UserError: a file cannot be read.
    """
    return [records for study in studies for records in _read_study(folder, study)]


def _read_study(folder: Path, study: str) -> list[Records]:
    found = []
    # The name of another study may begin with that of this one.
    for path in sorted(folder.glob(f"{escape(study)}-*.jsonl")):
        try:
            rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
            heads = {(row["study"], row["dataset"], row["profile"]) for row in rows}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(f"{path} holds no records ({error}); collect them again") from error
        if len(heads) > 1:
            raise UserError(f"{path} holds records of several studies; collect them again")
        found += [Records(*head, tuple(rows)) for head in heads]
    return [records for records in found if records.study == study]


def records_of(layout: Layout, folder: Path) -> list[Records]:
    """Read those records of a study in a folder that have its columns; see `outdated` for others.

    Raises:
        UserError: a file cannot be read.
    """
    found = read_records(folder, [layout.table])
    return [part for part in found if _fit((row["columns"] for row in part.rows), layout)]


def outdated(layout: Layout, results: Path) -> list[tuple[str, str]]:
    """Return the data sets and profiles of runs with other columns than a study has, which tables and figures omit.

    A study that a user changes has other columns from then on. Where it is planned again, its runs have these.

    Raises:
        UserError: a plan or records cannot be read.
    """
    columns = {
        (part.dataset, part.profile): [row["columns"] for row in part.rows]
        for part in read_records(results / "records", [layout.table])
    }
    columns |= {
        (plan.dataset, plan.profile): [run.columns for run in plan.runs] for plan in read_plans(results, [layout.table])
    }
    return [where for where, of_runs in columns.items() if not _fit(of_runs, layout)]


def _fit(columns: Iterable[Mapping[str, Any]], layout: Layout) -> bool:
    """Return whether the columns of all runs, which do not include the model, are those of a layout."""
    return all({"model", *of_run} == set(layout.columns) for of_run in columns)


def own_rows(records: Sequence[Records], layout: Layout) -> list[Records]:
    """Return the records of the rows that a layout has, without those of other models; parts without any are left out.

    Args:
        records: records of a study.
        layout: the study's layout.
    """
    parts = []
    for part in records:
        of_rows = [{"model": row["model"], **row["columns"]} for row in part.rows]
        rows = [tuple(values.get(column) for column in layout.columns) for values in of_rows]
        own = tuple(record for record, row in zip(part.rows, rows, strict=True) if layout.has(row))
        if own:
            parts.append(replace(part, rows=own))
    return parts


def scores_of(records: Sequence[Records]) -> pd.DataFrame:
    """Return one row per score.

    Its columns are dataset, profile, protocol, model, seed, the study's columns, training, case, quantity, value and
    unit. `training` is the same for runs that score trainings which differ in their seeds alone. False-positive volumes
    are left out if all cases of a run have foreground, where Dice accounts for them.
    """
    rows = [
        {
            **{name: row[name] for name in ("dataset", "profile", "model", "seed")},
            **row["columns"],
            "training": training,
            "protocol": row["result"]["protocol"],
            "case": case,
            "quantity": quantity,
            "value": math.nan if value is None else value,
            "unit": QUANTITIES[quantity].unit,
        }
        for part in records
        for row in part.rows
        if "result" in row
        for training in [_training(row)]
        for quantity, scores in row["scores"].items()
        if quantity != "false_positive_volume" or row["result"].get("cases_without_foreground")
        for case, value in scores.items()
    ]
    return pd.DataFrame(rows)


def scores_by_protocol(records: Sequence[Records]) -> pd.DataFrame:
    """Return the rows of `scores_of` and those of the sampled scores, for runs and quantities that have both.

    `protocol` states only which cases were scored; see `by_several`. Further columns are `scored` (`dense`, `paper`, or
    `released` with its share of border locations) and `sampled`, the number of locations per case, or `all`.
    """
    rows = [
        {**{name: row[name] for name in ("dataset", "profile", "model", "seed")}, **row["columns"]}
        | {"training": training, "protocol": by_several(row["result"]["protocol"])}
        | {"scored": scored, "sampled": locations}
        | {"case": case, "quantity": quantity, "value": math.nan if value is None else value}
        | {"unit": QUANTITIES[quantity].unit}
        for part in records
        for row in part.rows
        if "sampled_scores" in row
        for training in [_training(row)]
        for scored, locations, by_quantity in _by_protocol(row)
        for quantity, scores in by_quantity.items()
        for case, value in scores.items()
    ]
    return pd.DataFrame(rows)


def by_several(protocol: str) -> str:
    """Return the name of several protocols on the cases that `protocol` scores."""
    return protocol.replace("dense", SEVERAL, 1)


def failures_of(records: Sequence[Records]) -> pd.DataFrame:
    """Return one row per run that failed: table, dataset, profile, model, seed, the study's columns, reason."""
    rows = [
        {
            "table": part.study,
            **{name: row[name] for name in ("dataset", "profile", "model", "seed")},
            **row["columns"],
            "reason": row["failure"],
        }
        for part in records
        for row in part.rows
        if "failure" in row
    ]
    return pd.DataFrame(rows)


def _training(row: Record) -> str | None:
    """Return the identity of a run's training without its seed; None for a record without a specification."""
    spec = row.get("spec", {}).get("training")
    return None if spec is None else identity({**spec, "seed": None})


def _by_protocol(row: Record) -> Iterator[tuple[str, str, Mapping[str, Mapping[str, float | None]]]]:
    """Yield for each protocol of a run its name, its number of locations per case, and the scores by quantity."""
    sampled = row["sampled_scores"]
    quantities = {quantity for scores in sampled.values() for quantity in scores}
    yield "dense", "all", {name: scores for name, scores in row["scores"].items() if name in quantities}
    for protocol in row["result"]["sampled_protocols"]:
        name, share = protocol["protocol"], protocol["border_share"]
        scored = f"{name}, {100 * share:.0f} % border" if share else name
        yield scored, str(protocol["locations"]), sampled[name]


def _record(run: Run) -> dict[str, Any] | None:
    failure = run.failure
    if not run.done and failure is None:
        return None
    spec = read_json(run.folder / "spec.json")
    record = {
        "model": run.model,
        "seed": run.seed,
        "columns": dict(run.columns),
        "identity": identity(spec),
        "spec": spec,
    }
    record |= _files(run.folder, "provenance")
    if trained := _files(run.training, "provenance", "result"):
        record["training"] = trained
    if failure is not None:
        return record | {"failure": failure}
    record["result"] = read_json(run.folder / "result.json")
    record["scores"] = _scores(run.folder / "per_case.csv").get("", {})
    further = {
        "class_scores": _scores(run.folder / "per_class.csv", "class"),
        "sampled_scores": _scores(run.folder / "sampled.csv", "protocol"),
    }
    return record | {name: scores for name, scores in further.items() if scores}


def _files(folder: Path, *names: str) -> dict[str, Any]:
    """Read the JSON files of these names that exist in a folder."""
    paths = {name: folder / f"{name}.json" for name in names}
    return {name: read_json(path) for name, path in paths.items() if path.exists()}


def _scores(path: Path, column: str = "") -> dict[str, dict[str, dict[str, float | None]]]:
    """Read scores by a column (without one by an empty text), quantity and case; none if there is no file."""
    scores: dict[str, dict[str, dict[str, float | None]]] = {}
    if not path.exists():
        return scores
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            value = float(row["value"]) if row["value"] else math.nan
            part = scores.setdefault(row[column] if column else "", {})
            part.setdefault(row["quantity"], {})[row["case"]] = None if math.isnan(value) else value
    return scores
