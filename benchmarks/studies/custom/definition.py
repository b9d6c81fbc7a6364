"""The study that a TOML file defines: its points, its table, and the row that the others are compared with."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.layout import Layout, Row
from benchmarks.names import KNOWN_NAMES
from benchmarks.studies.custom.schema import SCORING, Settings, StudyFile, read_study_file, unfold
from benchmarks.study import Point, Study
from ossnet.config import flatten, takes_list
from ossnet.errors import UserError

if TYPE_CHECKING:
    from ossnet.training.profile import Profile

LABEL = "row"
TRAINED = "trained"
"""Columns of rows that are listed one by one: the label, and that of the first row with the same training.

The latter is left out where each row has a training of its own.
"""

UNITS = {"patch_size": "voxels", "border_width": "voxels", "shape": "voxels", "max_locations": "locations per pass"}
"""Units of settings, for headings."""


@dataclass(frozen=True)
class Variant:
    """A row of the study's table.

    Attributes:
        model: name of the model.
        columns: values of the other columns.
        settings: settings by dotted name.
        where: where the settings are in the file, for messages.
    """

    model: str
    columns: Mapping[str, str | int | float]
    settings: Mapping[str, Any]
    where: str = ""

    @property
    def row(self) -> Row:
        """Values of all columns."""
        return (self.model, *self.columns.values())

    @property
    def values(self) -> dict[str, str | int | float]:
        """Values by which a baseline may be chosen: those of the columns and, as a column shows them, the settings."""
        settings = {name: shown(value) for name, value in self.settings.items()}
        return {
            "model": self.model,
            **{name: value for name, value in self.columns.items() if name != TRAINED},
        } | settings


def read_study(path: Path) -> Study:
    """Return the study that a TOML file defines. Its settings are checked when its points are made.

    Raises:
        UserError: the file cannot be read, or has an unknown, missing or refused field.
    """
    content = read_study_file(path)
    variants = _variants(content, path)
    layout = _layout(content, variants, path)
    return Study(layout, _grid(content, variants, path), only_by_name=True, file=path)


def _variants(content: StudyFile, path: Path) -> list[Variant]:
    """Return the rows of the table in order: models in turn, then combinations, the last axis changing fastest."""
    if content.rows:
        return _listed_variants(content, path)
    common = content.settings.flat
    axes = content.grid.axes
    return [
        Variant(
            model,
            {name: shown(value) for name, value in zip(axes, values, strict=True)},
            common | dict(zip(axes, values, strict=True)),
            str(path),
        )
        for model in content.models
        for values in product(*axes.values())
    ]


def _listed_variants(content: StudyFile, path: Path) -> list[Variant]:
    common = content.settings.flat
    variants = [
        Variant(model, {LABEL: row.label}, common | row.flat, f"{path}, row {row.label!r}")
        for row in content.rows
        for model in row.models or content.models
    ]
    trainings: dict[str, str | int | float] = {}
    of_variants = []
    for variant in variants:
        training = {name: value for name, value in variant.settings.items() if name not in SCORING}
        key = json.dumps([variant.model, training], sort_keys=True)
        of_variants.append(trainings.setdefault(key, variant.columns[LABEL]))
    if len(trainings) == len(variants):
        return variants
    return [
        replace(variant, columns={TRAINED: training, **variant.columns})
        for variant, training in zip(variants, of_variants, strict=True)
    ]


def shown(value: Any) -> str | int | float:
    """Return a setting's value as the value of a column: a number or text."""
    if isinstance(value, bool):
        # Not true and false, which a reader of the table's CSV file would take for something else than text.
        return "yes" if value else "no"
    if isinstance(value, list):
        return " ".join(str(shown(item)) for item in value)
    return value if isinstance(value, int | float) else str(value)


def _layout(content: StudyFile, variants: Sequence[Variant], path: Path) -> Layout:
    columns = list(variants[0].columns)
    # Labels tell the models of rows apart, unless a row has several.
    models = {(variant.columns.get(LABEL), variant.model) for variant in variants}
    several_models = len(models) > len({label for label, _ in models}) or not columns
    headings = flatten(content.headings)
    for name in headings.keys() - {"model", *columns}:
        raise UserError(f"{path}: headings.{name} is no column; choose from {', '.join(['model', *columns])}")
    heads: dict[str, str | None] = {"model": headings.get("model", "Model") if several_models else None}
    heads |= {name: headings.get(name) or heading(name, columns) for name in columns}
    if TRAINED in heads:
        heads[TRAINED] = None
    visible = [head for head in heads.values() if head is not None]
    if len({*visible}) < len(visible):
        raise UserError(f"{path}: two columns have the same heading; give them different `headings`")
    of_rows = [
        f"{row.label}: {', '.join([f'model {model}' for model in row.models or content.models] + _listed(row))}"
        for row in content.rows
    ]
    fixed = _listed(content.settings)
    notes = [f"In every row, {', '.join(fixed)}"] if fixed else []
    return Layout(
        content.name,
        content.title or content.name,
        heads,
        [variant.row for variant in variants],
        {"model": KNOWN_NAMES},
        ". ".join(notes + of_rows),
        scoring_columns=[name for name in columns if name in SCORING or (name == LABEL and TRAINED in columns)],
        baseline=_baseline(content, variants, path),
        quantities=content.quantities,
        axes=[] if content.rows else columns,
    )


