"""Validation of a model on prepared cases, during training and after it, by a named protocol (Section 3.2)."""

import zlib
from collections.abc import Iterable
from typing import Literal

import torch
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor

from ossnet.checks import STRICT
from ossnet.data.prepared import PreparedCase
from ossnet.evaluation.metrics import dice_per_class, iou_per_class, valid_mean
from ossnet.field import OccupancyField, evaluate, labels_of
from ossnet.model import SegmentationModel
from ossnet.nested import is_nested
from ossnet.sampling import Sampling, border_voxels, draw_locations

ProtocolName = Literal["paper", "released", "dense"]

Overlap = dict[str, dict[int, float]]
"""Scores by quantity (`dice`, `iou`) and by the index of the foreground class or nested region, from 1."""


@dataclass(frozen=True, config=STRICT)
class Validation:
    """Protocol and interval of the validation; the defaults are the paper's protocol and the released code's interval.

    Attributes:
        protocol: `paper`: locations drawn uniformly from each volume; `released`: locations drawn as in the released
            code, a share of `border_share` from the border; `dense`: every voxel of the prepared grid.
        locations: number of locations per volume in the sampled protocols.
        border_share: share of the locations of `released` that is drawn from the border. The released code uses 0 for
            BraTS and 0.4 for LiTS; scores with a share above 0 are lower than those of whole volumes.
        every: number of epochs between two validations; the last epoch is always validated.
    """

    protocol: ProtocolName = "paper"
    locations: int = Field(default=2**17, ge=1)
    border_share: float = Field(default=0.0, ge=0, le=1)
    every: int = Field(default=5, ge=1)

    def __post_init__(self) -> None:
        if self.border_share > 0 and self.protocol != "released":
            raise ValueError("border_share is for the released protocol only; set protocol = released with it")


@torch.no_grad()
def score(
    model: SegmentationModel,
    cases: Iterable[PreparedCase],
    classes: int,
    validation: Validation,
    nested: bool = False,
) -> dict[str, dict[str, float]]:
    """Score a model on cases and return their Dice and IoU by case name and quantity.

    Scores are means over the foreground classes, or with `nested` over the regions that they make up, in which they are
    defined.
    """
    model.eval()
    scores = {}
    for case in cases:
        image = case.image.contiguous()
        if validation.protocol == "dense":
            overlap = _overlap(model.segment(image), case.label, classes, nested)
        else:
            overlap = overlap_of_field(model.field(model.place(image)), case, validation)
        scores[case.name] = mean_overlap(overlap)
    return scores


@torch.no_grad()
def overlap_of_field(
    field: OccupancyField, case: PreparedCase, validation: Validation, max_locations: int = 2**14
) -> Overlap:
    """Return the Dice and the IoU of a case's field by a sampled protocol, of each class or nested region.

    The locations depend on the name of the case alone, so that they are the same for every model and epoch.

    Args:
        field: field of the case's image.
        case: the case.
        validation: protocol `paper` or `released`.
        max_locations: maximal number of locations per pass.
    """
    sampling = Sampling(
        strategy="border" if validation.border_share else "uniform",
        count=validation.locations,
        border_share=validation.border_share,
        protocol="released" if validation.protocol == "released" else "paper",
    )
    border = torch.from_numpy(border_voxels(case.label.numpy(), sampling)) if validation.border_share else None
    generator = torch.Generator().manual_seed(zlib.crc32(case.name.encode()))
    locations = draw_locations(sampling, case.shape, border, generator)
    probabilities = evaluate(field, locations.to(field.device), max_locations)
    nested = is_nested(probabilities, field.classes)
    return _overlap(labels_of(probabilities, field.classes), case.label[tuple(locations.T)], field.classes, nested)


def mean_overlap(overlap: Overlap) -> dict[str, float]:
    """Return the mean of each quantity over the classes or regions in which it is defined, NaN without any."""
    return {quantity: valid_mean(values.values())[0] for quantity, values in overlap.items()}


def _overlap(prediction: Tensor, label: Tensor, classes: int, nested: bool) -> Overlap:
    prediction = prediction.cpu()
    return {
        "dice": dice_per_class(prediction, label, classes, nested=nested),
        "iou": iou_per_class(prediction, label, classes, nested=nested),
    }
