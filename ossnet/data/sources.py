"""Data sets by the name or place that a user gives."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ossnet.config import build
from ossnet.data.brats import brats_dataset
from ossnet.data.case import Dataset
from ossnet.data.lits import lits_dataset
from ossnet.data.synthetic.glioma import MODALITIES as GLIOMA_MODALITIES
from ossnet.data.synthetic.glioma import GliomaConfig, glioma_dataset
from ossnet.data.synthetic.liver import MODALITIES as LIVER_MODALITIES
from ossnet.data.synthetic.liver import LiverConfig, liver_dataset
from ossnet.data.table import table_dataset
from ossnet.errors import UserError
from ossnet.progress import ProgressLine

Report = Callable[[int, int], None]


class Embedded(NamedTuple):
    """What is known of an embedded data set before its cases are made."""

    config_type: type
    make: Callable[..., Dataset]
    modalities: tuple[str, ...]


EMBEDDED: Mapping[str, Embedded] = {
    "glioma": Embedded(GliomaConfig, glioma_dataset, GLIOMA_MODALITIES),
    "liver": Embedded(LiverConfig, liver_dataset, LIVER_MODALITIES),
}
FOLDERS: Mapping[str, Callable[[str, Path], Dataset]] = {
    "brats": lambda folder, cache: brats_dataset(folder, "random", seed=0, cache=cache),
    "brats-released": lambda folder, cache: brats_dataset(folder, "released", cache=cache),
    "lits": lambda folder, cache: lits_dataset(folder, seed=0, cache=cache),
}
SOURCE_HELP = (
    "glioma or liver (made here), brats:FOLDER or lits:FOLDER (the paper's random split, seed 0), "
    "brats-released:FOLDER (the released code's split), or a CSV of own cases"
)


def open_dataset(
    source: str, generator: Mapping[str, Any], cache: Path, workers: int = 2, report: Report | None = None
) -> Dataset:
    """Open the data set of a source: `glioma`, `liver`, `brats:FOLDER`, `lits:FOLDER` or a path ending in .csv or .tsv.

    `brats` and `lits` are split at random with seed 0 into the numbers of cases of the paper (Section 4.2), which does
    not say which cases they are; `brats-released:FOLDER` is BraTS in the split that the released code lists.

    Args:
        generator: configuration fields of an embedded data set.
        cache: where embedded cases, and digests of large files, are kept.
        workers: processes that make missing embedded cases now. With 0 none is made: splits and fingerprint are there
            in an instant, and each case is made when it is loaded.
        report: called as (cases made, of how many).

    Raises:
        UserError: an unknown source, or one that its reader refuses.
    """
    if source in EMBEDDED:
        embedded = EMBEDDED[source]
        config: Any = build(embedded.config_type, generator, f"generator of {source}")
        return embedded.make(config, cache, workers, report)
    reader, _, folder = source.partition(":")
    if reader in FOLDERS and folder:
        return FOLDERS[reader](folder, cache)
    if source.lower().endswith((".csv", ".tsv")):
        return table_dataset(source, cache)
    raise UserError(f"unknown data {source!r}; give {SOURCE_HELP}")


def open_with_progress(source: str, generator: Mapping[str, Any], cache: Path) -> Dataset:
    """As `open_dataset`, with a line of progress where the cases are made here."""
    if source not in EMBEDDED:
        return open_dataset(source, generator, cache)
    with ProgressLine(f"data {source}", 1) as line:
        return open_dataset(
            source,
            generator,
            cache,
            report=lambda done, total: line.update(done / max(total, 1), f"{done} of {total} cases"),
        )
