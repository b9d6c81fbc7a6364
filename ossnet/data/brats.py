"""BraTS 2020: gliomas in four MRI modalities, the released training set of 369 labelled cases."""

import re
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Literal

from ossnet.data.case import Dataset
from ossnet.data.nifti import SUFFIXES
from ossnet.data.table import FileCase, Splits, file_dataset, random_splits
from ossnet.errors import UserError

NAME = "brats2020"

MODALITIES = ("flair", "t1", "t1ce", "t2")
"""Modalities in the order of the released code's channels."""

TRAIN_CASES, VALIDATION_CASES = 320, 45
"""Numbers of cases of the paper's random split (Section 4.2). It leaves four of the released cases out."""

UNUSUAL_LABELS = {"BraTS20_Training_355": "W39_1998.09.19_Segm"}
"""File names, without suffix, of labels that the release names differently from all others."""


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
        split: `released` for the list of the released code, 324 + 45 cases; cases that the folder lacks are left out.
            `random` for the paper's 320 + 45 cases drawn with `seed`; if the folder has fewer, all of them in the same
            proportion.
        seed: seed of the random split; None for the released split.
        cache: folder for digests, see `file_identity`.

    Raises:
        UserError: the folder does not exist or has no case, a file of a case is missing, or only one of random split
            and seed is given.
    """
    if (split == "random") != (seed is not None):
        raise UserError("seed: give one for the random split of BraTS, and none for the released split")
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder; give the folder that holds BraTS20_Training_001 and so on")
    names = sorted(path.name for path in folder.iterdir() if re.fullmatch(r"BraTS20_Training_\d{3}", path.name))
    if not names:
        raise UserError(f"{folder} does not hold BraTS20_Training_001 and so on; give the folder that does")
    cases = [
        FileCase(
            name=name,
            images=tuple(_file(folder / name, f"{name}_{modality}") for modality in MODALITIES),
            label=_file(folder / name, f"{name}_seg", UNUSUAL_LABELS.get(name)),
        )
        for name in names
    ]
    splits = released_splits(names) if seed is None else random_splits(names, TRAIN_CASES, VALIDATION_CASES, seed)
    # Every file of the release is on the grid of the SRI24 atlas, including the label of case 355.
    return file_dataset(NAME, MODALITIES, cases, splits, label_by_grid=True, cache=cache)


def released_splits(names: Sequence[str]) -> Splits:
    """Split names by the list of the released code, which holds all 369 cases.

    The cases of `brats2020_split.txt` are for validation, all others for training.
    """
    numbers = (resources.files("ossnet.data") / "brats2020_split.txt").read_text(encoding="utf-8").split()
    validation = {f"BraTS20_Training_{number}" for number in numbers}
    return {
        "train": tuple(name for name in names if name not in validation),
        "validation": tuple(name for name in names if name in validation),
        "test": (),
    }


def _file(folder: Path, *stems: str | None) -> Path:
    """Return the first of these files that exists, with any of the suffixes of NIfTI."""
    candidates = [folder / f"{stem}{suffix}" for stem in stems if stem for suffix in SUFFIXES]
    for path in candidates:
        if path.is_file():
            return path
    raise UserError(f"{candidates[0]} (or .nii) is missing; complete {folder} from the release, or remove the folder")
