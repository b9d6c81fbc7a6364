"""The registry of data sets, by the name or place that a user gives.

A data set is added by one file here and one line below:

* For a data set that users download, or another layout of files on disk, the file holds a function that lists the
  cases of its folder, as in `brats.py`, and the line belongs in `FOLDERS`.
* For a synthetic data set, the file is in `synthetic` and holds a configuration and a function that makes it, as in
  `synthetic/liver.py`, and the line belongs in `EMBEDDED`.

The command line then takes it and lists it in its help. Profiles can give it settings of its own in their table
`datasets.NAME`; without, it has those of `datasets.own`.
"""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from ossnet.config import build
from ossnet.data import brats, lits
from ossnet.data.case import Dataset
from ossnet.data.folders import folders_listing
from ossnet.data.folds import Fold
from ossnet.data.listing import Listing
from ossnet.data.msd import msd_listing
from ossnet.data.nnunet import nnunet_listing
from ossnet.data.splits import resplit
from ossnet.data.synthetic.glioma import GliomaConfig, glioma_dataset
from ossnet.data.synthetic.liver import LiverConfig, liver_dataset
from ossnet.data.table import table_listing
from ossnet.errors import UserError
from ossnet.progress import ProgressLine

Report = Callable[[int, int], None]
"""Callback with the number of cases made and the number of all cases."""


class Embedded(NamedTuple):
    """Entry of a synthetic data set, whose name in results is its key.

    Attributes:
        config_type: configuration of the generator.
        make: function of the configuration, the cache, the number of workers and a `Report`.
    """

    config_type: type
    make: Callable[[Any, Path, int, Report | None], Dataset]


class Folder(NamedTuple):
    """Entry of a data set that users download, or of a layout of files on disk.

    Attributes:
        name: name of the data set in results; of a layout, how the names of its data sets start.
        split: name of the split, for the help.
        listing: function that lists the cases of a folder.
    """

    name: str
    split: str
    listing: Callable[[Path], Listing]


EMBEDDED: Mapping[str, Embedded] = {
    "glioma": Embedded(GliomaConfig, glioma_dataset),
    "liver": Embedded(LiverConfig, liver_dataset),
}
PAPER_SPLIT = "the paper's random split, seed 0"
RELEASED_SPLIT = "the released code's split"
SHARED_SPLIT = "random split, a tenth each for validation and test"
FOLDERS: Mapping[str, Folder] = {
    "brats": Folder(
        brats.BRATS2020.name, PAPER_SPLIT, partial(brats.brats_listing, brats.BRATS2020, split=brats.paper_splits)
    ),
    "brats-released": Folder(
        brats.BRATS2020.name, RELEASED_SPLIT, partial(brats.brats_listing, brats.BRATS2020, split=brats.released_splits)
    ),
    "brats2021": Folder(brats.BRATS2021.name, SHARED_SPLIT, partial(brats.brats_listing, brats.BRATS2021)),
    "brats2023": Folder(brats.BRATS2023.name, SHARED_SPLIT, partial(brats.brats_listing, brats.BRATS2023)),
    "lits": Folder(lits.NAME, PAPER_SPLIT, lits.lits_listing),
    "msd": Folder("msd-", SHARED_SPLIT, msd_listing),
    "nnunet": Folder("nnunet-", SHARED_SPLIT, nnunet_listing),
    "folders": Folder("folders-", SHARED_SPLIT, folders_listing),
}
RELEASED_SPLITS = {"brats": "brats-released"}
"""Keys of `FOLDERS` with the split that the released code lists, by those of the same cases with another split."""

TABLE_SUFFIXES = (".csv", ".tsv")

RESERVED_NAMES = {*EMBEDDED, *(folder.name for folder in FOLDERS.values() if not folder.name.endswith("-"))}
"""Names that no table of own cases may have, since profiles and published results belong to them."""

RESERVED_STARTS = tuple(folder.name for folder in FOLDERS.values() if folder.name.endswith("-"))
"""How no name of a table of own cases may start, since data sets of other layouts are named so."""

SOURCE_HELP = ", ".join(
    [
        f"{' or '.join(EMBEDDED)} (synthetic)",
        *(f"{reader}:FOLDER ({folder.split})" for reader, folder in FOLDERS.items()),
        f"or a table of own cases ({' or '.join(TABLE_SUFFIXES)})",
    ]
)


def list_files(source: str) -> Listing:
    """List the files of a data set, without reading them.

    Args:
        source: a key of `FOLDERS` with a folder (`brats:FOLDER`), or the path of a table, which ends in .csv or .tsv.

    Raises:
        UserError: the source is unknown, a table has one of `RESERVED_NAMES`, or the files cannot be listed.
    """
    reader, _, folder = source.partition(":")
    if reader in FOLDERS and folder:
        return FOLDERS[reader].listing(Path(folder))
    if source.lower().endswith(TABLE_SUFFIXES):
        name = Path(source).stem
        if name.lower() in RESERVED_NAMES or name.lower().startswith(RESERVED_STARTS):
            raise UserError(f"{source}: '{name}' is the name of another data set; rename the file")
        return table_listing(Path(source))
    raise UserError(f"unknown data {source!r}; give {SOURCE_HELP}")


def open_dataset(
    source: str,
    generator: Mapping[str, Any],
    cache: Path,
    workers: int = 2,
    report: Report | None = None,
    split: Fold | Path | None = None,
) -> Dataset:
    """Open a data set.

    `brats` and `lits` are split at random with seed 0 into the paper's numbers of cases (Section 4.2), since the paper
    does not say which cases they are. `brats-released` has the split that the released code lists.

    Args:
        source: a key of `EMBEDDED`, or a source of `list_files`.
        generator: fields of the configuration of a synthetic data set.
        cache: folder that keeps synthetic cases and the digests of large files.
        workers: number of processes that make missing synthetic cases now. With 0 none is made: splits and fingerprint
            are available immediately, and each case is made when it is loaded.
        report: called at the start and whenever a synthetic case is ready.
        split: a fold, or a table of splits (see `resplit`); None for the split of the data set.

    Raises:
        UserError: the source is unknown, a table has one of `RESERVED_NAMES`, or the data set cannot be opened or
            split.
    """
    if source not in EMBEDDED:
        dataset = list_files(source).dataset(cache)
        return dataset if split is None else resplit(dataset, split)
    embedded = EMBEDDED[source]
    config: Any = build(embedded.config_type, generator, f"generator of {source}")
    if split is not None:
        # A wrong split is refused before the cases are made, which can take hours.
        resplit(embedded.make(config, cache, 0, None), split)
    dataset = embedded.make(config, cache, workers, report)
    return dataset if split is None else resplit(dataset, split)


def option_of_contents(name: str) -> str:
    """Return the option that decides what cases a data set of a name in results has: `--profile` if it is synthetic."""
    return "--profile" if name in EMBEDDED else "--data"


def with_released_split(source: str) -> str:
    """Return a data set's source with the split that the released code lists; any other source as it is."""
    reader, colon, folder = source.partition(":")
    return f"{RELEASED_SPLITS.get(reader, reader)}{colon}{folder}"


def open_with_progress(
    source: str, generator: Mapping[str, Any], cache: Path, split: Fold | Path | None = None
) -> Dataset:
    """Open a data set as `open_dataset` does, and show the progress while synthetic cases are made."""
    if source not in EMBEDDED:
        return open_dataset(source, generator, cache, split=split)
    with ProgressLine(f"data {source}", 1) as line:
        return open_dataset(
            source,
            generator,
            cache,
            report=lambda done, total: line.update(done / max(total, 1), f"{done} of {total} cases"),
            split=split,
        )
