"""Profiles: how large everything is and how long it trains, one TOML file each."""

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
from ossnet.errors import UserError
from ossnet.registry import model_names, model_type
from ossnet.training.run import RunSpec

PARTS = ("network", "recipe", "preprocessing")


@dataclass(frozen=True)
class Profile:
    """Settings by data set and model.

    A run's settings are four tables laid over each other, the later before the earlier: those of every model, of the
    model's family (`occupancy`, `unet3d`, `unet2d`), of the model, and the same three under `datasets.NAME`. Each may
    have the tables `network`, `recipe` and `preprocessing`.

    Attributes:
        seeds: of the runs of a study.
        table: of models, families and data sets.
        slurm: how runs are sent to a cluster, see `benchmarks.runs.slurm`.
        locations_scale: by which studies divide the paper's numbers of locations.
    """

    name: str
    seeds: tuple[int, ...]
    table: Mapping[str, Any]
    slurm: Mapping[str, Any] = field(default_factory=dict)
    locations_scale: int = 1

    def spec(self, model: str, dataset: Dataset, seed: int, overrides: Mapping[str, Any] | None = None) -> RunSpec:
        """The specification of a run.

        Args:
            overrides: tables like those of the file, laid over everything.

        Raises:
            UserError: an unknown model or field, or a value that its check refuses.
        """
        kind = model_type(model)
        datasets = self.table["datasets"]
        of_dataset = datasets.get(dataset.name, datasets.get("own", {}))
        levels = [part for table in (self.table, of_dataset) for part in _levels(table, kind.family, model)]
        settings = merge(*levels, overrides or {})
        for part, values in settings.items():
            if part not in PARTS or not isinstance(values, Mapping):
                raise UserError(f"unknown setting {part!r}; settings start with {', '.join(f'{p}.' for p in PARTS)}")
        where = f"profile {self.name}, model {model}"
        network = settings.get("network", {})
        for key, value in kind.preset.items():
            if network.get(key, value) != value:
                raise UserError(f"{where}: network.{key} = {value} makes this model what it is; choose another model")
        spec = build(
            RunSpec,
            {
                "model": model,
                "network": network | kind.preset,
                "dataset": dataset.name,
                "fingerprint": dataset.fingerprint,
                "modalities": dataset.modalities,
                "preprocessing": settings.get("preprocessing", {}),
                "recipe": settings.get("recipe", {}),
                "seed": seed,
            },
            where,
        )
        whole = plain(spec.config)
        return replace(spec, network={name: value for name, value in whole.items() if name not in spec.size})

    def generator(self, dataset: str) -> dict[str, Any]:
        """Fields of an embedded data set's generator."""
        values: dict[str, Any] = self.table["datasets"].get(dataset, {}).get("generator", {})
        return values


def _levels(table: Mapping[str, Any], family: str, model: str) -> list[dict[str, Any]]:
    # A family may be `every`, or have the name of its only model.
    return [table.get(name, {}) for name in dict.fromkeys(("every", family, model))]


def profile_names() -> list[str]:
    """The profiles that come with the package."""
    return sorted(path.name.removesuffix(".toml") for path in files("ossnet").joinpath("profiles").iterdir())


def load_profile(name: str) -> Profile:
    """A profile by its packaged name, or by the path of a TOML file, which is then named as the file is.

    A file may begin with `base = "paper"`, or the path of another file, relative to its own: it is laid over that.

    Raises:
        UserError: there is none; its bases go round in a circle; it has the name of a packaged one; or it has a table
            that belongs to no model, family or data set, or a value that is refused.
    """
    path = _profile_path(name, Path())
    if not path.stem.isprintable():
        raise UserError(f"{path}: this name is no readable text, and names the profile in records; rename the file")
    packaged = path.stem in profile_names()
    if packaged and path.resolve() != _packaged_path(path.stem).resolve():
        raise UserError(f"{path} is named as a profile of the package, which records would mistake it for; rename it")
    where = f"profile {path.stem if packaged else path}"
    table = _read_with_base(path, ())
    models = {key: table.pop(key) for key in table.keys() - {"seeds", "datasets", "slurm", "studies"}}
    known = {"every", *model_names(), *(model_type(model).family for model in model_names())}
    _refuse_unknown(models.keys(), known, where)
    file = build(_File, {**table, "models": models}, where)
    for dataset in file.datasets.values():
        _refuse_unknown(dataset.keys() - {"generator"}, known, where)
    return Profile(
        path.stem, file.seeds, file.models | {"datasets": file.datasets}, file.slurm, file.studies.locations_scale
    )


Tables = dict[str, dict[str, Any]]


@checked(frozen=True, config=STRICT)
class _Studies:
    locations_scale: int = Field(default=1, ge=1)


@checked(frozen=True, config=STRICT)
class _File:
    """What a profile's file holds, with the tables of models and families apart."""

    models: Tables
    seeds: tuple[Annotated[int, Field(ge=0)], ...] = Field(min_length=1)
    datasets: dict[str, Tables] = Field(default_factory=dict)
    slurm: dict[str, Any] = Field(default_factory=dict)
    studies: _Studies = Field(default_factory=_Studies)

    def __post_init__(self) -> None:
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"seeds {list(self.seeds)} name one twice")


def _refuse_unknown(tables: Set[str], known: Set[str], where: str) -> None:
    unknown = sorted(tables - known)
    if unknown:
        raise UserError(f"{where}: {unknown[0]!r} is no model or family; known: {', '.join(sorted(known))}")


def _packaged_path(name: str) -> Path:
    return Path(str(files("ossnet").joinpath("profiles", f"{name}.toml")))


def _profile_path(name: str, folder: Path) -> Path:
    """Of a profile that is named in a file in `folder`, or on the command line."""
    if name.lower().endswith(".toml"):
        return folder / name
    if name not in profile_names():
        raise UserError(
            f"unknown profile {name!r}; choose one of {', '.join(profile_names())}, or give the path of a .toml file"
        )
    return _packaged_path(name)


def _read_with_base(path: Path, above: tuple[Path, ...]) -> dict[str, Any]:
    """The tables of a file, laid over those of its base; `above` are the files that it is the base of."""
    if path.resolve() in above:
        raise UserError(f"profile {path} is its own base; remove `base` from one of the files that lead back to it")
    table = read_toml(path)
    base = table.pop("base", None)
    if base is None:
        return table
    if not isinstance(base, str):
        raise UserError(f"profile {path}: base = {base} is no text; give a profile's name or the path of a .toml file")
    return merge(_read_with_base(_profile_path(base, path.parent), (*above, path.resolve())), table)
