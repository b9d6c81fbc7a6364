"""Evaluation of a trained model: dense segmentations of whole cases, scored on the cases' own grids.

Departure: the paper scores 2^17 uniform locations of each prepared volume (Section 3.2). That protocol is in
`ossnet.training.validation`.
"""

from typing import Any

import pandas as pd
from torch import Tensor

from ossnet.data.case import Case, Dataset
from ossnet.data.grid_map import GridMap
from ossnet.data.modalities import with_modalities
from ossnet.data.preprocessing import Preprocessing, grid_map, prepare
from ossnet.errors import UserError
from ossnet.evaluation.class_scores import score_classes, scored_classes
from ossnet.evaluation.kept_scores import KeptScores, score_cases
from ossnet.evaluation.metrics import surface_tolerance_mm
from ossnet.field import Grid, OccupancyField
from ossnet.inference.extraction import EXTRACTORS, Extraction, Extractor
from ossnet.model import SegmentationModel


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


def field_of_case(
    model: SegmentationModel, case: Case, preprocessing: Preprocessing, shape: tuple[int, int, int] | None = None
) -> tuple[OccupancyField, Grid]:
    """Prepare a case and return the model's occupancy field of it, with a grid over the case located in that field.

    Args:
        model: trained model.
        case: case as it is stored.
        preprocessing: preprocessing of the model.
        shape: shape of the grid, along the axes of the stored case and with the same outer faces, see
            `GridMap.resampled`; by default the case's own grid.

    Raises:
        UserError: the preprocessing refuses the case.
    """
    mapping = grid_map(case.shape, case.affine, preprocessing, case.name)
    if shape is not None:
        mapping = mapping.resampled(shape)
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


def evaluate_run(
    model: SegmentationModel,
    preprocessing: Preprocessing,
    modalities: tuple[str, ...],
    dataset: Dataset,
    split: str,
    extraction: str,
    max_locations: int,
    tolerance_mm: float | None = None,
    regions: Any = None,
    kept: KeptScores | None = None,
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
        regions: regions to score, see `ossnet.evaluation.class_scores.scored_classes`; None for the model's classes.
        kept: scores from which an interrupted evaluation continues; None to keep none.

    Returns:
        The rows of `score_classes` for each case, with further columns: `protocol` (`dense`: every voxel of the
        case's own grid), `extraction`, `evaluated` (number of locations), `tolerance_mm` and `spacing_known` (if False,
        values in mm or ml are NaN).

    Raises:
        UserError: the data set lacks a modality of the model, the regions hold other label values than the model, or
            `score_cases` raises it.
    """
    scored = scored_classes(preprocessing, regions)

    def score(case: Case) -> pd.DataFrame:
        result = segment_case(model, case, preprocessing, extraction, max_locations)
        tolerance = surface_tolerance_mm(case.spacing_mm) if tolerance_mm is None else tolerance_mm
        return score_classes(result.segmentation.cpu().numpy(), case, preprocessing, tolerance, scored).assign(
            protocol="dense",
            extraction=extraction,
            evaluated=sum(result.evaluated),
            tolerance_mm=tolerance,
            spacing_known=case.spacing_known,
        )

    return score_cases(with_modalities(dataset, modalities), split, score, "evaluating {} cases", kept)
