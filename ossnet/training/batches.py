"""Batches of a training: drawn in a fixed order, and read from disk while the network learns from the one before."""

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ossnet.data.prepared import Cases, PreparedCase
from ossnet.data.slices import Slices, Slicing
from ossnet.model import Batch, Draw
from ossnet.sampling import Sampling, draw_locations
from ossnet.training.augmentation import (
    Augmentation,
    AugmentationDraw,
    augment_image,
    augment_label,
    augment_locations,
    draw,
)
from ossnet.training.confidence import ConfidenceMemory

READERS = 4
"""Threads that read cases at most; they read and copy, and leave the arithmetic to the thread that trains."""


class _Voxels(NamedTuple):
    """Voxels of a case in memory: image [C, ...], label [...] and flat indices of its border, or None."""

    image: Tensor
    label: Tensor
    border: Tensor | None


@dataclass(frozen=True, eq=False)
class BatchMaker:
    """Makes the batches of a training, each in two steps: `begin` draws and starts to read, its answer waits.

    Between the two the caller may compute. It draws from the generator between them only what belongs before the
    batch, so that the numbers are the same however long reading takes.

    Attributes:
        memory: of all `cases`, for the strategy `confidence`; None for the others.
        slicing: of a model that learns from slices; None for whole volumes.
        readers: see `READERS`.
    """

    cases: Cases
    sampling: Sampling
    augmentation: Augmentation
    memory: ConfidenceMemory | None
    slicing: Slicing | None
    readers: Executor
    device: torch.device

    def begin(self, indices: Sequence[int], generator: torch.Generator) -> Callable[[], Batch]:
        """Draw the augmentation, and the slices, of the cases at `indices`, and start to read these.

        Returns:
            What gives the batch, and raises UserError if a case cannot be read.
        """
        chosen = [self.cases[index] for index in indices]
        draws = [draw(self.augmentation, len(case.image), generator) for case in chosen]
        parts = [None if self.slicing is None else self.slicing.draw(case.shape, generator) for case in chosen]
        reading = [
            self.readers.submit(_read, case, None if part is None else part.flipped(drawn.flips))
            for case, drawn, part in zip(chosen, draws, parts, strict=True)
        ]
        return lambda: self._finish(indices, chosen, draws, parts, [future.result() for future in reading])

    def _finish(
        self,
        indices: Sequence[int],
        chosen: Sequence[PreparedCase],
        draws: Sequence[AugmentationDraw],
        parts: Sequence[Slices | None],
        read: Sequence[_Voxels],
    ) -> Batch:
        """The batch of cases that are augmented and stacked."""
        images = [
            augment_image(voxels.image.to(self.device), self.augmentation, drawn, case.maximum, part)
            for case, drawn, part, voxels in zip(chosen, draws, parts, read, strict=True)
        ]
        labels = [
            augment_label(voxels.label.to(self.device), drawn, part)
            for drawn, part, voxels in zip(draws, parts, read, strict=True)
        ]

        def flip(locations: Tensor) -> Tensor:
            flipped = [augment_locations(p, case.shape, d) for p, case, d in zip(locations, chosen, draws, strict=True)]
            return torch.stack(flipped)

        def draw_all(generator: torch.Generator) -> Draw:
            if self.memory is not None:
                locations, weights = self.memory.draw(indices, generator)
                return Draw(flip(locations).to(self.device), weights.to(self.device))
            drawn = [
                draw_locations(self.sampling, case.shape, voxels.border, generator)
                for case, voxels in zip(chosen, read, strict=True)
            ]
            return Draw(flip(torch.stack(drawn)).to(self.device))

        def remember(locations: Tensor, probabilities: Tensor) -> None:
            if self.memory is not None:
                # The memory is of the cases as they are, and a flip undoes itself.
                self.memory.remember(indices, flip(locations.cpu()), probabilities.cpu())

        return Batch(torch.stack(images), torch.stack(labels), draw_all, remember)


def _read(case: PreparedCase, slices: Slices | None) -> _Voxels:
    """Give what is needed of a case, copied from its mapped files; slices are those of the case as it is stored."""
    border = None if case.border is None else _copy(case.border)
    if slices is None:
        return _Voxels(_copy(case.image), _copy(case.label), border)
    case.expect(slices)
    return _Voxels(slices.read(case.image), slices.read(case.label), border)


def _copy(values: Tensor) -> Tensor:
    return torch.from_numpy(np.array(values.numpy(), order="C"))
