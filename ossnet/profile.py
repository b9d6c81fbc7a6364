"""Profiles: how large everything is and how long it trains, one TOML file each."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from ossnet.config import build, merge, read_toml
from ossnet.data.case import Dataset
from ossnet.errors import UserError
from ossnet.registry import model_names, model_type
from ossnet.run import RunSpec

PARTS = ("network", "recipe", "preprocessing")


@dataclass(frozen=True)
class Profile:
    """Settings by data set and model.

    A run's settings are four tables laid over each other, the later before the earlier: those of every model, of the
    model's family (`occupancy`, `unet3d`, `unet2d`), of the model, and the same three under `datasets.NAME`. Each may
    have the tables `network`, `recipe` and `preprocessing`.
    """

    name: str
    seeds: tuple[int, ...]
    table: Mapping[str, Any]

    def spec(self, model: str, dataset: Dataset, seed: int, overrides: Mapping[str, Any] | None = None) -> RunSpec:
        """The specification of a run.

        Args:
            overrides: tables like those of the file, laid over everything.

        Raises:
            UserError: an unknown model or field, or a value that its check refuses.
        """
        kind = model_type(model)
        of_dataset = self.table["datasets"].get(dataset.name, self.table["datasets"]["own"])
        levels = [part for table in (self.table, of_dataset) for part in _levels(table, kind.family, model)]
        settings = merge(*levels, overrides or {})
        for part, values in settings.items():
            if part not in PARTS or not isinstance(values, Mapping):
                raise UserError(f"unknown setting {part!r}; settings start with {', '.join(f'{p}.' for p in PARTS)}")
        where = f"profile {self.name}, model {model}"
        network = settings.get("network", {})
        for field, value in kind.preset.items():
            if network.get(field, value) != value:
                raise UserError(f"{where}: network.{field} = {value} makes this model what it is; choose another model")
        return build(
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

    def effort(self, model: str) -> float:
        """How long a run takes against others, roughly: 1 where the table `effort` does not tell."""
        return float(self.table.get("effort", {}).get(model, 1))

    def generator(self, dataset: str) -> dict[str, Any]:
        """Fields of an embedded data set's generator."""
        values: dict[str, Any] = self.table["datasets"].get(dataset, {}).get("generator", {})
        return values


def _levels(table: Mapping[str, Any], family: str, model: str) -> list[dict[str, Any]]:
    names = ("every", family) if family == model else ("every", family, model)
    return [table.get(name, {}) for name in names]


def profile_names() -> list[str]:
    """The profiles that come with the package."""
    return sorted(path.name.removesuffix(".toml") for path in files("ossnet").joinpath("profiles").iterdir())


def load_profile(name: str) -> Profile:
    """A profile by its name.

    Raises:
        UserError: there is none, or its file has a table that belongs to no model, family or data set.
    """
    if name not in profile_names():
        raise UserError(f"unknown profile {name!r}; choose one of {', '.join(profile_names())}")
    table = read_toml(str(files("ossnet").joinpath("profiles", f"{name}.toml")))
    models = {"every", *model_names(), *(model_type(model).family for model in model_names())}
    unknown = table.keys() - models - {"seeds", "datasets", "effort"}
    for dataset in table["datasets"].values():
        unknown |= dataset.keys() - models - {"generator"}
    if unknown:
        raise UserError(
            f"profile {name}: {sorted(unknown)[0]!r} is no model or family; known: {', '.join(sorted(models))}"
        )
    return Profile(name, tuple(table["seeds"]), table)
