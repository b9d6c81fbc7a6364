"""The command `ossnet models`."""

import argparse

from ossnet.cli.options import Commands
from ossnet.registry import model_names, model_type


def add(commands: Commands) -> None:
    """Add the command."""
    commands.add_parser("models", help="list the models").set_defaults(command=_models)


def _models(_: argparse.Namespace) -> None:
    for name in model_names():
        kind = model_type(name)
        print(f"{name:<16}{(kind.__doc__ or '').strip().splitlines()[0]}")
