"""Contents of the TOML file of a study.

A study of six points, OSS-Net C with three sizes of patches and two widths of the decoder:

    name = "patches"
    title = "Size of patches and width of the decoder"
    models = ["c"]
    quantities = ["dice", "hausdorff95", "training_memory"]
    baseline = { network.patch_size = 5, network.decoder_width = 64 }

    [grid]
    network.patch_size = [3, 5, 7]
    network.decoder_width = [32, 64]
"""

import json
from collections.abc import Mapping
from datetime import date, time
from itertools import pairwise
from math import isfinite
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass

from ossnet.checks import STRICT
from ossnet.config import build, flatten, merge, read_toml
from ossnet.errors import UserError
from ossnet.evaluation.quantities import COST_QUANTITIES, QUANTITIES, SCORES

PARTS = ("network", "recipe", "preprocessing")
"""Tables of settings, whose fields are those of the model's configuration, the recipe and the preprocessing."""

SCORING = ("extraction", "max_locations")
"""Settings of how a trained model is scored; see `benchmarks.study.Point`."""

FIGURE_NAMES = ("sampling", "models", "tradeoff", "segmentations", "cases", "figure1", "memory_parts", "transfer")
"""Names of figures in `paper_figures` that are no studies of the suite, which a study's figure may not have either."""

TABLE_NAMES = ("claims", "reproduction", "simulation")
"""Names of tables that other commands write, which a study's tables may not have either."""

Values = dict[str, Any]

# Strict, since true would otherwise pass for 1. Descriptions say in messages what to give.
Count = Annotated[int, Field(ge=1, strict=True)]
LIST_OF_MODELS = 'a list, such as ["c"]'


@dataclass(frozen=True, config=STRICT)
class Settings:
    """Settings that take precedence over the profile's.

    Attributes:
        network: fields of the model's configuration.
        recipe: fields of `ossnet.training.recipe.Recipe`.
        preprocessing: fields of `ossnet.data.preprocessing.Preprocessing`.
        extraction: name of an extraction in `ossnet.inference.extraction.EXTRACTORS`.
        max_locations: maximal number of locations per pass of the extraction.
    """

    network: Values = Field(default_factory=dict)
    recipe: Values = Field(default_factory=dict)
    preprocessing: Values = Field(default_factory=dict)
    extraction: str | None = None
    max_locations: Count | None = Field(default=None, description="a whole number from 1")

    @property
    def flat(self) -> Values:
        """Values by dotted name, such as `network.patch_size`, those that are set."""
        return flatten(
            {part: getattr(self, part) for part in PARTS}
            | {name: getattr(self, name) for name in SCORING if getattr(self, name) is not None}
        )


@dataclass(frozen=True, config=STRICT, kw_only=True)
class RowTable(Settings):
    """A row of a study: a name with settings of its own.

    Attributes:
        label: name of the row in the table.
        models: models of the row; empty for those of the study.
    """

    label: str = Field(min_length=1, description="text that names the row")
    models: tuple[str, ...] = Field(default=(), description=LIST_OF_MODELS)

    @model_validator(mode="after")
    def _names_each_model_once(self) -> "RowTable":
        if len(set(self.models)) < len(self.models):
            raise ValueError(f"two of the models {', '.join(self.models)} are the same")
        return self


@dataclass(frozen=True, config=STRICT)
class Grid:
    """Lists of values, of which every combination is a row: the fields are those of `Settings`."""

    network: Values = Field(default_factory=dict)
    recipe: Values = Field(default_factory=dict)
    preprocessing: Values = Field(default_factory=dict)
    extraction: list[str] | None = Field(default=None, description='a list, such as ["dense"]')
    max_locations: list[Count] | None = Field(default=None, description="a list of whole numbers from 1")

    @property
    def axes(self) -> dict[str, list[Any]]:
        """Values by dotted name, in the order of the fields."""
        flat = flatten({part: getattr(self, part) for part in PARTS})
        return flat | {name: getattr(self, name) for name in SCORING if getattr(self, name) is not None}

    @model_validator(mode="after")
    def _check(self) -> "Grid":
        for name, values in self.axes.items():
            if not isinstance(values, list) or not values:
                raise ValueError(f"{name} = {values!r} is no list of values")
            tables = [value for value in values if isinstance(value, Mapping)]
            if tables:
                inner = next(iter(flatten(tables[0])), "NAME")
                raise ValueError(
                    f"{name} lists tables; list values of single settings, {name}.{inner}, or use [[rows]]"
                )
            if any(value in values[:place] for place, value in enumerate(values)):
                raise ValueError(
                    f"{name} = {json.dumps(values)} has a value twice; a value that is itself a list has "
                    "brackets of its own, as in [[8, 16], [8, 16, 32]]"
                )
        return self


