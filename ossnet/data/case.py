"""A case: one patient's image, label and place in space."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from nibabel.affines import voxel_sizes

from ossnet.config import digest
from ossnet.errors import UserError


@dataclass(frozen=True, eq=False)
class Case:
    """One volume to segment.

    Attributes:
        name: unique within its data set.
        image: [C, H, W, D] float32, one channel a modality; finite.
        label: [H, W, D] uint8 class indices, 0 is background; None where there is none.
        affine: [4, 4] float64, voxel indices to mm in nibabel's RAS+ world.
        modalities: the C channel names.
        spacing_known: whether the affine's lengths are in mm. Some files do not tell how large their voxels are; their
            affine is then one of voxels.

    Raises:
        UserError: shapes disagree, the image holds NaN or infinity, or the affine cannot be inverted.
    """

    name: str
    image: np.ndarray
    label: np.ndarray | None
    affine: np.ndarray
    modalities: tuple[str, ...]
    spacing_known: bool = True

    def __post_init__(self) -> None:
        if self.image.ndim != 4 or len(self.image) != len(self.modalities):
            raise UserError(
                f"case {self.name}: the image has shape {self.image.shape}; "
                f"expected {len(self.modalities)} channels ({', '.join(self.modalities)}) of three axes each"
            )
        if self.label is not None and self.label.shape != self.shape:
            raise UserError(
                f"case {self.name}: the label's grid {self.label.shape} differs from the image's {self.shape}; "
                "resample one to the other"
            )
        if not np.isfinite(self.image).all():
            raise UserError(f"case {self.name}: the image holds NaN or infinite values; replace them, by 0 for example")
        if self.affine.shape != (4, 4) or not np.isfinite(self.affine).all() or np.linalg.det(self.affine[:3, :3]) == 0:
            raise UserError(f"case {self.name}: its affine cannot be inverted; mend the header of its image")

    @property
    def shape(self) -> tuple[int, int, int]:
        """The grid (H, W, D) in voxels."""
        height, width, depth = self.image.shape[1:]
        return height, width, depth

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Edge lengths of a voxel in mm, in the order of the axes; NaN where they are not known."""
        if not self.spacing_known:
            return math.nan, math.nan, math.nan
        height, width, depth = voxel_sizes(self.affine)
        return float(height), float(width), float(depth)

    @property
    def voxel_mm3(self) -> float:
        """Volume of a voxel, less than the product of edges that are not at right angles; NaN where it is not known."""
        return float(abs(np.linalg.det(self.affine[:3, :3]))) if self.spacing_known else math.nan


@dataclass(frozen=True)
class Dataset:
    """Named cases in splits, loaded one at a time.

    Attributes:
        name: as results say it.
        modalities: channel names of every case.
        splits: `train`, `validation` and `test` (each may be empty) to case names.
        load: the case of a name.
        fingerprint: changes whenever any case would.
        contents: for cases that are made of files, a digest of these by the case's name.
    """

    name: str
    modalities: tuple[str, ...]
    splits: Mapping[str, tuple[str, ...]]
    load: Callable[[str], Case]
    fingerprint: str
    contents: Mapping[str, str] = field(default_factory=dict)

    def content(self, name: str) -> str:
        """A digest of what a case is made of: that of its files whatever they are called, or its place in this set."""
        return self.contents.get(name) or digest([self.fingerprint, name])
