"""Cases of closed form in files, with the folders, names, types of values and compression of the paper's data sets."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import nibabel
import numpy as np
import torch
from torch import Tensor

from benchmarks.probes.phantom import make_volume
from benchmarks.workload import Shape
from ossnet.data.brats import BRATS2020

AFFINE = np.diag([-1.0, -1.0, 1.0, 1.0])
"""From voxel indices to mm: axes to the left, backwards and upwards, as of BraTS."""

BODY_RADIUS = 0.4
"""Radii of the ellipsoid outside which there is nothing to see, as parts of the volume's edges."""

CONTRAST = 100
"""Stored values per standard deviation of the closed form's image."""

MRI_BRIGHTNESS, SOFT_TISSUE_HU, AIR_HU = 500, 50, -1000
"""Stored values of the middle of the image, in MRI and in CT, and of air in CT; MRI is 0 outside the brain."""


def write_cases(dataset: str, shape: Shape, count: int, folder: Path) -> list[str]:
    """Write cases that a data set's reader takes for its own, and return their names.

    The same arguments give the same voxels. One case at a time is in memory.

    Args:
        dataset: key of `WRITERS`, with which `dataset:folder` opens the cases.
        shape: shape (H, W, D) of the volumes in voxels.
        count: number of cases.
        folder: folder of the data set, which need not exist.
    """
    return [WRITERS[dataset](shape, number, folder) for number in range(1, count + 1)]


def _write_brats(shape: Shape, number: int, folder: Path) -> str:
    """Write a case of BraTS 2020: four modalities, 0 outside the brain, and a label, all compressed."""
    name = f"BraTS20_Training_{number:03}"
    case = folder / name
    case.mkdir(parents=True)
    volume = make_volume(shape, len(BRATS2020.files), seed=number)
    brain = _body(shape)
    for modality, channel in zip(BRATS2020.files, volume.image, strict=True):
        bright = (MRI_BRIGHTNESS + CONTRAST * channel).clamp(min=1)
        _save(case / f"{name}_{modality}.nii.gz", torch.where(brain, bright, 0), torch.int16)
    _save(case / f"{name}_seg.nii.gz", volume.label & brain, torch.uint8)
    return name


def _write_lits(shape: Shape, number: int, folder: Path) -> str:
    """Write a case of LiTS: a CT in Hounsfield units and its label, not compressed."""
    folder.mkdir(parents=True, exist_ok=True)
    volume = make_volume(shape, 1, seed=number)
    body = _body(shape)
    image = volume.image[0].mul_(CONTRAST).add_(SOFT_TISSUE_HU).masked_fill_(~body, AIR_HU)
    _save(folder / f"volume-{number}.nii", image, torch.int16)
    _save(folder / f"segmentation-{number}.nii", volume.label & body, torch.uint8)
    return f"volume-{number}"


WRITERS: Mapping[str, Callable[[Shape, int, Path], str]] = {"brats": _write_brats, "lits": _write_lits}
"""Functions of a shape, the number of a case and a folder, by the data set's name in probes and on the command line."""


def _body(shape: Sequence[int]) -> Tensor:
    """Return the mask [H, W, D] of the ellipsoid of `BODY_RADIUS` in the middle of a volume."""
    height, width, depth = ((((torch.arange(size) + 0.5) / size - 0.5) / BODY_RADIUS) ** 2 for size in shape)
    return height[:, None, None] + width[:, None] + depth < 1


def _save(path: Path, volume: Tensor, dtype: torch.dtype) -> None:
    nibabel.save(nibabel.Nifti1Image(volume.to(dtype).numpy(), AFFINE), path)
