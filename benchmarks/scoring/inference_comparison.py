"""Scoring of the study `inference`: evaluations of an extraction, and comparison of its segmentations."""

from pathlib import Path
from typing import Any, Literal

import pandas as pd
import torch
import torch.nn.functional as F
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor

from benchmarks.scoring.components import recall_of_lesions, recall_of_small
from benchmarks.scoring.scoring import Outcome
from benchmarks.scoring.segmentation import dense_protocol
from benchmarks.scoring.segmentation_costs import SegmentationCosts
from benchmarks.study import Point
from ossnet.checks import STRICT
from ossnet.data.case import Case, Dataset
from ossnet.data.preprocessing import class_indices
from ossnet.data.splits import Split, scored_split
from ossnet.errors import UserError
from ossnet.evaluation.evaluation import field_of_case
from ossnet.evaluation.metrics import dice_per_class, disagreement_percent, valid_mean
from ossnet.evaluation.quantities import QUANTITIES
from ossnet.field import Grid, OccupancyField, VoxelField, evaluate, labels_of
from ossnet.files import write_text
from ossnet.inference.extraction import EXTRACTORS, FIRST_STATES, Extraction, FirstState
from ossnet.model import SegmentationModel
from ossnet.registry import model_type
from ossnet.training.profile import Profile
from ossnet.training.run import RunSpec

ORIGINALS = ("mise", "released")
"""The original inferences by the paper's text and by its code, with which every extraction is compared.

The comparisons with an evaluation of every voxel are recorded for the extraction `dense`, which needs it once for all,
and those of `adaptive` for itself.
"""

RECALLED = ("mise", "adaptive")
"""Extractions whose recall of small components is recorded, for the extraction `adaptive`."""


