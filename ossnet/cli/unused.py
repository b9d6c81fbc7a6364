"""Refusal of options that have no effect together with the others that are given."""

import argparse

from ossnet.errors import UserError


def refuse_unused(arguments: argparse.Namespace, used: bool, user: str, *options: str) -> None:
    """Raise if one of some options is given although nothing that was chosen uses it.

    An option counts as given if its value is not its default.

    Args:
        arguments: the parsed arguments, with their parser as `parser`.
        used: whether something that was chosen uses the options.
        user: what uses them, in words or as an option such as `--mesh`.
        options: the options, such as `--tolerance-mm`.

    Raises:
        UserError: one of the options is given and not used.
    """
    for option in () if used else options:
        name = option.removeprefix("--").replace("-", "_")
        if getattr(arguments, name) != arguments.parser.get_default(name):
            raise UserError(f"{option} has no effect here: it is for {user}; choose that, or leave {option} out")
