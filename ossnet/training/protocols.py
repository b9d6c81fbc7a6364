"""Scores of a trained model at sampled locations, as the paper and its released code validate."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import pandas as pd
import torch
from torch import Tensor

from ossnet.data.case import Case, Dataset
from ossnet.data.paper_datasets import PAPER_DATASETS, is_of_paper
from ossnet.data.prepared import PreparedCase
from ossnet.data.preprocessing import Preprocessing, prepare
from ossnet.data.regions import MEAN
from ossnet.errors import UserError
from ossnet.evaluation.class_scores import scored_classes
from ossnet.evaluation.kept_scores import KeptScores, score_cases
from ossnet.field import OccupancyField
from ossnet.model import SegmentationModel
from ossnet.network.released import with_released_inference
from ossnet.training.validation import Validation, mean_overlap, overlap_of_field

RELEASED_LITS_BORDER_SHARE = 0.4
"""Share of border locations among those that the released code draws from each volume of LiTS."""

RELEASED_LITS_FRACTION = 8
"""Divisor of the number of locations on LiTS, where the released code draws 2^14, an eighth of the paper's 2^17."""


def sampled_protocol(name: Literal["paper", "released"], dataset: str, locations: int = 2**17) -> Validation:
    """Return a sampled protocol as it is for a data set.

    Args:
        name: name of the protocol.
        dataset: name of the data set in results. For LiTS and its stand-in, `released` draws fewer locations and a
            share of them from the border; for all others it is the protocol of BraTS.
        locations: number of locations per volume; the paper's by default.
    """
    if name == "released" and PAPER_DATASETS.get(dataset, dataset) == "lits":
        return Validation(name, max(1, locations // RELEASED_LITS_FRACTION), RELEASED_LITS_BORDER_SHARE)
    return Validation(name, locations)


def dataset_of_protocol(trained_on: str, scored: str) -> str | None:
    """Return the data set whose protocol `released` a run is scored by; None if neither is one of the paper.

    It is that of the training, since LiTS can have any name as a table or in another layout, and else the scored one.

    Args:
        trained_on: name in results of the data set that the run was trained on.
        scored: name in results of the data set that it is scored on.
    """
    return next(filter(is_of_paper, (trained_on, scored)), None)


def score_sampled(
    field: OccupancyField, case: PreparedCase, protocols: Sequence[Validation], max_locations: int = 2**14
) -> pd.DataFrame:
    """Score the field of a case by each protocol.

    Args:
        field: field of the case's image.
        case: the case.
        protocols: sampled protocols.
        max_locations: maximal number of locations per pass.

    Returns:
        Rows of `protocol`, `case`, `quantity` (`dice`, `iou`) and `value`, the mean over the classes or regions.
    """
    return _score(field, case, protocols, (), max_locations).drop(columns="class")


def score_case_sampled(
    model: SegmentationModel,
    case: Case,
    preprocessing: Preprocessing,
    protocols: Sequence[Validation],
    max_locations: int = 2**14,
) -> pd.DataFrame:
    """Prepare a case and score a model on it by each protocol.

    By the protocol `released`, the model infers as the released code does, see `with_released_inference`, and labels
    are resized as there; by `paper`, labels are resized by the centres of voxels, see `Preprocessing.label_resizing`.

    Args:
        model: trained model, on its device.
        case: labelled case as it is stored.
        preprocessing: preprocessing of the model.
        protocols: sampled protocols.
        max_locations: maximal number of locations per pass.

    Returns:
        Rows of `protocol`, `case`, `quantity` (`dice`, `iou`), `value`, `class`, `unit`, `evaluated` (the number of
        locations) and `spacing_known`. The class `mean` comes first: its values are means over the classes or regions
        in which the quantity is defined. The others follow if there are several, under their names in dense scores
        (`ossnet.evaluation.class_scores.scored_classes`).

    Raises:
        UserError: the case has no label, or the preprocessing refuses it.
    """
    parts, kept = [], dict[Preprocessing, tuple[PreparedCase, Tensor]]()
    classes = tuple(scored_classes(preprocessing))
    for protocol in protocols:
        released = protocol.protocol == "released"
        used = with_released_inference(model) if released else model
        preparation = preprocessing
        if preprocessing.fit == "resize":
            preparation = replace(preprocessing, label_resizing="nearest" if released else "nearest-exact")
        if preparation not in kept:
            prepared = _prepared(case, preparation)
            kept[preparation] = prepared, model.place(prepared.image)
        prepared, image = kept[preparation]
        rows = _score(used.field(image), prepared, [protocol], classes, max_locations)
        parts.append(rows.assign(unit="", evaluated=protocol.locations, spacing_known=case.spacing_known))
    return pd.concat(parts, ignore_index=True)


def evaluate_sampled(
    model: SegmentationModel,
    preprocessing: Preprocessing,
    dataset: Dataset,
    split: str,
    protocols: Sequence[Validation],
    max_locations: int,
    kept: KeptScores | None = None,
) -> pd.DataFrame:
    """Return the rows of `score_case_sampled` for each case of a split, and show the progress.

    Args:
        model: trained model, on its device.
        preprocessing: preprocessing of the model.
        dataset: data set of the cases.
        split: split of the cases.
        protocols: sampled protocols.
        max_locations: maximal number of locations per pass.
        kept: scores from which an interrupted evaluation continues; None to keep none.

    Raises:
        UserError: as by `score_case_sampled` and `score_cases`.
    """

    def score(case: Case) -> pd.DataFrame:
        return score_case_sampled(model, case, preprocessing, protocols, max_locations)

    return score_cases(dataset, split, score, "scoring {} cases at sampled locations", kept)


def _score(
    field: OccupancyField,
    case: PreparedCase,
    protocols: Sequence[Validation],
    classes: Sequence[str],
    max_locations: int,
) -> pd.DataFrame:
    """Return rows of `protocol`, `case`, `quantity`, `value` and `class`: the mean, and then each of several classes.

    Args:
        field: field of the case's image.
        case: the case.
        protocols: sampled protocols.
        classes: names of the foreground classes or nested regions, in order; none for the mean alone.
        max_locations: maximal number of locations per pass.
    """
    rows = []
    for protocol in protocols:
        overlap = overlap_of_field(field, case, protocol, max_locations)
        scores = {MEAN: mean_overlap(overlap)}
        if len(classes) > 1:
            scores |= {
                name: {quantity: values[index] for quantity, values in overlap.items()}
                for index, name in enumerate(classes, start=1)
            }
        rows += [
            (protocol.protocol, case.name, quantity, value, name)
            for name, of_class in scores.items()
            for quantity, value in of_class.items()
        ]
    return pd.DataFrame(rows, columns=["protocol", "case", "quantity", "value", "class"])


def _prepared(case: Case, preprocessing: Preprocessing) -> PreparedCase:
    prepared = prepare(case, preprocessing)
    if prepared.label is None:
        raise UserError(f"case {case.name} has no label to score against; add one or leave the case out")
    return PreparedCase(
        case.name,
        torch.from_numpy(prepared.image),
        torch.from_numpy(prepared.label),
        None,
        prepared.affine,
        prepared.spacing_mm,
    )
