"""BraTS 2020: gliomas in four MRI modalities, as released for training (369 cases with labels)."""

import re
from importlib import resources
from pathlib import Path
from typing import Literal

from ossnet.data.case import Dataset
from ossnet.data.nifti import SUFFIXES
from ossnet.data.table import FileCase, Splits, file_dataset, random_splits
from ossnet.errors import UserError

MODALITIES = ("flair", "t1", "t1ce", "t2")
"""In the order of the released code's channels."""

TRAIN_CASES, VALIDATION_CASES = 320, 45
"""Of the paper's random split (Section 4.2). The release has four cases more, which are then in no split."""

UNUSUAL_LABELS = {"BraTS20_Training_355": "W39_1998.09.19_Segm"}
"""The release names the label of one case differently from all others."""


def brats_dataset(
    folder: str | Path,
    split: Literal["released", "random"] = "released",
    seed: int | None = None,
    cache: Path | None = None,
) -> Dataset:
    """BraTS 2020 from the folder that holds `BraTS20_Training_001` and so on, .nii.gz or .nii.

    Labels are as stored: 0 background, 1 necrotic core, 2 oedema, 4 enhancing tumour; the whole tumour is > 0.

    Args:
        split: `released` is the released code's list, 324 + 45 cases; of an incomplete folder, those that are there.
            `random` is the paper's 320 + 45 cases drawn with `seed`; of fewer cases, all, in the same proportion.
        seed: of the random split, and only of that.
        cache: see `file_identity`.

    Raises:
        UserError: no such folder, no case in it, a file of a case is missing, or split and seed do not fit.
    """
    if (split == "random") != (seed is not None):
        raise UserError("seed: a random split of BraTS needs one and the released split takes none; set split and seed")
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError(f"{folder} is no folder; give the one that holds BraTS20_Training_001 and so on")
    names = sorted(path.name for path in folder.iterdir() if re.fullmatch(r"BraTS20_Training_\d{3}", path.name))
    if not names:
        raise UserError(f"{folder} holds no BraTS20_Training_001 and so on; give the folder that does")
    cases = [
        FileCase(
            name=name,
            images=tuple(_file(folder / name, f"{name}_{modality}") for modality in MODALITIES),
            label=_file(folder / name, f"{name}_seg", UNUSUAL_LABELS.get(name)),
        )
        for name in names
    ]
    splits = _released_splits(names) if seed is None else random_splits(names, TRAIN_CASES, VALIDATION_CASES, seed)
    # Every file of the release is on one grid, that of the SRI24 atlas, label of case 355 included.
    return file_dataset("brats2020", MODALITIES, cases, splits, label_by_grid=True, cache=cache)


def _released_splits(names: list[str]) -> Splits:
    """The list of the released code names all 369 cases: those of the data file validate, the others train."""
    numbers = (resources.files("ossnet.data") / "brats2020_split.txt").read_text(encoding="utf-8").split()
    validation = {f"BraTS20_Training_{number}" for number in numbers}
    return {
        "train": tuple(name for name in names if name not in validation),
        "validation": tuple(name for name in names if name in validation),
        "test": (),
    }


def _file(folder: Path, *stems: str | None) -> Path:
    """The file of the first of these names that is there."""
    candidates = [folder / f"{stem}{suffix}" for stem in stems if stem for suffix in SUFFIXES]
    for path in candidates:
        if path.is_file():
            return path
    raise UserError(f"{candidates[0]} (or .nii) is missing; complete {folder} from the release, or remove that folder")
