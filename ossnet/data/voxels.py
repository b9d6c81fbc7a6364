"""Digests of voxels, by which an image is recognised whatever its file is called."""

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
"""Version of the digest, to be increased whenever the same image gets another digest."""


def voxel_digest(case: Case) -> str:
    """Return a SHA-256 (hexadecimal) of the image's values, in ascending order per channel, and of its grid's sizes.

    The positions of voxels and the order of channels are not included, so that a copy with another affine, other axes,
    other directions or another order of modalities counts as the same image. Two patients do not share all values of a
    volume. The name, the compression and the data type of the file do not matter either, since values are compared as
    decoded, and nor does the label. Most of the time goes into sorting, about 3 s for 512^3 voxels.
    """
    channels = []
    for channel in case.image:
        # The sum turns -0.0 into 0.0, which it equals.
        values = np.add(channel, np.float32(0), dtype=np.float32).ravel()
        values.sort()
        channels.append(hashlib.sha256(values).hexdigest())
    return digest([sorted(case.shape), sorted(channels)])


def kept_voxel_digest(dataset: Dataset, name: str, cache: Path, case: Case | None = None) -> str:
    """Return the `voxel_digest` of a case, computed once and then kept by the content of the case's files.

    Args:
        dataset: data set of the case.
        name: name of the case.
        cache: folder that keeps the digests.
        case: the case, if it is already loaded.

    Raises:
        UserError: the case cannot be loaded, the cache cannot be written, or the digest kept there is damaged.
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
    """Return the data set, changed to keep the `voxel_digest` of each case in `cache` when the case is loaded."""

    def load(name: str) -> Case:
        case = dataset.load(name)
        kept_voxel_digest(dataset, name, cache, case)
        return case

    return replace(dataset, load=load)


def _damaged(path: Path) -> UserError:
    return UserError(f"{path} cannot be read or is damaged; delete it, and it will be made again")
