"""BraTS: gliomas in four MRI modalities, the labelled training sets of 2020, 2021 and 2023."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Literal

from ossnet.data.case import Dataset
from ossnet.data.label_names import LabelNames
from ossnet.data.listing import FileCase, Listing, contents_of, is_file
from ossnet.data.nifti import SUFFIXES
from ossnet.data.regions import LABEL_NAMES
from ossnet.data.splits import Splits, random_splits, shared_splits
from ossnet.errors import UserError

MODALITIES = ("flair", "t1", "t1ce", "t2")
"""Modalities in the order of the released code's channels, and as BraTS 2020 and 2021 name them.

Other years have the same four under other names. A model that was trained on one year can be scored on another.
"""

GRID = (240, 240, 155)
"""Grid of every case of the releases, that of the SRI24 atlas, in voxels of 1 mm."""

TRAIN_CASES, VALIDATION_CASES = 320, 45
"""Numbers of cases of the paper's random split of BraTS 2020 (Section 4.2). It leaves four of the cases out."""


@dataclass(frozen=True)
class Release:
    """Names of the folders and files of a year.

    Attributes:
        name: name of the data set in results.
        reader: how the command line calls it, see `ossnet.data.sources.FOLDERS`.
        case: regular expression of the name of a case, which is that of its folder. The group `patient` is the patient,
            where patients have several cases.
        example: name of a case.
        separator: what is between the name of the case and that of the file.
        files: names of the files of `MODALITIES`.
        label_names: names of the label's values; the whole tumour is > 0.
        unusual_labels: file names, without suffix, of labels that are named differently from all others.
    """

    name: str
    reader: str
    case: str
    example: str
    separator: str = "_"
    files: tuple[str, ...] = MODALITIES
    label_names: LabelNames = field(default_factory=lambda: LABEL_NAMES["brats"])
    unusual_labels: dict[str, str] = field(default_factory=dict)


BRATS2020 = Release(
    name="brats2020",
    reader="brats",
    case=r"BraTS20_Training_\d{3}",
    example="BraTS20_Training_001",
    unusual_labels={"BraTS20_Training_355": "W39_1998.09.19_Segm"},
)
BRATS2021 = Release("brats2021", "brats2021", r"BraTS2021_\d{5}", "BraTS2021_00000")
# The same names in 2024, of cases after treatment, have a further label 4, the resection cavity.
BRATS2023 = Release(
    name="brats2023",
    reader="brats2023",
    case=r"(?P<patient>BraTS-GLI-\d{5})-\d{3}",
    example="BraTS-GLI-00000-000",
    separator="-",
    files=("t2f", "t1n", "t1c", "t2w"),
    label_names=LABEL_NAMES["brats2023"],
)
RELEASES = (BRATS2020, BRATS2021, BRATS2023)


def brats_listing(release: Release, folder: Path, split: Callable[[list[str]], Splits] | None = None) -> Listing:
    """List the cases of a year. Labels are as stored.

    Args:
        release: the year.
        folder: the folder that holds the folders of the cases, with .nii.gz or .nii files.
        split: function that splits the sorted names of the cases; None for `shared_splits`.

    Raises:
        UserError: the folder does not exist or has no case of that year.
    """
    names = _names(release, folder)
    matches = {name: re.fullmatch(release.case, name) for name in names}
    patients = {name: match["patient"] for name, match in matches.items() if match and "patient" in match.groupdict()}
    return Listing(
        name=release.name,
        modalities=MODALITIES,
        cases=tuple(_files(release, folder / name) for name in names),
        splits=shared_splits(names, patients) if split is None else split(names),
        # Every file of the releases is on the grid of the SRI24 atlas, including the label of case 355 of 2020.
        label_by_grid=True,
        label_names=release.label_names,
        patients=patients,
    )


def brats_dataset(
    folder: str | Path,
    split: Literal["released", "random"] = "released",
    seed: int | None = None,
    cache: Path | None = None,
) -> Dataset:
    """Open BraTS 2020.

    Labels are as stored: 0 background, 1 necrotic core, 2 oedema, 4 enhancing tumour; the whole tumour is > 0.

    Args:
        folder: the folder that holds `BraTS20_Training_001` and so on, with .nii.gz or .nii files.
        split: `released` for `released_splits`, `random` for `paper_splits`.
        seed: seed of the random split; None for the released split.
        cache: folder for digests, see `file_identity`.

    Raises:
        UserError: the folder does not exist or has no case, a file of a case is missing, or only one of random split
            and seed is given.
    """
    if (split == "random") != (seed is not None):
        raise UserError("seed: give one for the random split of BraTS, and none for the released split")
    chosen = released_splits if seed is None else partial(paper_splits, seed=seed)
    return brats_listing(BRATS2020, Path(folder), chosen).dataset(cache)


def paper_splits(names: Sequence[str], seed: int = 0) -> Splits:
    """Draw the paper's 320 + 45 cases of BraTS 2020; of fewer cases, all of them in the same proportion."""
    return random_splits(names, TRAIN_CASES, VALIDATION_CASES, seed)


def released_splits(names: Sequence[str]) -> Splits:
    """Split cases of BraTS 2020 by the list of the released code, which holds all 369 cases, 324 + 45.

    The cases of `brats2020_split.txt` are for validation, all others for training. Cases that are not there are left
    out.
    """
    numbers = (resources.files("ossnet.data") / "brats2020_split.txt").read_text(encoding="utf-8").split()
    validation = {f"BraTS20_Training_{number}" for number in numbers}
    return {
        "train": tuple(name for name in names if name not in validation),
        "validation": tuple(name for name in names if name in validation),
        "test": (),
    }


def _names(release: Release, folder: Path) -> list[str]:
    """Return the names of the cases, sorted."""
    present = [path.name for path in contents_of(folder, f"the folder that holds {release.example} and so on")]
    names = [name for name in present if re.fullmatch(release.case, name)]
    if names:
        return names
    for other in RELEASES:
        if any(re.fullmatch(other.case, name) for name in present):
            raise UserError(f"{folder} holds cases of {other.name}, not {release.name}; give {other.reader}:{folder}")
    raise UserError(f"{folder} does not hold {release.example} and so on; give the folder that does")


def _files(release: Release, folder: Path) -> FileCase:
    """Return the files of the case in a folder."""
    start = folder.name + release.separator
    images = tuple(_file(folder, start + name) for name in release.files)
    return FileCase(folder.name, images, _file(folder, f"{start}seg", release.unusual_labels.get(folder.name)))


def _file(folder: Path, *stems: str | None) -> Path:
    """Return the first of these files that exists, with any of the suffixes of NIfTI, or else the usual one."""
    candidates = [folder / f"{stem}{suffix}" for stem in stems if stem for suffix in SUFFIXES]
    return next((path for path in candidates if is_file(path)), candidates[0])
