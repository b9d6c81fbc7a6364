"""Prepared cases on disk: preprocessing done once, then read in milliseconds."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from ossnet.config import digest, plain
from ossnet.data.case import Case, Dataset
from ossnet.data.preprocessing import Preprocessing, prepare
from ossnet.errors import UserError
from ossnet.files import replacing, write_text
from ossnet.sampling import Sampling, border_voxels


@dataclass(frozen=True, eq=False)
class PreparedCase:
    """A case as models take it.

    Attributes:
        image: [C, H, W, D] float32, normalised, on the prepared grid.
        label: [H, W, D] uint8 class indices.
        border: flat indices [m] int64 of the label's border voxels; None where the sampling needs none.
        affine: [4, 4] float64, voxels of the prepared grid to mm.
        spacing_mm: edge lengths of a voxel.
    """

    name: str
    image: Tensor
    label: Tensor
    border: Tensor | None
    affine: np.ndarray
    spacing_mm: tuple[float, float, float]

    @property
    def shape(self) -> tuple[int, int, int]:
        """The prepared grid (H, W, D) in voxels."""
        height, width, depth = self.label.shape
        return height, width, depth


class Cases(Protocol):
    """Cases by number, as training and validation read them; a list of prepared cases is one too."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> PreparedCase: ...

    def __iter__(self) -> Iterator[PreparedCase]: ...


class PreparedCases:
    """The labelled cases of one split, prepared on first use and kept under `cache`.

    Each access reads from disk, so that a data set may be larger than memory.

    Args:
        sampling: of the training; border voxels are found and kept where its strategy needs them.

    Raises:
        UserError: on access, a case has no label or an empty one, or `prepare` refuses it.
    """

    def __init__(
        self, dataset: Dataset, split: str, preprocessing: Preprocessing, cache: Path, sampling: Sampling | None = None
    ) -> None:
        self.dataset = dataset
        self.names = dataset.splits[split]
        self.preprocessing = preprocessing
        self.sampling = sampling if sampling is not None and sampling.strategy == "border" else None
        self.folder = cache / f"{dataset.name}-prepared-{_digest(dataset.fingerprint, plain(preprocessing))}"

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[PreparedCase]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, index: int) -> PreparedCase:
        name = self.names[index]
        self._prepare(name)
        affine = np.array(json.loads(self._path(name, "json").read_text()))
        image, label = self._load(name, "image.npy"), self._load(name, "label.npy")
        case = Case(name, image, label, affine, self.dataset.modalities)
        border = None if self.sampling is None else torch.from_numpy(self._border(name, label, self.sampling))
        return PreparedCase(name, torch.from_numpy(image), torch.from_numpy(label), border, affine, case.spacing_mm)

    def prepare(self, report: Callable[[int, int], None] = lambda *_: None) -> None:
        """Prepare every case now, so that one which is refused is refused before a long training.

        Args:
            report: called after each case as (cases prepared, of how many).
        """
        for done, name in enumerate(self.names, start=1):
            self._prepare(name)
            report(done, len(self))

    def _path(self, name: str, ending: str) -> Path:
        return self.folder / f"{name}.{ending}"

    def _prepare(self, name: str) -> None:
        # The affine is written last: where it is, the other files are whole.
        if self._path(name, "json").exists():
            return
        case = self.dataset.load(name)
        prepared = prepare(case, self.preprocessing)
        if prepared.label is None:
            raise UserError(f"case {case.name} has no label; give it one or leave it out")
        if not prepared.label.any():
            raise UserError(
                f"case {case.name}: its label is empty (background only); mend the label or leave the case out"
            )
        for ending, array in (("image.npy", prepared.image), ("label.npy", prepared.label)):
            with replacing(self._path(name, ending)) as temporary:
                np.save(temporary, np.ascontiguousarray(array))
        write_text(self._path(name, "json"), json.dumps(prepared.affine.tolist()))

    def _border(self, name: str, label: np.ndarray, sampling: Sampling) -> np.ndarray:
        ending = f"border-{_digest(sampling.border_width, sampling.protocol)}.npy"
        if not self._path(name, ending).exists():
            border = border_voxels(label, sampling)
            if not len(border):
                raise UserError(f"case {name}: its label fills the volume and has no border; sample uniformly")
            with replacing(self._path(name, ending)) as temporary:
                np.save(temporary, border)
        return self._load(name, ending)

    def _load(self, name: str, ending: str) -> np.ndarray:
        try:
            kept: np.ndarray = np.load(self._path(name, ending), allow_pickle=False)
        except (OSError, EOFError, ValueError) as error:
            raise UserError(
                f"{self._path(name, ending)} is missing or damaged; delete {self.folder} to have it made again"
            ) from error
        return kept


def _digest(*parts: object) -> str:
    return digest(parts)[:12]
