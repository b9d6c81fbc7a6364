"""Data sets by the name or place that a user gives."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ossnet.config import build
from ossnet.data.brats import brats_dataset
from ossnet.data.case import Dataset
from ossnet.data.glioma import GliomaConfig, glioma_dataset
from ossnet.data.lits import lits_dataset
from ossnet.data.liver import LiverConfig, liver_dataset
from ossnet.data.table import table_dataset
from ossnet.errors import UserError

Report = Callable[[int, int], None]

EMBEDDED: Mapping[str, tuple[type, Callable[..., Dataset]]] = {
    "glioma": (GliomaConfig, glioma_dataset),
    "liver": (LiverConfig, liver_dataset),
}
FOLDERS: Mapping[str, Callable[[str], Dataset]] = {
    "brats": lambda folder: brats_dataset(folder),
    "lits": lambda folder: lits_dataset(folder, seed=0),
}
SOURCE_HELP = "glioma or liver (made here), brats:FOLDER, lits:FOLDER, or a CSV of own cases"


def open_dataset(
    source: str, generator: Mapping[str, Any], cache: Path, workers: int = 2, report: Report | None = None
) -> Dataset:
    """The data set of a source: `glioma`, `liver`, `brats:FOLDER`, `lits:FOLDER` or a path ending in .csv.

    Args:
        generator: configuration fields of an embedded data set.
        cache: where embedded cases are kept.
        report: called as (cases made, of how many).

    Raises:
        UserError: an unknown source, or one that its reader refuses.
    """
    if source in EMBEDDED:
        config_type, make = EMBEDDED[source]
        return make(build(config_type, generator, f"generator of {source}"), cache, workers, report)
    reader, _, folder = source.partition(":")
    if reader in FOLDERS and folder:
        return FOLDERS[reader](folder)
    if source.endswith(".csv"):
        return table_dataset(source)
    raise UserError(f"unknown data {source!r}; give {SOURCE_HELP}")
