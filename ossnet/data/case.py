"""A case, with its image, label and affine, and data sets of named cases."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from nibabel.affines import voxel_sizes

from ossnet.config import digest
from ossnet.data.folds import Fold
from ossnet.data.label_names import LabelNames
from ossnet.errors import UserError


@dataclass(frozen=True, eq=False)
class Case:
    """One volume to segment.

    Attributes:
        name: name of the case, unique within its data set.
        image: [C, H, W, D] float32, one channel per modality; finite.
        label: [H, W, D] uint8 class indices, where 0 is background; None for an unlabelled case.
        affine: [4, 4] float64, from voxel indices to mm in nibabel's RAS+ world.
        modalities: names of the C channels.
        spacing_known: whether the affine is in mm. Some files do not state the size of their voxels, and have an affine
            in voxels.

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
                f"give {len(self.modalities)} channels ({', '.join(self.modalities)}) of three axes each"
            )
        if self.label is not None and self.label.shape != self.shape:
            raise UserError(
                f"case {self.name}: the label's grid {self.label.shape} differs from the image's {self.shape}; "
                "resample one to the other"
            )
        if not np.isfinite(self.image).all():
            raise UserError(
                f"case {self.name}: the image holds NaN or infinite values; replace them, for example with 0"
            )
        if self.affine.shape != (4, 4) or not np.isfinite(self.affine).all() or np.linalg.det(self.affine[:3, :3]) == 0:
            raise UserError(f"case {self.name}: the affine cannot be inverted; correct the header of the image")

    @property
    def shape(self) -> tuple[int, int, int]:
        """The grid (H, W, D) in voxels."""
        height, width, depth = self.image.shape[1:]
        return height, width, depth

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Edge lengths of a voxel in mm, in the order of the axes; NaN where they are unknown."""
        if not self.spacing_known:
            return math.nan, math.nan, math.nan
        height, width, depth = voxel_sizes(self.affine)
        return float(height), float(width), float(depth)

    @property
    def voxel_mm3(self) -> float:
        """Volume of a voxel in mm³; NaN where it is unknown.

        It is less than the product of the edge lengths if the edges are not at right angles.
        """
        return float(abs(np.linalg.det(self.affine[:3, :3]))) if self.spacing_known else math.nan


@dataclass(frozen=True)
class Dataset:
    """Data set of named cases in splits, which are loaded one at a time.

    Attributes:
        name: name of the data set in results.
        modalities: channel names of every case.
        splits: names of the cases of `train`, `validation` and `test`; each may be empty.
        load: function that returns the case of a name.
        fingerprint: digest that changes whenever any case changes.
        contents: digests of the files of each case, by its name; cases that are not read from files are missing.
        patients: patient of a case, by its name, where patients have several cases; they stay together in folds.
        held_out: cases that the data set itself holds out for test, and that are therefore in no fold. Without, a split
            `test` is one of many that could have been drawn.
        label_names: names of the label's values above 0, where the data set gives them.
        unlabelled: cases that have no label, as far as it is known before they are loaded.
        fold: fold that the splits are, see `ossnet.data.splits.resplit`; None for other splits.
        chosen_split: whether a fold or a table of splits has replaced the splits that the data set itself has.
    """

    name: str
    modalities: tuple[str, ...]
    splits: Mapping[str, tuple[str, ...]]
    load: Callable[[str], Case]
    fingerprint: str
    contents: Mapping[str, str] = field(default_factory=dict)
    patients: Mapping[str, str] = field(default_factory=dict)
    held_out: tuple[str, ...] = ()
    label_names: LabelNames = field(default_factory=dict)
    unlabelled: tuple[str, ...] = ()
    fold: Fold | None = None
    chosen_split: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all cases, those of splits first; the paper's split of BraTS leaves some of the cases out."""
        of_splits = (name for names in self.splits.values() for name in names)
        return tuple(dict.fromkeys([*of_splits, *self.contents]))

    def content(self, name: str) -> str:
        """Return a digest of a case: of its files, whatever they are called, or else of this data set and its name."""
        return self.contents.get(name) or digest([self.fingerprint, name])
