"""Preprocessed cases on disk, prepared once, in files of which only the voxels in use are read."""

import json
import math
import mmap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from nibabel.affines import voxel_sizes
from torch import Tensor

from ossnet.config import digest, plain
from ossnet.data.case import Dataset
from ossnet.data.preprocessing import Preprocessing, prepare
from ossnet.data.slices import Slices, Slicing
from ossnet.data.voxels import kept_voxel_digest
from ossnet.errors import UserError
from ossnet.files import remove_abandoned, replacing, unreadable, write_text
from ossnet.locks import FOREVER, hold
from ossnet.sampling import Sampling, border_voxels

VERSION = 1
"""Version of the files, to be increased whenever reading or preparing a case gives other files."""

LARGE_BYTES = 2**26
"""Size of an image from which a model that learns from slices reads only these; smaller images are read quickly."""


def read_ahead(_: Slices) -> None:
    """Leave it to the operating system how much of a file it reads ahead."""


@dataclass(frozen=True, eq=False)
class PreparedCase:
    """Case in the form that models take. The arrays of a case on disk are mapped files, read only where they are used.

    Attributes:
        name: name of the case.
        image: [C, H, W, D] float32, normalised, on the prepared grid; any axis may be outermost in memory.
        label: [H, W, D] uint8 class indices, likewise.
        border: flat indices [m] int64 (C order) of the label's border voxels; None if the sampling does not use them.
        affine: [4, 4] float64, from voxels of the prepared grid to mm.
        spacing_mm: edge lengths of a voxel in mm.
        known_maximum: maximum of the image; None if it has not been computed.
        expect: function to call with the slices of image and label that will be read next, so that nothing else is
            read ahead.
    """

    name: str
    image: Tensor
    label: Tensor
    border: Tensor | None
    affine: np.ndarray
    spacing_mm: tuple[float, float, float]
    known_maximum: float | None = None
    expect: Callable[[Slices], None] = read_ahead

    @property
    def shape(self) -> tuple[int, int, int]:
        """The prepared grid (H, W, D) in voxels."""
        height, width, depth = self.label.shape
        return height, width, depth

    @property
    def maximum(self) -> float:
        """The largest value of the image."""
        return float(self.image.max()) if self.known_maximum is None else self.known_maximum


