"""LiTS: abdominal CT with liver and liver tumours, as released for training (131 cases with labels)."""

import re
from pathlib import Path

from ossnet.data.case import Dataset
from ossnet.data.table import FileCase, file_dataset, random_splits
from ossnet.errors import UserError

MODALITIES = ("ct",)

TRAIN_CASES, VALIDATION_CASES = 111, 20
"""Of the paper's random split (Section 4.2)."""


def lits_dataset(folder: str | Path, seed: int, cache: Path | None = None) -> Dataset:
    """LiTS from a folder with `volume-0.nii` and `segmentation-0.nii` and so on, .gz or not, in it or in folders below.

    CT in Hounsfield units. Labels are as stored: 0 background, 1 liver, 2 tumour; the whole liver is > 0. Cases are
    named as their volumes. The place is that of the volume: some segmentations of the release have headers of their own
    that disagree, though their voxels match. Volumes 28 to 47 have no real affine (identity), so that the size of their
    voxels is not known, and nothing that rests on mm or ml is scored of them.

    Departure: cases are scored on these grids, as they are stored. The paper resizes them to 512^3 voxels and scores
    there (Section 4.2), which weighs slices by how many a case has.

    Args:
        seed: of the paper's random split of 111 + 20 cases; of fewer cases, all are drawn in the same proportion.
        cache: see `file_identity`.

    Raises:
        UserError: no such folder, no volume in it, a volume without segmentation, or one of them there twice.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError(f"{folder} is no folder; give the one that holds volume-0.nii and so on")
    volumes, segmentations = _numbered(folder, "volume"), _numbered(folder, "segmentation")
    if not volumes:
        raise UserError(f"{folder} holds no volume-0.nii and so on; give the folder that does")
    for number, path in volumes.items():
        if number not in segmentations:
            raise UserError(f"{path} has no segmentation-{number}.nii under {folder}; add it or remove the volume")
    cases = [FileCase(f"volume-{number}", (volumes[number],), segmentations[number]) for number in sorted(volumes)]
    splits = random_splits([case.name for case in cases], TRAIN_CASES, VALIDATION_CASES, seed)
    return file_dataset("lits", MODALITIES, cases, splits, label_by_grid=True, cache=cache)


def _numbered(folder: Path, stem: str) -> dict[int, Path]:
    """Files `stem-number.nii` or .nii.gz under a folder, by number."""
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
