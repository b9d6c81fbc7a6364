"""Profiles: settings of networks, recipes and data sets for a scale of experiments, one TOML file each."""

import json
from collections.abc import Mapping, Set
from dataclasses import dataclass, field, replace
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field
from pydantic.dataclasses import dataclass as checked

from ossnet.checks import STRICT
from ossnet.config import build, merge, plain, read_toml
from ossnet.data.case import Dataset
from ossnet.data.label_names import Named
from ossnet.data.regions import refuse_other_regions, regions_for
from ossnet.errors import UserError
from ossnet.model import SegmentationModel
from ossnet.registry import model_names, model_type
from ossnet.training.run import RunSpec

PARTS = ("network", "recipe", "preprocessing")

SIZE = {
    "shape": "preprocessing.shape",
    "modalities": "the modalities of the data",
    "classes": "preprocessing.classes",
    "nested": "preprocessing.regions",
}
"""What the fields of `RunSpec.size` follow from."""


@dataclass(frozen=True)
class Profile:
    """Settings by data set and model.

    The settings of a run are merged from tables, the later ones taking precedence: those of every model, of the
    model's family (`occupancy`, `unet3d`, `unet2d`), of the model, and the same three under `datasets.NAME`. Each may
    have the tables `network`, `recipe` and `preprocessing`.

    Attributes:
        name: name of the profile in records.
        seeds: seeds of the runs of a study.
        table: tables of models, families and data sets.
        slurm: settings for running on a cluster, see `benchmarks.runs.slurm`.
        locations_scale: factor by which studies divide the paper's numbers of locations.
        league_s: seconds of a training of the study `league`, validation apart.
    """

    name: str
    seeds: tuple[int, ...]
    table: Mapping[str, Any]
    slurm: Mapping[str, Any] = field(default_factory=dict)
    locations_scale: int = 1
    league_s: float = 40

    def spec(self, model: str, dataset: Dataset, seed: int, overrides: Mapping[str, Any] | None = None) -> RunSpec:
        """Make the specification of a run.

        Args:
            model: name of the model in the registry.
            dataset: data set of the run; one without tables in the profile takes those of `own`.
            seed: seed of the run.
            overrides: tables `network`, `recipe` and `preprocessing` that take precedence over the profile's.

        Raises:
            UserError: a model or field is unknown, a value fails its check, or regions do not consist of what the data
                set's label values mean.
        """
        kind = model_type(model)
        settings = merge(self.settings(model, dataset.name), overrides or {})
        for part, values in settings.items():
            if part not in PARTS or not isinstance(values, Mapping):
                raise UserError(f"unknown setting {part!r}; settings start with {', '.join(f'{p}.' for p in PARTS)}")
        where = f"profile {self.name}, model {model}"
        network = settings.get("network", {})
        for key, value in kind.preset.items():
            if network.get(key, value) != value:
                raise UserError(
                    f"{where}: network.{key} = {value} defines this model; {_instead(kind, key, network[key])}"
                )
        for key in network:
            if key in SIZE:
                raise UserError(f"{where}: network.{key} follows from {SIZE[key]}; set that instead")
        preprocessing = dict(settings.get("preprocessing", {}))
        if "regions" in preprocessing:
            regions = preprocessing["regions"] = regions_for(dataset.name, preprocessing["regions"])
            if isinstance(regions, str):
                data = Named(f"data set {dataset.name}", dataset.label_names)
                refuse_other_regions(regions, "preprocessing.regions", data)
        spec = build(
            RunSpec,
            {
                "model": model,
                "network": network | kind.preset,
                "dataset": dataset.name,
                "fingerprint": dataset.fingerprint,
                "modalities": dataset.modalities,
                "preprocessing": preprocessing,
                "recipe": settings.get("recipe", {}),
                "seed": seed,
                "fold": dataset.fold,
            },
            where,
        )
        whole = plain(spec.config)
        return replace(spec, network={name: value for name, value in whole.items() if name not in spec.size})

    def settings(self, model: str, dataset: str | None = None) -> dict[str, Any]:
        """Return the merged tables of a model, for a data set or, with None, before those of any data set.

        Raises:
            UserError: the model is unknown.
        """
        tables, datasets = [self.table], self.table["datasets"]
        if dataset is not None:
            tables.append(datasets.get(dataset, datasets.get("own", {})))
        family = model_type(model).family
        return merge(*(part for table in tables for part in _levels(table, family, model)))

    def generator(self, dataset: str) -> dict[str, Any]:
        """Return the fields of an embedded data set's generator; none for other data sets."""
        values: dict[str, Any] = self.table["datasets"].get(dataset, {}).get("generator", {})
        return values


