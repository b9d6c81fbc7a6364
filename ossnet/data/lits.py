"""LiTS: abdominal CT with liver and liver tumours, the released training set of 131 labelled cases."""

import re
from pathlib import Path

from ossnet.data.case import Dataset
from ossnet.data.table import FileCase, file_dataset, random_splits
from ossnet.errors import UserError

NAME = "lits"

MODALITIES = ("ct",)

TRAIN_CASES, VALIDATION_CASES = 111, 20
"""Numbers of cases of the paper's random split (Section 4.2)."""


def lits_dataset(folder: str | Path, seed: int, cache: Path | None = None) -> Dataset:
    """Open LiTS.

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
        cache: folder for digests, see `file_identity`.

    Raises:
        UserError: the folder does not exist or has no volume, a volume has no segmentation, or there are two files of
            the same number.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder; give the folder that holds volume-0.nii and so on")
    volumes, segmentations = _numbered(folder, "volume"), _numbered(folder, "segmentation")
    if not volumes:
        raise UserError(f"{folder} does not hold volume-0.nii and so on; give the folder that does")
    for number, path in volumes.items():
        if number not in segmentations:
            raise UserError(f"{path} has no segmentation-{number}.nii under {folder}; add it or remove the volume")
    cases = [FileCase(f"volume-{number}", (volumes[number],), segmentations[number]) for number in sorted(volumes)]
    splits = random_splits([case.name for case in cases], TRAIN_CASES, VALIDATION_CASES, seed)
    return file_dataset(NAME, MODALITIES, cases, splits, label_by_grid=True, cache=cache)


def _numbered(folder: Path, stem: str) -> dict[int, Path]:
    """Return the files `STEM-NUMBER.nii` and .nii.gz in a folder and its subfolders, by number."""
    found: dict[int, Path] = {}
    for path in sorted(folder.rglob(f"{stem}-*")):
        match = re.fullmatch(rf"{stem}-(\d+)\.nii(\.gz)?", path.name)
        if match is None or not path.is_file():
            continue
        number = int(match[1])
        if number in found:
            raise UserError(f"{path} and {found[number]} are the same case; remove one of them")
        found[number] = path
    return found
