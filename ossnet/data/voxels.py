"""The content of an image, by which a case is known again whatever its file is called."""

import hashlib
from pathlib import Path

import numpy as np
from nibabel.orientations import apply_orientation, io_orientation

from ossnet.data.case import Case, Dataset
from ossnet.files import write_text


def voxel_digest(case: Case) -> str:
    """SHA-256 (hexadecimal) of the image's grid and values, with its axes in nibabel's RAS+ order and direction.

    It is of the values as decoded: the file's name, compression and type of number make no difference, nor does an
    image that was stored with other axes first. The label is left out: a copy with a corrected label is the same image.
    """
    orientation = io_orientation(case.affine)
    digest = hashlib.sha256()
    for channel in case.image:
        oriented = apply_orientation(channel, orientation)
        digest.update(str(oriented.shape).encode())
        # The sum makes -0.0 what it equals, 0.0.
        digest.update(np.add(oriented, np.float32(0), order="C", dtype=np.float32))
    return digest.hexdigest()


def kept_voxel_digest(dataset: Dataset, name: str, cache: Path, case: Case | None = None) -> str:
    """The `voxel_digest` of a case, worked out once and then kept under `cache` by the content of its files.

    Args:
        case: of that name, where it is loaded already.

    Raises:
        UserError: the case cannot be loaded, or the cache cannot be written.
    """
    path = cache / "voxels" / f"{dataset.content(name)[:32]}.txt"
    if not path.exists():
        write_text(path, voxel_digest(case or dataset.load(name)))
    return path.read_text(encoding="utf-8")
