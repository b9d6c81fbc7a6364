"""Evaluation of a trained model: dense segmentations of whole cases, scored on the cases' own grids.

Departure: the paper scores 2^17 uniform locations of each prepared volume (Section 3.2). That protocol is in
`ossnet.training.validation`.
"""

import numpy as np
import pandas as pd
from torch import Tensor

from ossnet.data.case import Case, Dataset
from ossnet.data.modalities import with_modalities
from ossnet.data.preprocessing import GridMap, Preprocessing, class_indices, grid_map, prepare
from ossnet.errors import UserError
from ossnet.evaluation.metrics import score_case, surface_tolerance_mm
from ossnet.evaluation.quantities import SCORES
from ossnet.field import Grid, OccupancyField
from ossnet.inference.extraction import EXTRACTORS, Extraction, Extractor
from ossnet.model import SegmentationModel
from ossnet.progress import ProgressLine


def extractor(name: str) -> Extractor:
    """Return the extractor of a name.

    Raises:
        UserError: the name is not in `EXTRACTORS`.
    """
    if name not in EXTRACTORS:
        raise UserError(f"unknown extraction {name!r}; choose one of {', '.join(EXTRACTORS)}")
    return EXTRACTORS[name]


def original_grid(mapping: GridMap) -> Grid:
    """Return the grid of a case as it is stored, whose voxels are located in the prepared grid."""

    def locate(indices: Tensor) -> Tensor:
        locations = mapping.to_prepared(indices)
        return locations.round().long() if mapping.keeps_voxels else locations

    return Grid(mapping.original_shape, locate)


def field_of_case(model: SegmentationModel, case: Case, preprocessing: Preprocessing) -> tuple[OccupancyField, Grid]:
    """Prepare a case and return the model's occupancy field of it, with the case's own grid located in that field.

    Raises:
        UserError: the preprocessing refuses the case.
    """
    mapping = grid_map(case.shape, case.affine, preprocessing, case.name)
    prepared = prepare(case, preprocessing)
    field = model.field(model.place(prepared.image))
    return field, original_grid(mapping)


def segment_case(
    model: SegmentationModel,
    case: Case,
    preprocessing: Preprocessing,
    extraction: str = "mise",
    max_locations: int = 2**14,
) -> Extraction:
    """Segment a case as it is stored (not prepared) into class indices on its own grid.

    Raises:
        UserError: the extraction is unknown, or the preprocessing refuses the case.
    """
    extract = extractor(extraction)
    return extract(*field_of_case(model, case, preprocessing), max_locations)


def score_segmentation(
    segmentation: np.ndarray, case: Case, preprocessing: Preprocessing, tolerance_mm: float
) -> pd.DataFrame:
    """Score a segmentation of a labelled case on the case's own grid.

    Args:
        segmentation: class indices [H, W, D].
        case: case as it is stored.
        preprocessing: preprocessing of the model, which defines the classes.
        tolerance_mm: tolerance of the surface Dice.

    Returns:
        A row per quantity of `SCORES`, with columns `case`, `quantity`, `value` and `unit`. A value is the mean over
        the foreground classes in which the quantity is defined.

    Raises:
        UserError: the case has no label.
    """
    if case.label is None:
        raise UserError(f"case {case.name} has no label to score against; add one or leave the case out")
    label = class_indices(case.label, preprocessing, case.name)
    per_class = pd.DataFrame(
        [
            score_case(segmentation == index, label == index, case.spacing_mm, case.voxel_mm3, tolerance_mm)
            for index in range(1, preprocessing.classes)
        ]
    )
    means = per_class.mean()
    return pd.DataFrame(
        [(case.name, name, float(means[name]), quantity.unit) for name, quantity in SCORES.items()],
        columns=["case", "quantity", "value", "unit"],
    )


def evaluate_run(
    model: SegmentationModel,
    preprocessing: Preprocessing,
    modalities: tuple[str, ...],
    dataset: Dataset,
    split: str,
    extraction: str,
    max_locations: int,
    tolerance_mm: float | None = None,
) -> pd.DataFrame:
    """Segment and score each case of a split.

    Args:
        model: trained model, on its device.
        preprocessing: preprocessing that the model was trained with.
        modalities: modalities that the model was trained on, in order.
        dataset: data set of the cases, which may have further modalities.
        split: split of the cases.
        extraction: name of an extraction in `EXTRACTORS`.
        max_locations: maximum number of locations per pass.
        tolerance_mm: tolerance of the surface Dice; None for the `surface_tolerance_mm` of each case.

    Returns:
        The rows of `score_segmentation` for each case, with further columns: `protocol` (`dense`: every voxel of the
        case's own grid), `extraction`, `evaluated` (number of locations), `tolerance_mm` and `spacing_known` (if False,
        values in mm or ml are NaN).

    Raises:
        UserError: the split has no case, or the data set lacks a modality of the model.
    """
    dataset = with_modalities(dataset, modalities)
    if not dataset.splits[split]:
        raise UserError(f"data set {dataset.name} has no case in split {split}; choose another with --split")
    parts = []
    names = dataset.splits[split]
    with ProgressLine(f"evaluating {len(names)} cases", len(names)) as line:
        for done, name in enumerate(names, start=1):
            case = dataset.load(name)
            result = segment_case(model, case, preprocessing, extraction, max_locations)
            tolerance = surface_tolerance_mm(case.spacing_mm) if tolerance_mm is None else tolerance_mm
            rows = score_segmentation(result.segmentation.cpu().numpy(), case, preprocessing, tolerance)
            evaluated = sum(result.evaluated)
            parts.append(
                rows.assign(
                    protocol="dense",
                    extraction=extraction,
                    evaluated=evaluated,
                    tolerance_mm=tolerance,
                    spacing_known=case.spacing_known,
                )
            )
            line.update(done, name)
    return pd.concat(parts, ignore_index=True)
