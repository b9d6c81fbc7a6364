"""Batches of a training, drawn in a fixed order and read from disk while the network learns from the one before."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
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
from ossnet.training.distributed import ALONE, Processes, Share

MAX_READERS = 4
"""Maximum number of threads that read cases. They read and copy; the thread that trains does the arithmetic."""


@contextmanager
def reading_threads(count: int) -> Iterator[ThreadPoolExecutor]:
    """Yield a pool of threads for reading; when the block ends or is interrupted, reads not yet begun are cancelled."""
    readers = ThreadPoolExecutor(count)
    try:
        yield readers
    finally:
        readers.shutdown(cancel_futures=True)


class _Voxels(NamedTuple):
    """Voxels of a case in memory.

    Attributes:
        image: [C, H, W, D] float32, or slices of it.
        label: [H, W, D] uint8 class indices, or slices of it.
        border: flat indices [m] int64 of the label's border voxels; None if the sampling does not use them.
    """

    image: Tensor
    label: Tensor
    border: Tensor | None


@dataclass(frozen=True, eq=False)
class BatchMaker:
    """Maker of the batches of a training.

    A batch is made in two steps: `begin` draws its random numbers and starts to read its cases, and the function that
    it returns waits for them. The caller may compute in between, and begins a batch after all random numbers of the one
    before are drawn. So the numbers do not depend on how long reading takes.

    Attributes:
        cases: training cases.
        sampling: locations per case and how they are drawn.
        augmentation: augmentation of the cases.
        memory: uncertainty of past predictions for all `cases`; None unless the strategy is `confidence`.
        slicing: slices that the model learns from; None for whole volumes.
        readers: pool of threads that read the cases, see `reading_threads`.
        device: device of the batches.
        processes: processes that share each batch. A batch has this process's share of the cases, whereas random
            numbers are drawn for all of them.
    """

    cases: Cases
    sampling: Sampling
    augmentation: Augmentation
    memory: ConfidenceMemory | None
    slicing: Slicing | None
    readers: Executor
    device: torch.device
    processes: Processes = ALONE

    def begin(self, indices: Sequence[int], generator: torch.Generator) -> Callable[[], Batch]:
        """Draw the augmentation and the slices of the cases at `indices`, and start to read the cases.

        Returns:
            Function that waits for the cases and returns the batch; it raises UserError if a case cannot be read.
        """
        chosen = [self.cases[index] for index in indices]
        draws = [draw(self.augmentation, len(case.image), generator) for case in chosen]
        parts = [None if self.slicing is None else self.slicing.draw(case.shape, generator) for case in chosen]
        share = self.processes.share(len(indices))
        reading = [
            self.readers.submit(_read, case, None if part is None else part.flipped(drawn.flips))
            for case, drawn, part in zip(chosen[share.cases], draws[share.cases], parts[share.cases], strict=True)
        ]
        return lambda: self._finish(indices, share, chosen, draws, parts, [future.result() for future in reading])

    def _finish(
        self,
        indices: Sequence[int],
        share: Share,
        of_batch: Sequence[PreparedCase],
        draws: Sequence[AugmentationDraw],
        parts: Sequence[Slices | None],
        read: Sequence[_Voxels],
    ) -> Batch:
        """Augment the cases that were read, those of the share, and stack them to a batch."""
        chosen, draws, parts = of_batch[share.cases], draws[share.cases], parts[share.cases]
        images = [
            augment_image(voxels.image.to(self.device), self.augmentation, drawn, case.maximum, part)
            for case, drawn, part, voxels in zip(chosen, draws, parts, read, strict=True)
        ]
        labels = [
            augment_label(voxels.label.to(self.device), drawn, part)
            for drawn, part, voxels in zip(draws, parts, read, strict=True)
        ]
        # Borders of other processes' cases stay on disk: few of their voxels are looked up, and only to be drawn.
        borders = [case.border for case in of_batch]
        borders[share.cases] = [voxels.border for voxels in read]

        def flip(locations: Tensor) -> Tensor:
            flipped = [augment_locations(p, case.shape, d) for p, case, d in zip(locations, chosen, draws, strict=True)]
            return torch.stack(flipped)

        def draw_all(generator: torch.Generator) -> Draw:
            if self.memory is not None:
                locations, weights = (drawn[share.cases] for drawn in self.memory.draw(indices, generator))
                return Draw(flip(locations).to(self.device), weights.to(self.device))
            drawn = [
                draw_locations(self.sampling, case.shape, border, generator)
                for case, border in zip(of_batch, borders, strict=True)
            ]
            return Draw(flip(torch.stack(drawn[share.cases])).to(self.device))

        def update_memory(locations: Tensor, probabilities: Tensor) -> None:
            if self.memory is not None:
                # The memory holds the cases before augmentation, and a flip is its own inverse.
                of_share = flip(locations.cpu()), probabilities.cpu()
                self.memory.update(indices, *(self.processes.join(values, share, len(indices)) for values in of_share))

        return Batch(torch.stack(images), torch.stack(labels), draw_all, update_memory)


def _read(case: PreparedCase, slices: Slices | None) -> _Voxels:
    """Copy a case, or some slices of it as it is stored, from its mapped files into memory."""
    border = None if case.border is None else _copy(case.border)
    if slices is None:
        return _Voxels(_copy(case.image), _copy(case.label), border)
    case.expect(slices)
    return _Voxels(slices.read(case.image), slices.read(case.label), border)


def _copy(values: Tensor) -> Tensor:
    return torch.from_numpy(np.array(values.numpy(), order="C"))
