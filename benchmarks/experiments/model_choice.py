"""Models that a command names (`--models`): which points of a study they have.

Where models are rows of the study's table, those that are named are chosen. A study of one model, which has other rows,
is made with each of them in place of its own model, as far as the model has the settings of a row. What cannot be is
refused before anything is trained.
"""

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.layout import Layout, Row
from benchmarks.names import model_name
from benchmarks.runs.plan import Plan, read_plans
from benchmarks.runs.run_folder import Run, State
from benchmarks.scoring.scoring import Scoring, folder_of
from benchmarks.study import Point, Study
from ossnet.errors import UserError
from ossnet.inference.extraction import FIRST_STATES
from ossnet.registry import model_type

Specify = Callable[[Point], Scoring]
"""Function that returns the specification of a point, or raises a UserError for settings that the model refuses."""


class Choice(NamedTuple):
    """Points of the models that were named.

    Attributes:
        points: the points, of one model after the other.
        left_out: a text for each model without some of the rows, which names these.
    """

    points: list[Point]
    left_out: list[str]


def choose_models(study: Study, points: Sequence[Point], models: Sequence[str], specify: Specify) -> Choice:
    """Return the points of the models that were named, empty for those of the study.

    Args:
        study: the study.
        points: all its points.
        models: names of models.
        specify: function that specifies a point.

    Raises:
        UserError: a model is unknown, or cannot have the row that the others are compared with or any row at all.
    """
    if not models or not points:
        return Choice(list(points), [])
    specify(points[0])  # What no model can have is not the fault of one of them.
    own_model = study.layout.own_model
    own = points if own_model in models else []
    own_runs = {folder_of(Path(), specify(point)) for point in own}
    chosen, left_out = list[Point](), list[str]()
    for model in models:
        model_type(model)
        if model == own_model:
            chosen += points
        elif own_model is None and (of_model := [point for point in points if point.model == model]):
            chosen += of_model
        else:
            replaced = own_model or points[0].model
            in_place = _in_place(
                [point for point in points if point.model == replaced], model, study, specify, own_runs
            )
            chosen += in_place.points
            left_out += in_place.left_out
    return Choice(chosen, left_out)


def _in_place(
    points: Sequence[Point], model: str, study: Study, specify: Specify, own_runs: AbstractSet[Path]
) -> Choice:
    """Return the points of another model in place of that of `points`, without those that have the same run as others.

    Args:
        points: points of the study's own model.
        model: the other model.
        study: the study.
        specify: function that specifies a point.
        own_runs: runs that the study has, too.
    """
    layout = study.layout
    by_row: dict[Row, list[Point]] = {}
    for point in points:
        columns = {name: layout.in_place(value, model) for name, value in point.columns.items()}
        in_place = replace(point, model=model, columns=columns)
        by_row.setdefault(row_of(in_place, layout), []).append(in_place)
    baseline = None if layout.baseline is None else layout.row_in_place(layout.baseline, model)
    runs, lacking = set(own_runs), dict[Row, str]()
    kept = set[Row]()
    for row in sorted(by_row, key=lambda row: row != baseline):
        first = by_row[row][0]
        try:
            scoring = specify(first)
            _refuse_without_effect(first, scoring, study)
        except UserError as error:
            lacking[row] = str(error)
        else:
            if (run := folder_of(Path(), scoring)) not in runs:
                kept.add(row)
                runs.add(run)
    if baseline in lacking or len(lacking) == len(by_row):
        row = baseline if baseline is not None and baseline in lacking else next(iter(lacking))
        of_all = ", with which others are compared" if baseline in lacking else " nor any other"
        name = ", ".join(layout.label(row)) or model_name(model)
        raise UserError(
            f"study {study.name}: {model} cannot have the row {name!r}{of_all} ({lacking[row]}); leave {model} out of "
            "--models"
        )
    names = "; ".join(", ".join(layout.label(row)) for row in by_row if row in lacking)
    left_out = [f"rows whose settings {model} does not have: {names}"] if lacking else []
    return Choice([point for row, several in by_row.items() if row in kept for point in several], left_out)


def row_of(point: Point, layout: Layout) -> Row:
    """Return the row of a table that a point is of."""
    values: dict[str, Any] = {"model": point.model, **point.columns}
    return tuple(values[column] for column in layout.columns)


def _refuse_without_effect(point: Point, scoring: Scoring, study: Study) -> None:
    """Raise a UserError if a model has nothing that a point's settings could change."""
    kind = model_type(point.model)
    of_locations = study.scoring != "segmentation" or point.extraction is not None
    of_locations |= "sampling" in point.overrides.get("recipe", {})
    if of_locations and not kind.evaluates_locations:
        raise UserError(f"{point.model} evaluates all voxels, not locations")
    if getattr(scoring, "extraction", "") in FIRST_STATES and not scoring.training.make_model().has_prior:
        raise UserError(f"the encoder of {point.model} predicts no segmentation to start from")


def earlier_runs(
    plan: Plan, results: Path, points_for: Callable[[Sequence[str]], Sequence[Point]], specify: Specify
) -> list[Run]:
    """Return the runs of an earlier plan that stay in a plan for models that were named.

    These are runs of other models that have begun, and that the study would still have: a run that was made with other
    settings of the profile, the study or the data does not stay.

    Args:
        plan: plan for the models that were named.
        results: results folder, which has the earlier plan.
        points_for: function that returns the study's points for models.
        specify: function that specifies a point.
    """
    found = [run for earlier in read_plans(results, [plan.study]) if earlier.stem == plan.stem for run in earlier.runs]
    new = {_place(run) for run in plan.runs}
    left = [run for run in found if _place(run) not in new and run.state != State.MISSING]
    kept = set[tuple[Any, ...]]()
    for names in (*((model,) for model in dict.fromkeys(run.model for run in left)), ()):
        wanted = {_place(run): run.folder.name for run in left if _place(run) not in kept}
        if not wanted:
            break
        try:
            points = points_for(names)
        except UserError:
            continue  # A model that was named before, and can no longer be that of the study.
        kept |= {
            _place(point)
            for point in points
            if _place(point) in wanted and folder_of(results, specify(point)).name == wanted[_place(point)]
        }
    return [run for run in left if _place(run) in kept]


def _place(of: Run | Point) -> tuple[Any, ...]:
    """Return what distinguishes a run in its study."""
    return of.model, of.seed, frozenset(of.columns.items())
