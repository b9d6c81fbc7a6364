"""What several commands share: options of machine, data, extraction and precision, and types of values."""

import argparse
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn, Protocol, get_args

from ossnet.config import build, merge
from ossnet.data.folds import Fold
from ossnet.data.sources import SOURCE_HELP
from ossnet.errors import UserError
from ossnet.inference.extraction import EXTRACTORS
from ossnet.network.execution import Precision


class Commands(Protocol):
    """Collection to which the module of each command adds its parser, as `argparse` makes it."""

    def add_parser(self, name: str, **options: Any) -> argparse.ArgumentParser:
        """Add a command and return its parser."""


class OneLineParser(argparse.ArgumentParser):
    """Parser that raises a `UserError` instead of printing its usage."""

    def error(self, message: str) -> NoReturn:
        """Raise the message as an error of the user."""
        raise UserError(f"{message}; see {self.prog} --help")


def machine_options() -> argparse.ArgumentParser:
    """Return the options that choose a device."""
    machine = OneLineParser(add_help=False)
    machine.add_argument("--device", help="device to run on: cpu, cuda or cuda:N (default: a GPU if there is one)")
    machine.add_argument("--threads", type=positive, help="number of CPU threads (default: all cores)")
    return machine


def data_options(positional: bool = False) -> argparse.ArgumentParser:
    """Return the options that choose a data set, its size, its splits and its cache.

    Args:
        positional: whether the data set is an argument without `--data`.
    """
    data = OneLineParser(add_help=False, parents=[cache_option()])
    text = f"data set: {SOURCE_HELP}"
    if positional:
        data.add_argument("data", metavar="SOURCE", help=text)
    else:
        data.add_argument("--data", required=True, metavar="DATA", help=text)
    data.add_argument(
        "--profile",
        default="laptop",
        help="profile of data sizes and training lengths: laptop, workstation, paper, released or a TOML file "
        "(default: %(default)s)",
    )
    data.add_argument(
        "--folds",
        type=positive,
        metavar="K",
        help="split the cases into K folds for cross-validation, instead of the split of the data set; those that a "
        "table holds out for test are in no fold",
    )
    data.add_argument(
        "--fold",
        type=int,
        metavar="I",
        help="fold, from 0, that becomes the split test; a tenth of the others becomes the split validation",
    )
    data.add_argument(
        "--split-file",
        type=Path,
        metavar="CSV",
        help="table with the columns name and split, which replaces the split of the data set",
    )
    return data


def chosen_split(arguments: argparse.Namespace, of_run: Fold | None = None) -> Fold | Path | None:
    """Return the fold or the table of splits that is chosen, or None for neither.

    Args:
        arguments: the arguments.
        of_run: fold of a run, whose number or number of folds is taken if only the other is given.

    Raises:
        UserError: only one of --folds and --fold is given, there is no such fold, or a table is given as well.
    """
    fold, of, table = arguments.fold, arguments.folds, arguments.split_file
    if of_run is not None and (fold is None) != (of is None):
        fold, of = (of_run.number, of) if fold is None else (fold, of_run.of)
    if (fold is None) != (of is None):
        raise UserError("--folds is the number of folds and --fold is one of them; give both")
    if of is not None and table is not None:
        raise UserError("--split-file gives the splits, as --folds does; give one of them")
    return table if of is None else build(Fold, {"number": fold, "of": of}, "--folds and --fold")


def cache_option() -> argparse.ArgumentParser:
    """Return the option of the cache."""
    cache = OneLineParser(add_help=False)
    cache.add_argument(
        "--cache", type=Path, default=Path("results/cache"), help="folder for prepared cases (default: %(default)s)"
    )
    return cache


def modalities_option() -> argparse.ArgumentParser:
    """Return the option that chooses modalities of a data set to train on."""
    modalities = OneLineParser(add_help=False)
    modalities.add_argument(
        "--modalities",
        nargs="+",
        metavar="NAME",
        help="modalities of the data set to train on, such as flair t1ce (default: all); the model is then evaluated "
        "on any data set that has these",
    )
    return modalities


def set_option() -> argparse.ArgumentParser:
    """Return the option that changes settings of a profile; `settings` reads its values."""
    changes = OneLineParser(add_help=False)
    changes.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="change a setting of the profile, such as recipe.epochs=30, network.patch_size=7 or "
        "preprocessing.shape=[64,64,48]; can be repeated",
    )
    return changes


def extraction_options() -> argparse.ArgumentParser:
    """Return the options of a segmentation."""
    extraction = OneLineParser(add_help=False)
    extraction.add_argument(
        "--extraction",
        help=f"method to extract the segmentation: one of {', '.join(EXTRACTORS)} (default: the model's own, which is "
        "dense for U-Nets and mise for the others)",
    )
    extraction.add_argument(
        "--max-locations",
        type=positive,
        default=2**14,
        metavar="N",
        help="number of locations per pass, which limits the memory (default: %(default)s)",
    )
    extraction.add_argument(
        "--max-slices",
        type=positive,
        metavar="N",
        help="number of slices per pass of a 2D U-Net (default: as in training)",
    )
    return extraction


def precision_options() -> argparse.ArgumentParser:
    """Return the option of the floating-point precision."""
    precision = OneLineParser(add_help=False)
    precision.add_argument(
        "--precision",
        choices=get_args(Precision),
        help="floating-point precision of the network's blocks (default: as in training)",
    )
    return precision


def positive(text: str) -> int:
    """Return a whole number above 0."""
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number above 0")
    return value


def settings(pairs: Sequence[str]) -> dict[str, Any]:
    """Return the tables that `--set a.b=value` describes. A value is TOML, or else text.

    Raises:
        UserError: an option is not of the form KEY=VALUE, or cannot be read as TOML.
    """
    tables: dict[str, Any] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise UserError(f"--set {pair}: write KEY=VALUE, such as recipe.epochs=30")
        try:
            table = tomllib.loads(f"{key} = {value}")
        except tomllib.TOMLDecodeError:
            try:
                table = tomllib.loads(f"{key} = '{value}'")
            except tomllib.TOMLDecodeError as error:
                raise UserError(f"--set {pair} is not valid TOML; quote the value or correct the key") from error
        tables = merge(tables, table)
    return tables
