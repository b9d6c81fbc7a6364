"""The measurement of the study `inference`: what an extraction takes, and how its segmentations compare."""

import time
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor

from benchmarks.measurement import Outcome
from benchmarks.segmentation import scored_split
from benchmarks.study import Point
from ossnet.checks import STRICT
from ossnet.data.case import Dataset
from ossnet.data.preprocessing import class_indices
from ossnet.errors import UserError
from ossnet.evaluation import field_of_case
from ossnet.extraction import EXTRACTORS, FIRST_STATES, Extraction, FirstState
from ossnet.field import Grid, OccupancyField
from ossnet.files import write_text
from ossnet.metrics import dice_per_class, disagreement_percent, valid_mean
from ossnet.model import SegmentationModel
from ossnet.profile import Profile
from ossnet.quantities import QUANTITIES
from ossnet.registry import model_type
from ossnet.run import RunSpec

REFERENCES = ("dense", "mise", "released")
"""What each extraction is compared with: every voxel, and the original inference by the paper's text and its code."""


@dataclass(frozen=True, config=STRICT)
class InferenceComparison:
    """What decides how an extraction of a trained model compares.

    Attributes:
        training: of the model.
        extraction: a name of `ossnet.extraction.EXTRACTORS`.
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

    def measure(self, model: SegmentationModel, dataset: Dataset, cache: Path, folder: Path) -> Outcome:
        """Compare the extraction on every case of the scored split, and write `per_case.csv`.

        Raises:
            UserError: the data set has no case to score, or one that is refused; or the extraction begins with a
                segmentation that the model's encoder does not predict.
        """
        split, preprocessing = scored_split(dataset), self.training.preprocessing
        rows, seconds = [], []
        for name in dataset.splits[split]:
            case = dataset.load(name)
            if case.label is None:
                raise UserError(f"case {name} has no label to be scored against; give it one or leave it out")
            start = time.perf_counter()
            field, grid = field_of_case(model, case, preprocessing)
            encoding_s = time.perf_counter() - start
            label = class_indices(case.label, preprocessing, name)
            compared = compare_extraction(field, grid, label, self.extraction, self.max_locations)
            seconds.append(encoding_s + compared.seconds)
            rows += [(name, quantity, value, QUANTITIES[quantity].unit) for quantity, value in compared.values.items()]
        table = pd.DataFrame(rows, columns=["case", "quantity", "value", "unit"])
        write_text(folder / "per_case.csv", table.to_csv(index=False))
        protocol = "dense" if split == "test" else "dense, validation cases"
        return Outcome({"protocol": protocol}, {"extraction_s_median": float(np.median(seconds))})


class ComparedExtraction(NamedTuple):
    """An extraction of one case and what it is worth.

    Attributes:
        values: by quantity of `ossnet.quantities.QUANTITIES`. NaN where there is nothing to tell: of a disagreement of
            an extraction with itself, of the precision of a prior that marks nothing.
        seconds: that the extraction alone took, of a field that was there.
    """

    extraction: Extraction
    values: dict[str, float]
    seconds: float


def compare_extraction(
    field: OccupancyField, grid: Grid, label: np.ndarray, name: str, max_locations: int = 2**14
) -> ComparedExtraction:
    """Extract a segmentation and compare it with its label and with what other extractions make of the field.

    `disagreement_X` is the percentage of voxels that differ from extraction X (Section 4.3), of `REFERENCES`. For
    extractions that begin with the encoder's segmentation, `prior_precision` and `prior_recall` tell how well that,
    up-sampled and thresholded, agrees at the points of the first lattice with the decoder evaluated there.

    Args:
        label: class indices [H, W, D] on the grid.
        name: of `EXTRACTORS`.

    Raises:
        UserError: the extraction begins with a segmentation that the model's encoder does not predict.
    """
    start = time.perf_counter()
    made = EXTRACTORS[name](field, grid, max_locations)
    segmentation = made.segmentation.cpu()
    seconds = time.perf_counter() - start
    others = {
        other: EXTRACTORS[other](field, grid, max_locations).segmentation for other in REFERENCES if other != name
    }
    values = {"dice": valid_mean(dice_per_class(segmentation, label, field.classes).values())[0]}
    values["evaluated_locations"] = sum(made.evaluated)
    if name != "dense":
        values |= {f"evaluated_stage{stage}": count for stage, count in enumerate(made.evaluated, start=1)}
    values |= {f"disagreement_{other}": disagreement_percent(segmentation, of.cpu()) for other, of in others.items()}
    if name in FIRST_STATES:
        values |= prior_quality(FIRST_STATES[name](field, grid), others["dense"])
    return ComparedExtraction(made, values, seconds)


def prior_quality(state: FirstState, dense: Tensor) -> dict[str, float]:
    """Precision and recall of a prior's occupied points, against the decoder's labels [H, W, D] of every voxel.

    NaN where the prior marks no point as occupied, or the decoder none.
    """
    height, width, depth = state.axes
    occupied = dense[height][:, width][:, :, depth] > 0
    marked = state.labels > 0
    both = int((marked & occupied).sum())

    def part_of(whole: Tensor) -> float:
        count = int(whole.sum())
        return both / count if count else float("nan")

    return {"prior_precision": part_of(marked), "prior_recall": part_of(occupied)}
