"""LiTS: abdominal CT with liver and liver tumours, the released training set of 131 labelled cases."""

import re
from pathlib import Path

from ossnet.data.case import Dataset
from ossnet.data.listing import FileCase, Listing
from ossnet.data.regions import LABEL_NAMES
from ossnet.data.splits import random_splits
from ossnet.errors import UserError

NAME = "lits"

MODALITIES = ("ct",)

TRAIN_CASES, VALIDATION_CASES = 111, 20
"""Numbers of cases of the paper's random split (Section 4.2)."""


def lits_listing(folder: Path, seed: int = 0) -> Listing:
    """List the cases of LiTS.

    Images are CT in Hounsfield units. Labels are as stored: 0 background, 1 liver, 2 tumour; the whole liver is > 0.
    Cases are named after their volumes and have the affines of these: some segmentations of the release have headers
    that disagree, although their voxels match. Volumes 28 to 47 have the identity as affine, so that the size of their
    voxels is unknown and they have no scores in mm or ml.

    Departure: cases are scored on their stored grids. The paper resizes them to 512^3 voxels and scores there (Section
    4.2), which weights a case's slices by their number.

    Args:
        folder: the folder that holds `volume-0.nii`, `segmentation-0.nii` and so on, compressed (.gz) or not, directly
            or in subfolders.
        seed: seed of the paper's random split of 111 + 20 cases; if there are fewer, all are drawn in the same
            proportion.

    Raises:
        UserError: the folder does not exist or has no volume.
    """
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder; give the folder that holds volume-0.nii and so on")
    problems: dict[int, str] = {}
    volumes, segmentations = (_numbered(folder, stem, problems) for stem in ("volume", "segmentation"))
    if not volumes:
        raise UserError(f"{folder} does not hold volume-0.nii and so on; give the folder that does")
    for number, path in volumes.items():
        if number not in segmentations:
            problems.setdefault(
                number, f"{path} has no segmentation-{number}.nii under {folder}; add it or remove the volume"
            )
    cases = tuple(FileCase(_name(number), (volumes[number],), segmentations.get(number)) for number in sorted(volumes))
    return Listing(
        name=NAME,
        modalities=MODALITIES,
        cases=cases,
        splits=random_splits([case.name for case in cases], TRAIN_CASES, VALIDATION_CASES, seed),
        label_by_grid=True,
        label_names=LABEL_NAMES["lits"],
        known_problems={_name(number): problems[number] for number in volumes if number in problems},
    )


def lits_dataset(folder: str | Path, seed: int, cache: Path | None = None) -> Dataset:
    """Open LiTS, see `lits_listing`.

    Raises:
        UserError: `lits_listing` raises it, a volume has no segmentation, or there are two files of the same number.
    """
    return lits_listing(Path(folder), seed).dataset(cache)


def _name(number: int) -> str:
    return f"volume-{number}"


def _numbered(folder: Path, stem: str, problems: dict[int, str]) -> dict[int, Path]:
    """Return the files `STEM-NUMBER.nii` and .nii.gz in a folder and its subfolders, by number.

    Two files of the same number are added to `problems`.
    """
    found: dict[int, Path] = {}
    for path in sorted(folder.rglob(f"{stem}-*")):
        match = re.fullmatch(rf"{stem}-(\d+)\.nii(\.gz)?", path.name)
        if match is None or not path.is_file():
            continue
        number = int(match[1])
        if number in found:
            problems.setdefault(number, f"{path} and {found[number]} are the same case; remove one of them")
        found.setdefault(number, path)
    return found