def _listed(settings: Settings) -> list[str]:
    return [f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in settings.flat.items()]


def heading(setting: str, columns: Sequence[str]) -> str:
    """Return the heading of a setting: the last part of its name in words, or all of it if another ends alike."""
    last = setting.rpartition(".")[2]
    name = last if [other.rpartition(".")[2] for other in columns].count(last) == 1 else setting
    unit = f" ({UNITS[last]})" if last in UNITS else ""
    return "Variant" if setting == LABEL else name.replace("_", " ").capitalize() + unit


def _baseline(content: StudyFile, variants: Sequence[Variant], path: Path) -> Row:
    rows: list[Row] = [variant.row for variant in variants]
    wanted = content.baseline
    if wanted is None:
        return rows[0]
    if isinstance(wanted, str):
        # A label stands last, after that of the row that it may share a training with.
        fitting = [row for row in rows if wanted == row[-1]] or [row for row in rows if wanted in row]
    else:
        asked = {name: shown(value) for name, value in flatten(wanted).items()}
        known = dict.fromkeys(name for variant in variants for name in variant.values)
        for name in asked.keys() - known.keys():
            raise UserError(f"{path}: baseline.{name} is no column or setting; choose from {', '.join(known)}")
        fitting = [variant.row for variant in variants if asked.items() <= variant.values.items()]
    if len(fitting) != 1:
        listed = "; ".join(", ".join(map(str, row)) for row in fitting or rows)
        fits = "several rows" if fitting else "no row"
        raise UserError(f"{path}: baseline {wanted!r} fits {fits}; {'it fits' if fitting else 'there are'}: {listed}")
    return fitting[0]


def _grid(content: StudyFile, variants: Sequence[Variant], path: Path) -> "Callable[[Profile], Sequence[Point]]":
    def grid(profile: "Profile") -> Sequence[Point]:
        _refuse_unknown(variants)
        _refuse_items(content, path)
        return [_point(variant, seed) for variant in variants for seed in content.seeds or profile.seeds]

    return grid


def _point(variant: Variant, seed: int) -> Point:
    overrides = unfold({name: value for name, value in variant.settings.items() if name not in SCORING})
    scoring = {name: variant.settings[name] for name in SCORING if name in variant.settings}
    return Point(variant.model, seed, variant.columns, overrides, **scoring, origin=variant.where)


def _refuse_unknown(variants: Sequence[Variant]) -> None:
    """Raise a UserError for the first model, setting of a network or extraction that does not exist.

    Other settings are checked with their values when the points are planned.
    """
    # Importing torch takes seconds, and commands that only read records do without it.
    from ossnet.evaluation.evaluation import extractor
    from ossnet.model import ModelConfig
    from ossnet.registry import model_type

    def fields_of(model: str) -> list[str]:
        # The others follow from the data and their preprocessing.
        own = {part.name for part in fields(model_type(model).config_type)} - {
            part.name for part in fields(ModelConfig)
        }
        return [f"network.{name}" for name in sorted(own)]

    for variant in variants:
        try:
            known = fields_of(variant.model)
            extractor(variant.settings.get("extraction", "dense"))
        except UserError as error:
            raise UserError(f"{variant.where}: {error}") from error
        unknown = [name for name in variant.settings if name.startswith("network.") and name not in known]
        if unknown:
            others = {other.model for other in variants if unknown[0] in fields_of(other.model)}
            remedy = f"; {', '.join(sorted(others))} has it: list `rows` and name its `models`" if others else ""
            raise UserError(
                f"{variant.where}: {unknown[0]} is no setting of model {variant.model}, which has "
                f"{', '.join(known) or 'none'}{remedy}"
            )


def _refuse_items(content: StudyFile, path: Path) -> None:
    """Raise a UserError for the first axis that has the items of one list, such as channels, in place of lists."""
    # Imported here as in `_refuse_unknown`.
    from ossnet.registry import model_type
    from ossnet.training.run import RunSpec

    for name, values in content.grid.axes.items():
        part, _, field = name.partition(".")
        of_list = (
            any(takes_list(model_type(model).config_type, field) for model in content.models)
            if part == "network"
            else takes_list(RunSpec, name)
        )
        if of_list and not any(isinstance(value, list) for value in values):
            raise UserError(
                f"{path}: grid.{name} = {json.dumps(values)}: one value of this setting is itself a list; write "
                f"lists in the list, such as [{json.dumps(values)}, {json.dumps(values[:-1] or values * 2)}]"
            )
