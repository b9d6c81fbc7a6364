"""The command `ossnet models`."""

import argparse
import json
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

from ossnet.cli.options import Commands
from ossnet.cli.unused import refuse_unused
from ossnet.errors import UserError
from ossnet.registry import model_names, model_type


def add(commands: Commands) -> None:
    """Add the command."""
    models = commands.add_parser("models", help="list the models, or the settings of one")
    models.add_argument(
        "model",
        nargs="?",
        metavar="MODEL",
        help="name of a model, to list its settings: those of `ossnet train --set` and of studies",
    )
    models.add_argument(
        "--profile",
        default="laptop",
        help="profile whose values are listed, by name or TOML file (default: %(default)s)",
    )
    models.add_argument(
        "--data",
        default="glioma",
        metavar="NAME",
        help="data set of the profile whose values are listed, such as glioma or liver, or own for any other (default: "
        "%(default)s)",
    )
    models.set_defaults(command=_models, parser=models)


def _models(arguments: argparse.Namespace) -> None:
    refuse_unused(arguments, arguments.model is not None, "a named model", "--profile", "--data")
    if arguments.model is None:
        for name in model_names():
            print(f"{name:<16}{_title(name)}")
        return
    rows = list(_settings(arguments.model, arguments.profile, arguments.data))
    widths = [max(len(row[place]) for row in rows) + 2 for place in (0, 1)]
    print(f"{_title(arguments.model)} Profile {arguments.profile}, data set {arguments.data}:")
    for name, value, allowed in rows:
        print(f"{name:<{widths[0]}}{value:<{widths[1]}}{allowed}")


def _title(model: str) -> str:
    return (model_type(model).__doc__ or "").strip().partition("\n")[0]


def _settings(model: str, profile_name: str, dataset_name: str) -> Iterator[tuple[str, str, str]]:
    """Yield each setting's name, its value as TOML (`unset` for none), and what it may be.

    Raises:
        UserError: the model, the profile or its data set is unknown, or a value is refused.
    """
    # Importing torch takes seconds, which the other commands' help does without.
    from ossnet.cli.allowed_values import allowed_values
    from ossnet.data.case import Case, Dataset
    from ossnet.sampling import FIELDS_OF
    from ossnet.training.given_settings import replaced
    from ossnet.training.profile import load_profile

    profile, kind = load_profile(profile_name), model_type(model)
    known = {*profile.table["datasets"], "own"}
    if dataset_name not in known:
        raise UserError(
            f"profile {profile.name} has no data set {dataset_name}; choose from {', '.join(sorted(known))}"
        )
    # Values depend on no more than the name of the data set.
    dataset = Dataset(dataset_name, ("image",), {}, dict[str, Case]().__getitem__, "")
    spec = profile.spec(model, dataset, 0)
    without_effect = replaced(profile.settings(model, dataset_name), spec)
    of_strategy = {f"recipe.sampling.{name}": strategy for strategy, names in FIELDS_OF.items() for name in names}
    for part, config in (("network", spec.config), ("recipe", spec.recipe), ("preprocessing", spec.preprocessing)):
        allowed = allowed_values(type(config))
        for name, value in _values(config):
            dotted = f"{part}.{name}"
            if part == "network" and name in spec.size:
                continue
            words = allowed.get(name, "")
            if part == "network" and name in kind.preset:
                words = "defines this model"
            elif dotted in of_strategy:
                words += f'; only with strategy = "{of_strategy[dotted]}"'
            # What has no effect now may have one with other settings, and then has the profile's value.
            value, _ = without_effect.get(dotted, (value, None))
            yield dotted, "unset" if value is None else json.dumps(value), words


def _values(config: Any) -> Iterator[tuple[str, Any]]:
    """Yield the values of a configuration and of those within it, by dotted name."""
    for field in fields(config):
        value = getattr(config, field.name)
        if is_dataclass(value):
            yield from ((f"{field.name}.{name}", inner) for name, inner in _values(value))
        else:
            yield field.name, value