@dataclass(frozen=True, config=STRICT)
class InferenceComparison:
    """Specification of the comparison of an extraction with others, for a trained model.

    Attributes:
        training: specification of the model's training.
        extraction: name of the extraction in `ossnet.inference.extraction.EXTRACTORS`.
        max_locations: maximal number of locations per pass of the extraction.
        measurement: name of this kind of scoring.
        schema_version: version of this specification.
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
        """Make the specification of a point of a study on a data set.

        Raises:
            UserError: the data set has no case to score, or the profile has an invalid setting.
        """
        scored_split(dataset)
        training = profile.spec(point.model, dataset, point.seed, point.overrides)
        return cls(training, point.extraction or model_type(point.model).extraction, point.max_locations)

    def split_of(self, dataset: Dataset) -> Split:
        """Return the split whose cases are scored; see `scored_split`."""
        return scored_split(dataset)

    def score(self, model: SegmentationModel, dataset: Dataset, cache: Path, folder: Path) -> Outcome:
        """Compare the extraction on every case of the scored split, and write `per_case.csv`.

        Raises:
            UserError: the data set has no case to score, or an invalid one; or the extraction begins with a
                segmentation that the model's encoder does not predict.
        """
        split, preprocessing = self.split_of(dataset), self.training.preprocessing
        rows = []

        def extract(case: Case) -> tuple[OccupancyField, Grid, Extraction, Tensor]:
            field, grid = field_of_case(model, case, preprocessing)
            extraction = EXTRACTORS[self.extraction](field, grid, self.max_locations)
            return field, grid, extraction, extraction.segmentation.cpu()

        costs = SegmentationCosts(model, extract)
        for name in dataset.splits[split]:
            case = dataset.load(name)
            if case.label is None:
                raise UserError(f"case {name} has no label, so it cannot be scored; add a label or leave the case out")
            field, grid, extraction, segmentation = costs.segment(case)
            label = class_indices(case.label, preprocessing, name)
            nested = preprocessing.regions is not None
            dice = dice_per_class(segmentation, label, field.classes, nested=nested)
            values = {"dice": valid_mean(dice.values())[0]}
            values |= recall_of_lesions(label, segmentation)
            values |= compare_extraction(self.extraction, extraction, field, grid, self.max_locations)
            rows += [(name, quantity, value, QUANTITIES[quantity].unit) for quantity, value in values.items()]
        costs.count_tensors(dataset)
        table = pd.DataFrame(rows, columns=["case", "quantity", "value", "unit"])
        write_text(folder / "per_case.csv", table.to_csv(index=False))
        return Outcome({"protocol": dense_protocol(split)}, costs.timing, costs.peaks)


def compare_extraction(
    name: str, extraction: Extraction, field: OccupancyField, grid: Grid, max_locations: int = 2**14
) -> dict[str, float]:
    """Compare an extraction with other extractions of the same field.

    Args:
        name: name of the extraction in `EXTRACTORS`.
        extraction: the extraction.
        field: the field.
        grid: grid of the segmentations.
        max_locations: maximal number of locations per pass.

    Returns:
        Values by quantity of `ossnet.evaluation.quantities.EXTRACTION_QUANTITIES`: `evaluated_locations`, the number
        of evaluated locations, and with several stages `evaluated_stage1` and so on; `disagreement_X`, the percentage
        of voxels that differ from extraction X (Section 4.3), for the others in `ORIGINALS`, of `dense` for all others
        of the paper, and of `adaptive` for `dense`; of `adaptive` also `small_found_X` for X in `RECALLED`, see
        `recall_of_small`; and of an extraction that begins with the encoder's segmentation `prior_precision` and
        `prior_recall`, see `prior_quality`.
    """
    values = {"evaluated_locations": float(sum(extraction.evaluated))}
    if len(extraction.evaluated) > 1:
        values |= {f"evaluated_stage{stage}": count for stage, count in enumerate(extraction.evaluated, start=1)}
    others = {*ORIGINALS} | {"dense": {*EXTRACTORS} - {"adaptive"}, "adaptive": {"dense"}}.get(name, set())
    if field.prior is None:
        others -= FIRST_STATES.keys()
    segmentations = {name: extraction.segmentation}
    answers = field
    for other in EXTRACTORS:  # `dense` is the first, and has the answers to the others.
        if other in others - {name}:
            segmentations[other] = EXTRACTORS[other](answers, grid, max_locations).segmentation
            values[f"disagreement_{other}"] = disagreement_percent(extraction.segmentation, segmentations[other])
        if other == "dense" and "dense" in segmentations:
            answers = answered_field(field, grid, segmentations["dense"])
    if name == "adaptive":
        dense = segmentations["dense"].cpu()
        values |= {f"small_found_{x}": recall_of_small(dense, segmentations[x].cpu()) for x in RECALLED}
    if name in FIRST_STATES:
        values |= prior_quality(FIRST_STATES[name](field, grid), field, grid, max_locations)
    return values


class AnsweredField(VoxelField):
    """Field of a network that has been evaluated at every voxel: it has its labels there, and its prior.

    It stands in for the network's field in extractions that use labels alone: all but `adaptive`.

    Args:
        field: field of the network.
        labels: class indices [H, W, D] uint8 at the voxels of the field's image.
    """

    def __init__(self, field: OccupancyField, labels: Tensor) -> None:
        occupied = labels if field.classes == 2 else F.one_hot(labels.long(), field.classes).movedim(-1, 0)
        super().__init__(occupied.float())
        self.prior: Any = field.prior


def answered_field(field: OccupancyField, grid: Grid, segmentation: Tensor) -> OccupancyField:
    """Return a field that answers, at the voxels of a grid, from a segmentation [H, W, D] of all of them.

    Voxels of the grid that lie between those of the field's image have no place there: for them, the field itself is
    returned.
    """
    labels = segmentation.new_zeros(field.shape)
    first, *others = (torch.arange(size, device=field.device) for size in grid.shape)
    for index in first:  # In planes, since the locations of a whole volume take 24 times its memory.
        locations = grid.locate(torch.cartesian_prod(index[None], *others))
        if locations.is_floating_point():
            return field
        labels[tuple(locations.T)] = segmentation[index].flatten()
    return AnsweredField(field, labels)


def prior_quality(state: FirstState, field: OccupancyField, grid: Grid, max_locations: int = 2**14) -> dict[str, float]:
    """Return precision and recall of the encoder's segmentation at an extraction's first lattice.

    They compare its occupied points, up-sampled and thresholded, with those of the decoder, evaluated at all points of
    the lattice. Precision is NaN where the prior marks no point as occupied, recall where the decoder occupies none.
    """
    locations = grid.locate(torch.cartesian_prod(*state.axes))
    occupied = labels_of(evaluate(field, locations, max_locations), field.classes) > 0
    marked = state.labels.flatten() > 0
    both = int((marked & occupied).sum())

    def share_of(points: Tensor) -> float:
        count = int(points.sum())
        return both / count if count else float("nan")

    return {"prior_precision": share_of(marked), "prior_recall": share_of(occupied)}
