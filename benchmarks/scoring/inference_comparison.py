"""The measurement of the study `inference`: what an extraction takes, and how its segmentations compare."""

import time
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import torch
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor

from benchmarks.machine.peak_memory import PeakMemory, count_tensors
from benchmarks.scoring.scoring import Outcome
from benchmarks.scoring.segmentation import dense_protocol, scored_split
from benchmarks.study import Point, Split
from ossnet.checks import STRICT
from ossnet.data.case import Dataset
from ossnet.data.preprocessing import class_indices
from ossnet.errors import UserError
from ossnet.evaluation.evaluation import field_of_case, segment_case
from ossnet.evaluation.metrics import dice_per_class, disagreement_percent, valid_mean
from ossnet.evaluation.quantities import QUANTITIES
from ossnet.field import Grid, OccupancyField, evaluate, labels_of
from ossnet.files import write_text
from ossnet.inference.extraction import EXTRACTORS, FIRST_STATES, Extraction, FirstState
from ossnet.model import SegmentationModel
from ossnet.registry import model_type
from ossnet.training.profile import Profile
from ossnet.training.run import RunSpec

ORIGINALS = ("mise", "released")
"""The original inference by the paper's text and by its code: every extraction is compared with both.

What is compared with every voxel is told by the extraction `dense`, which evaluates them once and is compared with all.
"""


@dataclass(frozen=True, config=STRICT)
class InferenceComparison:
    """The specification that decides how an extraction of a trained model compares.

    Attributes:
        training: of the model.
        extraction: a name of `ossnet.inference.extraction.EXTRACTORS`.
        max_locations: locations per pass.
    """

    training: RunSpec
    extraction: str
    max_locations: int = Field(default=2**14, ge=1)
    measurement: Literal["inference"] = "inference"
    schema_version: Literal[1] = 1

    def __post_init__(self) -> None:
        if self.extraction not in EXTRACTORS:
            raise ValueError(f"extraction {self.extraction!r} is none of {', '.join(EXTRACTORS)}")

    @classmethod
    def of(cls, point: Point, profile: Profile, dataset: Dataset) -> "InferenceComparison":
        scored_split(dataset)
        training = profile.spec(point.model, dataset, point.seed, point.overrides)
        return cls(training, point.extraction or model_type(point.model).extraction, point.max_locations)

    def split_of(self, dataset: Dataset) -> Split:
        """See `scored_split`."""
        return scored_split(dataset)

    def measure(self, model: SegmentationModel, dataset: Dataset, cache: Path, folder: Path) -> Outcome:
        """Compare the extraction on every case of the scored split, and write `per_case.csv`.

        Raises:
            UserError: the data set has no case to score, or one that is refused; or the extraction begins with a
                segmentation that the model's encoder does not predict.
        """
        split, preprocessing = self.split_of(dataset), self.training.preprocessing
        peak = PeakMemory(next(model.parameters()).device)
        rows, seconds = [], []
        voxels: dict[str, int] = {}
        for name in dataset.splits[split]:
            case = dataset.load(name)
            if case.label is None:
                raise UserError(f"case {name} has no label to be scored against; give it one or leave it out")
            voxels[name] = case.image[0].size
            with peak.watch():
                start = time.perf_counter()
                field, grid = field_of_case(model, case, preprocessing)
                extraction = EXTRACTORS[self.extraction](field, grid, self.max_locations)
                segmentation = extraction.segmentation.cpu()
                seconds.append(time.perf_counter() - start)
            label = class_indices(case.label, preprocessing, name)
            values = {"dice": valid_mean(dice_per_class(segmentation, label, field.classes).values())[0]}
            values |= compare_extraction(self.extraction, extraction, field, grid, self.max_locations)
            rows += [(name, quantity, value, QUANTITIES[quantity].unit) for quantity, value in values.items()]
        if peak.device.type == "cpu":
            largest = dataset.load(max(voxels, key=voxels.__getitem__))
            peak.add(
                count_tensors(
                    model, lambda: segment_case(model, largest, preprocessing, self.extraction, self.max_locations)
                )
            )
        table = pd.DataFrame(rows, columns=["case", "quantity", "value", "unit"])
        write_text(folder / "per_case.csv", table.to_csv(index=False))
        return Outcome(
            {"protocol": dense_protocol(split)}, {"extraction_s_median": float(np.median(seconds))}, peak.peaks
        )


def compare_extraction(
    name: str, extraction: Extraction, field: OccupancyField, grid: Grid, max_locations: int = 2**14
) -> dict[str, float]:
    """Compare an extraction with what others make of the same field.

    Args:
        name: of the extraction, in `EXTRACTORS`.

    Returns:
        By quantity of `ossnet.evaluation.quantities.EXTRACTION_QUANTITIES`: `evaluated_locations`, and by stage
        `evaluated_stage1` and so on; `disagreement_X`, the percentage of voxels that differ from extraction X (Section
        4.3), for the other ones of `ORIGINALS` and, of `dense`, for all; and of an extraction that begins with the
        encoder's segmentation `prior_precision` and `prior_recall`, see `prior_quality`.
    """
    values = {"evaluated_locations": float(sum(extraction.evaluated))}
    if len(extraction.evaluated) > 1:
        values |= {f"evaluated_stage{stage}": count for stage, count in enumerate(extraction.evaluated, start=1)}
    for other in EXTRACTORS:
        has_first_state = field.prior is not None or other not in FIRST_STATES
        if other != name and (other in ORIGINALS or (name == "dense" and has_first_state)):
            segmentation = EXTRACTORS[other](field, grid, max_locations).segmentation
            values[f"disagreement_{other}"] = disagreement_percent(extraction.segmentation, segmentation)
    if name in FIRST_STATES:
        values |= prior_quality(FIRST_STATES[name](field, grid), field, grid, max_locations)
    return values


def prior_quality(state: FirstState, field: OccupancyField, grid: Grid, max_locations: int = 2**14) -> dict[str, float]:
    """Precision and recall of the encoder's segmentation at an extraction's first lattice.

    They tell how well its occupied points, up-sampled and thresholded, agree with those of the decoder, evaluated at
    all points of the lattice. NaN where the prior marks no point as occupied, or the decoder none.
    """
    locations = grid.locate(torch.cartesian_prod(*state.axes))
    occupied = labels_of(evaluate(field, locations, max_locations), field.classes) > 0
    marked = state.labels.flatten() > 0
    both = int((marked & occupied).sum())

    def part_of(whole: Tensor) -> float:
        count = int(whole.sum())
        return both / count if count else float("nan")

    return {"prior_precision": part_of(marked), "prior_recall": part_of(occupied)}
