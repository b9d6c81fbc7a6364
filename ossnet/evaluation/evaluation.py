"""What a trained model is worth: dense segmentations of whole cases, scored on the cases' own grids."""

import numpy as np
import pandas as pd
from torch import Tensor

from ossnet.data.case import Case, Dataset
from ossnet.data.preprocessing import GridMap, Preprocessing, class_indices, grid_map, prepare
from ossnet.errors import UserError
from ossnet.evaluation.metrics import score_case, surface_tolerance_mm
from ossnet.evaluation.quantities import SCORES
from ossnet.field import Grid, OccupancyField
from ossnet.inference.extraction import EXTRACTORS, Extraction, Extractor
from ossnet.model import SegmentationModel, as_tensor
from ossnet.progress import ProgressLine


def extractor(name: str) -> Extractor:
    """Raises UserError for a name that is not in `EXTRACTORS`."""
    if name not in EXTRACTORS:
        raise UserError(f"unknown extraction {name!r}; choose one of {', '.join(EXTRACTORS)}")
    return EXTRACTORS[name]


def original_grid(moves: GridMap) -> Grid:
    """The grid of a case as it is stored, located in the prepared one."""

    def locate(indices: Tensor) -> Tensor:
        locations = moves.to_prepared(indices)
        return locations.round().long() if moves.keeps_voxels else locations

    return Grid(moves.original_shape, locate)


def field_of_case(model: SegmentationModel, case: Case, preprocessing: Preprocessing) -> tuple[OccupancyField, Grid]:
    """What a model makes of a case as it is stored, once that is prepared; and the case's own grid, located there.

    Raises:
        UserError: a case that the preprocessing refuses.
    """
    moves = grid_map(case.shape, case.affine, preprocessing, case.name)
    prepared = prepare(case, preprocessing)
    field = model.field(as_tensor(prepared.image, next(model.parameters()).device))
    return field, original_grid(moves)


def segment_case(
    model: SegmentationModel,
    case: Case,
    preprocessing: Preprocessing,
    extraction: str = "mise",
    max_locations: int = 2**14,
) -> Extraction:
    """The segmentation of a case as it is stored (not prepared), on its own grid, of class indices.

    Raises:
        UserError: unknown extraction, or a case that the preprocessing refuses.
    """
    extract = extractor(extraction)
    return extract(*field_of_case(model, case, preprocessing), max_locations)


def score_segmentation(
    segmentation: np.ndarray, case: Case, preprocessing: Preprocessing, tolerance_mm: float
) -> pd.DataFrame:
    """Rows of `case`, `quantity`, `value`, `unit`: a segmentation of a labelled case on its own grid, scored.

    All of `SCORES`, each the mean over the foreground classes in which it is defined.

    Args:
        tolerance_mm: of the surface Dice.

    Raises:
        UserError: the case has no label.
    """
    if case.label is None:
        raise UserError(f"case {case.name} has no label to be scored against; give it one or leave it out")
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


def require_modalities(dataset: str, modalities: tuple[str, ...], trained_on: tuple[str, ...]) -> None:
    """Raises UserError where a data set's modalities are not those that a model was trained on, in their order."""
    if modalities != trained_on:
        raise UserError(
            f"data set {dataset} has modalities {', '.join(modalities)}; "
            f"the model was trained on {', '.join(trained_on)}"
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
    """The rows of `score_segmentation` for each case of a split, and how they came about.

    Columns besides: `protocol` (dense: every voxel of the case's own grid), `extraction`, `evaluated` (locations),
    `tolerance_mm`, and `spacing_known`; where that is False, what rests on mm or ml is NaN.

    Args:
        tolerance_mm: of the surface Dice; None for `surface_tolerance_mm` of each case.

    Raises:
        UserError: the split has no case, or its modalities are not those that the model was trained on.
    """
    require_modalities(dataset.name, dataset.modalities, modalities)
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