@dataclass(frozen=True, config=STRICT)
class StudyFile:
    """Contents of the file of a study. It has a grid, or rows, or neither: its models are then the rows.

    Attributes:
        name: name of the study and of its files: small letters, digits and underscores.
        models: names of the models, as `ossnet models` lists them.
        title: title in captions; empty for the name.
        seeds: seeds of the trainings; empty for those of the profile.
        quantities: columns of the table and panels of the figure, by the names of
            `ossnet.evaluation.quantities.SCORES` and `COST_QUANTITIES`.
        baseline: row that the others are compared with: its label, its model, or a table of the settings (and `model`)
            that distinguish it; None for the first row.
        settings: settings of every row.
        grid: lists of values.
        rows: rows one by one.
        headings: headings of columns and labels of axes, by setting, in place of its name.
    """

    name: str = Field(
        pattern=r"^[a-z][a-z0-9_]*$", description="small letters a-z, digits and _, beginning with a letter"
    )
    models: tuple[str, ...] = Field(min_length=1, description=LIST_OF_MODELS)
    title: str = ""
    seeds: tuple[Annotated[int, Field(ge=0, strict=True)], ...] = Field(
        default=(), description="a list of whole numbers from 0, such as [0, 1, 2]"
    )
    quantities: tuple[str, ...] = Field(
        default=("dice", "hausdorff95"), min_length=1, description='a list of names, such as ["dice", "hd95"]'
    )
    baseline: str | Values | None = Field(default=None, description="a label or a table of settings")
    settings: Settings = Field(default_factory=Settings, description="one table: write [settings], once")
    grid: Grid = Field(default_factory=Grid, description="one table: write [grid], once")
    rows: tuple[RowTable, ...] = Field(default=(), description="tables one by one: write [[rows]] before each")
    headings: Values = Field(default_factory=dict, description="one table of texts: write [headings], once")

    @model_validator(mode="after")
    def _check(self) -> "StudyFile":
        for kind, taken in (("figure", FIGURE_NAMES), ("table", TABLE_NAMES)):
            if self.name in taken:
                raise ValueError(f"name {self.name!r} is that of a {kind} of the suite; choose another")
        for name, heading in flatten(self.headings).items():
            if not isinstance(heading, str) or not heading:
                raise ValueError(f"headings.{name} = {heading!r} is no text")
        if self.grid.axes and self.rows:
            raise ValueError("give either a grid or rows")
        lists = {"models": self.models, "seeds": self.seeds, "quantities": self.quantities}
        lists["labels"] = tuple(row.label for row in self.rows)
        for kind, values in lists.items():
            if len(set(values)) < len(values):
                raise ValueError(f"two of the {kind} {', '.join(map(str, values))} are the same")
        known = [*SCORES, *COST_QUANTITIES]
        if unknown := [name for name in self.quantities if name not in known]:
            raise ValueError(f"unknown quantity {unknown[0]!r}; choose from {', '.join(known)}")
        for name in self.grid.axes.keys() & self.settings.flat.keys():
            raise ValueError(f"{name} is both in the grid and in the settings; leave one of them out")
        return self


def read_study_file(path: str | Path) -> StudyFile:
    """Read the TOML file of a study. Dotted names may be in quotes.

    Raises:
        UserError: the file cannot be read, or has an unknown, missing or refused field.
    """
    try:
        values = unfold(read_toml(path))
        _refuse_no_json(values)
    except ValueError as error:
        raise UserError(f"{path}: {error}") from error
    if isinstance(quantities := values.get("quantities"), list):
        values["quantities"] = [_quantity(name) for name in quantities]
    return build(StudyFile, values, str(path))


def unfold(table: Mapping[str, Any]) -> Values:
    """Return a table with every dotted key as nested tables, those in lists of tables included.

    Raises:
        ValueError: a value is given twice, by a dotted key and by a nested one.

    >>> unfold({"grid": {"network.patch_size": [3, 5]}})
    {'grid': {'network': {'patch_size': [3, 5]}}}
    """
    layers = []
    for key, value in table.items():
        if isinstance(value, Mapping):
            inner: Any = unfold(value)
        elif isinstance(value, list):
            inner = [unfold(item) if isinstance(item, Mapping) else item for item in value]
        else:
            inner = value
        for part in reversed(key.split(".")):
            inner = {part: inner}
        layers.append(inner)
    names = sorted(f"{name}." for layer in layers for name in flatten(layer))
    for name, following in pairwise(names):
        # Sorted, a table follows on the value that is in its place.
        if following.startswith(name):
            raise ValueError(f"{name[:-1]} is given twice; leave one of them out")
    return merge(*layers)


def _refuse_no_json(value: Any, name: str = "") -> None:
    """Raise a ValueError for the first value that TOML knows and JSON, in which runs are recorded, does not."""
    if isinstance(value, Mapping | list):
        for key, inner in value.items() if isinstance(value, Mapping) else enumerate(value):
            _refuse_no_json(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(value, date | time) or (isinstance(value, float) and not isfinite(value)):
        raise ValueError(
            f"{name} = {value} is a date or time, or not finite; give a number, true, false or text in quotes"
        )


def _quantity(name: Any) -> Any:
    """Return a quantity's name in records for the name that tables show, such as hausdorff95 for HD95."""
    shown = {quantity.name.casefold(): key for key, quantity in QUANTITIES.items()}
    return shown.get(name.casefold(), name) if isinstance(name, str) else name