def _instead(kind: type[SegmentationModel], key: str, value: Any) -> str:
    """Return which model to choose where a field that defines a model should have another value, and with what."""
    wanted = {**kind.preset, key: value}
    presets = {
        name: other.preset
        for name in model_names()
        if (other := model_type(name)).config_type is kind.config_type and other.preset.items() <= wanted.items()
    }
    if not presets:
        return "choose another model"
    closest = max(presets, key=lambda name: len(presets[name]))
    rest = [f"network.{name} = {json.dumps(of)}" for name, of in wanted.items() if name not in presets[closest]]
    return f"choose model {closest}" + (f" with {', '.join(rest)}" if rest else "")


def _levels(table: Mapping[str, Any], family: str, model: str) -> list[dict[str, Any]]:
    # A family may be `every`, or have the name of its only model.
    return [table.get(name, {}) for name in dict.fromkeys(("every", family, model))]


def profile_names() -> list[str]:
    """Return the names of the profiles of the package, sorted."""
    return sorted(path.name.removesuffix(".toml") for path in files("ossnet").joinpath("profiles").iterdir())


def load_profile(name: str) -> Profile:
    """Load a profile: one of the package by its name, any other by the path of its TOML file.

    The name of the file, without its suffix, becomes the name of the profile. A file may begin with `base`, a profile's
    name or a path relative to the file. Its tables are then merged into those of the base and take precedence.

    Raises:
        UserError: there is no such profile, it is its own base, or a file has the name of a profile of the package, a
            table of no model, family or data set, or a value that fails its check.
    """
    path = _profile_path(name, Path())
    if not path.stem.isprintable():
        raise UserError(f"{path}: the file's name, which names the profile in records, is not printable; rename it")
    packaged = path.stem in profile_names()
    if packaged and path.resolve() != _packaged_path(path.stem).resolve():
        raise UserError(f"{path} has the name of a profile of the package and would pass for it in records; rename it")
    where = f"profile {path.stem if packaged else path}"
    table = _read_with_base(path, ())
    models = {key: table.pop(key) for key in table.keys() - {"seeds", "datasets", "slurm", "studies"}}
    known = {"every", *model_names(), *(model_type(model).family for model in model_names())}
    _refuse_unknown(models.keys(), known, where)
    file = build(_File, {**table, "models": models}, where)
    for dataset in file.datasets.values():
        _refuse_unknown(dataset.keys() - {"generator"}, known, where)
    models = file.models | {"datasets": file.datasets}
    return Profile(path.stem, file.seeds, models, file.slurm, file.studies.locations_scale, file.studies.league_s)


Tables = dict[str, dict[str, Any]]


@checked(frozen=True, config=STRICT)
class _Studies:
    locations_scale: int = Field(default=1, ge=1)
    league_s: float = Field(default=40, gt=0)


@checked(frozen=True, config=STRICT)
class _File:
    """Contents of a profile's file, with the tables of models and families moved to `models`."""

    models: Tables
    seeds: tuple[Annotated[int, Field(ge=0)], ...] = Field(min_length=1)
    datasets: dict[str, Tables] = Field(default_factory=dict)
    slurm: dict[str, Any] = Field(default_factory=dict)
    studies: _Studies = Field(default_factory=_Studies)

    def __post_init__(self) -> None:
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"seeds {list(self.seeds)} contain a duplicate")


def _refuse_unknown(tables: Set[str], known: Set[str], where: str) -> None:
    unknown = sorted(tables - known)
    if unknown:
        raise UserError(f"{where}: {unknown[0]!r} is no model or family; known: {', '.join(sorted(known))}")


def _packaged_path(name: str) -> Path:
    return Path(str(files("ossnet").joinpath("profiles", f"{name}.toml")))


def _profile_path(name: str, folder: Path) -> Path:
    """Return the path of a profile; that of a TOML file is relative to `folder`."""
    if name.lower().endswith(".toml"):
        return folder / name
    if name not in profile_names():
        raise UserError(
            f"unknown profile {name!r}; choose one of {', '.join(profile_names())}, or give the path of a .toml file"
        )
    return _packaged_path(name)


def _read_with_base(path: Path, above: tuple[Path, ...]) -> dict[str, Any]:
    """Read the tables of a file, merged into those of its base.

    Args:
        path: the file.
        above: files that are based on this one, directly or indirectly; none of them may be its base.
    """
    if path.resolve() in above:
        raise UserError(f"profile {path} is its own base; remove `base` from one of the files that lead back to it")
    table = read_toml(path)
    base = table.pop("base", None)
    if base is None:
        return table
    if not isinstance(base, str):
        raise UserError(f"profile {path}: base = {base} is not a string; give a profile's name or a .toml file's path")
    return merge(_read_with_base(_profile_path(base, path.parent), (*above, path.resolve())), table)
