"""The content of an image, by which a case is known again whatever its file is called."""

import hashlib
import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from ossnet.config import digest
from ossnet.data.case import Case, Dataset
from ossnet.errors import UserError
from ossnet.files import write_text

VERSION = 2
"""Raised whenever the same image comes to another digest."""


def voxel_digest(case: Case) -> str:
    """SHA-256 (hexadecimal) of the image's values, each channel's in ascending order, and of the grid's sizes.

    Where a voxel lies is left out, and so is which channel comes first: a copy with another affine, other axes, another
    direction or other modalities in front is the same image. Two patients do not share all values of a volume. Nor
    does it matter what the file is called, how it is compressed, or in which type of number it holds its values, as
    they are taken as decoded. A copy with a corrected label is the same image, too. (Sorting is what takes the time:
    about 3 s for 512^3 voxels.)
    """
    channels = []
    for channel in case.image:
        # The sum makes -0.0 what it equals, 0.0.
        values = np.add(channel, np.float32(0), dtype=np.float32).ravel()
        values.sort()
        channels.append(hashlib.sha256(values).hexdigest())
    return digest([sorted(case.shape), sorted(channels)])


def kept_voxel_digest(dataset: Dataset, name: str, cache: Path, case: Case | None = None) -> str:
    """The `voxel_digest` of a case, worked out once and then kept under `cache` by the content of its files.

    Args:
        case: of that name, where it is loaded already.

    Raises:
        UserError: the case cannot be loaded, the cache cannot be written, or what is kept there is damaged.
    """
    path = cache / "voxels" / f"{digest([VERSION, dataset.content(name)])[:32]}.txt"
    if not path.exists():
        write_text(path, voxel_digest(case or dataset.load(name)))
    try:
        kept = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise _damaged(path) from error
    if not re.fullmatch("[0-9a-f]{64}", kept):
        raise _damaged(path)
    return kept


def keeping_voxel_digests(dataset: Dataset, cache: Path) -> Dataset:
    """The data set, which keeps the `voxel_digest` of each case under `cache` when it is loaded."""

    def load(name: str) -> Case:
        case = dataset.load(name)
        kept_voxel_digest(dataset, name, cache, case)
        return case

    return replace(dataset, load=load)


def _damaged(path: Path) -> UserError:
    return UserError(f"{path} cannot be read or is damaged; delete it to have it made again")