class Cases(Protocol):
    """Prepared cases by number, as training and validation read them, such as `PreparedCases` or a list."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> PreparedCase: ...

    def __iter__(self) -> Iterator[PreparedCase]: ...


class PreparedCases:
    """Labelled cases of one split, prepared on first use and kept on disk.

    The folder of a case is `cache/prepared/KEY`. The key is a digest of `Dataset.content` of the case and of the
    preprocessing. A case with another name or in another data set or split is therefore the same, and a case from
    changed files is another. The folder holds

    * `image-0.npy` [H, C, W, D] and `label-0.npy` [H, W, D], in which a slice across the first axis is contiguous,
    * `case.json`, which is written last, so that the other two are complete where it exists,
    * if they are needed, `border-*.npy`, and the arrays with another axis first: `image-1.npy` [W, C, H, D] and so on.

    Several processes can prepare cases in the same cache. Each case is prepared by one of them, which holds the lock
    `cache/prepared/KEY.lock` meanwhile.

    Each access maps the files, so that a data set can be larger than memory.

    Args:
        dataset: data set of the cases.
        split: name of the split.
        preprocessing: preprocessing of the cases.
        cache: folder that keeps the prepared cases.
        sampling: sampling of the training; border voxels are computed and kept if its strategy uses them.
        slicing: slicing of a model that learns from slices; images of at least `LARGE_BYTES` are also kept with its
            axis first.

    Raises:
        UserError: on access, if the case has no label or cannot be prepared.
    """

    def __init__(
        self,
        dataset: Dataset,
        split: str,
        preprocessing: Preprocessing,
        cache: Path,
        sampling: Sampling | None = None,
        slicing: Slicing | None = None,
    ) -> None:
        self.dataset = dataset
        self.split = split
        self.names = dataset.splits[split]
        self.preprocessing = preprocessing
        self.cache = cache
        self.sampling = sampling if sampling is not None and sampling.strategy == "border" else None
        image_bytes = 4 * len(dataset.modalities) * math.prod(preprocessing.shape)
        self.slicing = slicing if image_bytes >= LARGE_BYTES else None
        self.axis = 0 if self.slicing is None else self.slicing.axis

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[PreparedCase]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, index: int) -> PreparedCase:
        name = self.names[index]
        folder = self.prepare_case(name)
        facts = self._facts(folder)
        affine = np.array(facts["affine"])
        height, width, depth = map(float, voxel_sizes(affine))
        volumes = [_map(folder / f"{what}-{self.axis}.npy") for what in ("image", "label")]
        image, label = (_in_order(volume, self.axis) for volume in volumes)
        return PreparedCase(
            name,
            torch.from_numpy(image),
            torch.from_numpy(label),
            None if self.sampling is None else torch.from_numpy(_map(_border_path(folder, self.sampling))),
            affine,
            (height, width, depth),
            facts["maximum"],
            read_ahead if self.slicing is None else partial(_expect, volumes),
        )

    def prepare(self, report: Callable[[int, int], None] = lambda *_: None) -> None:
        """Prepare every case now, so that errors are raised before a long training.

        Args:
            report: called after each case with the number of prepared cases and the number of all cases.

        Raises:
            UserError: as on access, or no training case has foreground. Validation on healthy controls alone shows
                little, but is possible.
        """
        foreground = 0
        for done, name in enumerate(self.names, start=1):
            foreground += self._facts(self.prepare_case(name))["foreground"]
            report(done, len(self))
        if self.split == "train" and self.names and not foreground:
            raise UserError(
                f"no case in split {self.split} of data set {self.dataset.name} has foreground, since all labels are "
                "background; correct the labels or add a case with foreground"
            )

    def voxel_digests(self) -> dict[str, str]:
        """Return the `voxel_digest` of each case by its name."""
        return {name: kept_voxel_digest(self.dataset, name, self.cache) for name in self.names}

    def folder(self, name: str) -> Path:
        """Return the folder in which a case is kept."""
        key = digest([VERSION, self.dataset.content(name), plain(self.preprocessing)])
        return self.cache / "prepared" / key[:32]

    def prepare_case(self, name: str) -> Path:
        """Make the missing files of a case and return its folder.

        Raises:
            UserError: the case has no label or cannot be prepared, or the cache cannot be written.
        """
        folder = self.folder(name)
        if not all(path.exists() for path in self._files(folder)):
            with hold(folder.with_suffix(".lock"), patience_s=FOREVER):
                self._make_missing(name, folder)
        return folder

    def _files(self, folder: Path) -> list[Path]:
        """Return the files that are complete only where all the files of a case are."""
        others = [folder / f"{what}-{self.axis}.npy" for what in ("image", "label")] if self.axis else []
        border = [] if self.sampling is None else [_border_path(folder, self.sampling)]
        return [folder / "case.json", *others, *border]

    def _make_missing(self, name: str, folder: Path) -> None:
        if not (folder / "case.json").exists():
            self._make(name, folder)
        for what in ("image", "label") if self.axis else ():
            path = folder / f"{what}-{self.axis}.npy"
            if not path.exists():
                _save_volume(path, _in_order(_map(folder / f"{what}-0.npy"), 0), self.axis)
        if self.sampling is not None and not _border_path(folder, self.sampling).exists():
            border = border_voxels(_map(folder / "label-0.npy"), self.sampling)
            _save(_border_path(folder, self.sampling), border)

    def _make(self, name: str, folder: Path) -> None:
        case = self.dataset.load(name)
        prepared = prepare(case, self.preprocessing)
        if prepared.label is None:
            raise UserError(f"case {case.name} has no label; add one or remove the case")
        kept_voxel_digest(self.dataset, name, self.cache, case)
        for what, volume in (("image", prepared.image), ("label", prepared.label)):
            _save_volume(folder / f"{what}-0.npy", volume, 0)
        facts = {
            "affine": prepared.affine.tolist(),
            "maximum": float(prepared.image.max()),
            "foreground": int(np.count_nonzero(prepared.label)),
        }
        write_text(folder / "case.json", json.dumps(facts))

    @staticmethod
    def _facts(folder: Path) -> dict[str, Any]:
        try:
            facts: dict[str, Any] = json.loads((folder / "case.json").read_text(encoding="utf-8"))
        except (OSError, MemoryError, ValueError) as error:
            raise _unreadable(folder / "case.json", error) from error
        return facts


def _border_path(folder: Path, sampling: Sampling) -> Path:
    return folder / f"border-{digest([sampling.border_width, sampling.protocol])[:12]}.npy"


def _map(path: Path) -> np.memmap:
    """Map the array of a file, copy-on-write, so that changes to it stay in memory."""
    try:
        mapped: np.memmap = np.load(path, mmap_mode="c", allow_pickle=False)
    except (OSError, MemoryError, EOFError, ValueError) as error:
        raise _unreadable(path, error) from error
    return mapped


def _expect(volumes: Sequence[np.memmap], slices: Slices) -> None:
    """Start reading slices across the first axis of mapped arrays from disk, without their surroundings."""
    for volume in volumes:
        file = volume.base
        assert isinstance(file, mmap.mmap)
        file.madvise(mmap.MADV_RANDOM)
        for index in slices.indices.tolist():
            start = volume.offset + index * volume[0].nbytes
            page = start - start % mmap.PAGESIZE
            file.madvise(mmap.MADV_WILLNEED, page, start + volume[0].nbytes - page)


def _in_order(stored: np.ndarray, axis: int) -> np.ndarray:
    """Return the image [C, H, W, D] or label [H, W, D] of an array that has `axis` first."""
    return np.moveaxis(stored, 0, axis - 3)


def _save_volume(path: Path, volume: np.ndarray, axis: int) -> None:
    """Write an image [C, H, W, D] or a label [H, W, D] with `axis` first."""
    _save(path, np.moveaxis(volume, axis - 3, 0))


def _save(path: Path, array: np.ndarray) -> None:
    remove_abandoned(path)
    with replacing(path) as temporary:
        np.save(temporary, np.ascontiguousarray(array))


def _unreadable(path: Path, error: Exception) -> UserError:
    damaged = f"{path} is missing or damaged; delete the folder {path.parent}, and it will be made again"
    return unreadable(path, error, damaged)
