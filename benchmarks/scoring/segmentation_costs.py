"""Time and peak memory of the segmentations of a scoring."""

import time
from collections.abc import Callable
from typing import Generic, TypeVar

import numpy as np

from benchmarks.machine.peak_memory import PeakMemory, Peaks, count_tensors
from ossnet.data.case import Case, Dataset
from ossnet.model import SegmentationModel

Result = TypeVar("Result")


class SegmentationCosts(Generic[Result]):
    """Segments cases, and records how long each takes and the peak memory of all.

    Args:
        model: trained model, on its device.
        segment: segmentation of one case by the model, on the CPU when it returns.
    """

    def __init__(self, model: SegmentationModel, segment: Callable[[Case], Result]) -> None:
        self._model, self._segment = model, segment
        self._device = next(model.parameters()).device
        self._peak = PeakMemory(self._device)
        self._seconds: list[float] = []
        self._voxels: dict[str, int] = {}

    def segment(self, case: Case) -> Result:
        """Segment a case, and record its time and memory."""
        self._voxels[case.name] = case.image[0].size
        with self._peak.watch():
            start = time.perf_counter()
            result = self._segment(case)
            self._seconds.append(time.perf_counter() - start)
        return result

    def count_tensors(self, dataset: Dataset) -> None:
        """Segment the largest case once more on a CPU, where counting the memory of tensors takes time of its own."""
        if self._device.type == "cpu":
            largest = dataset.load(max(self._voxels, key=self._voxels.__getitem__))
            self._peak.add(count_tensors(self._model, lambda: self._segment(largest)))

    @property
    def timing(self) -> dict[str, float]:
        """The median over cases of the seconds of a segmentation."""
        return {"extraction_s_median": float(np.median(self._seconds))}

    @property
    def peaks(self) -> Peaks:
        """The peaks of memory so far."""
        return self._peak.peaks
