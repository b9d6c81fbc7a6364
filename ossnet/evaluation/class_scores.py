"""Scores of a segmentation per class or region, next to their mean."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from pydantic.dataclasses import dataclass

from ossnet.checks import STRICT
from ossnet.config import build
from ossnet.data.case import Case, Dataset
from ossnet.data.preprocessing import Preprocessing, class_indices
from ossnet.data.regions import MEAN, Region, Regions
from ossnet.errors import UserError
from ossnet.evaluation.metrics import score_case
from ossnet.evaluation.quantities import SCORES
from ossnet.progress import ProgressLine

OTHER_VALUE = "the model has no class for it, so correct the label or leave the case out of the split"
"""Remedy for a label value that is none of a trained model's."""

ClassSets = Mapping[str, tuple[int, ...]]
"""Class indices by the name of the class or region that they make up."""


@dataclass(frozen=True, config=STRICT)
class _Scored:
    regions: Regions


def scored_classes(preprocessing: Preprocessing, regions: Any = None) -> ClassSets:
    """Return what is scored of a model's segmentations.

    Args:
        preprocessing: preprocessing of the model, which defines the classes.
        regions: regions to score, as a name in `ossnet.data.regions.NAMED` or a table of label values by name; None for
            the regions that the model has learned, or else each foreground class under its stored label value.

    Raises:
        UserError: the regions are invalid, or hold a label value that is none of the model's.
    """
    values = preprocessing.label_values or tuple(range(preprocessing.classes))
    if regions is None:
        if preprocessing.regions is None:
            return {str(value): (index,) for index, value in enumerate(values) if index}
        return _indices(preprocessing.regions, values)
    if not preprocessing.learned_values:
        raise UserError("--regions: this model joins all label values above 0 to one class; leave the option out")
    if regions == "brats" and 3 in values:
        # Data sets differ in what 1, 2 and 3 are, and in BraTS 2024 a 4 is the cavity of a resection.
        raise UserError(
            "--regions brats: this model has a label value of 3; give brats2023 (1 is the necrotic core, 2 the oedema, "
            "3 the enhancing tumour), brats-msd (1 is the oedema, 2 the core that is not enhancing), or a table of "
            "label values"
        )
    scored = build(_Scored, {"regions": regions}, "--regions").regions
    for name, of_region in scored:
        if unknown := sorted(set(of_region) - set(values[1:])):
            raise UserError(
                f"--regions: region {name!r} holds the label value {unknown[0]}, but this model has the values "
                f"{', '.join(map(str, values[1:]))}; give regions of these"
            )
    return _indices(scored, values)


def _indices(regions: tuple[Region, ...], values: tuple[int, ...]) -> ClassSets:
    return {region.name: tuple(values.index(value) for value in region.values) for region in regions}


def refuse_other_values(dataset: Dataset, names: Sequence[str], preprocessing: Preprocessing) -> None:
    """Raise a UserError if the label of one of some cases holds a value that is in no class of a trained model.

    Each case is loaded for it, which takes less time than to find the last of them unusable after the others have been
    scored. A model that joins all values above 0 has a class for each.
    """
    if not preprocessing.learned_values or not names:
        return
    with ProgressLine(f"checking the labels of {len(names)} cases", len(names), report_end=False) as line:
        for done, name in enumerate(names, start=1):
            label = dataset.load(name).label
            if label is not None:
                class_indices(label, preprocessing, name, OTHER_VALUE)
            line.update(done)


def score_classes(
    segmentation: np.ndarray, case: Case, preprocessing: Preprocessing, tolerance_mm: float, scored: ClassSets
) -> pd.DataFrame:
    """Score a segmentation of a labelled case on the case's own grid, per class or region.

    Args:
        segmentation: class indices [H, W, D].
        case: case as it is stored.
        preprocessing: preprocessing of the model, which defines the classes.
        tolerance_mm: tolerance of the surface Dice.
        scored: classes or regions to score, see `scored_classes`.

    Returns:
        A row per class and quantity of `SCORES`, with columns `case`, `class`, `quantity`, `value` and `unit`. The
        class `mean` comes first: its values are means over the classes or regions in which the quantity is defined. The
        others follow if there are several.

    Raises:
        UserError: the case has no label.
    """
    if case.label is None:
        raise UserError(f"case {case.name} has no label to score against; add one or leave the case out")
    label = class_indices(case.label, preprocessing, case.name)
    of_each = {}
    for name, indices in scored.items():
        inside = np.zeros(256, dtype=bool)
        inside[list(indices)] = True
        masks = inside[segmentation], inside[label]
        of_each[name] = score_case(*masks, case.spacing_mm, case.voxel_mm3, tolerance_mm)
    rows = {MEAN: dict(pd.DataFrame(list(of_each.values())).mean())}
    if len(of_each) > 1:
        rows |= of_each
    return pd.DataFrame(
        [
            (case.name, part, name, float(values[name]), quantity.unit)
            for part, values in rows.items()
            for name, quantity in SCORES.items()
        ],
        columns=["case", "class", "quantity", "value", "unit"],
    )


def mean_scores(
    segmentation: np.ndarray, case: Case, preprocessing: Preprocessing, tolerance_mm: float
) -> pd.DataFrame:
    """Return the rows of `score_classes` that are means over the classes or regions of the model, without `class`."""
    scores = score_classes(segmentation, case, preprocessing, tolerance_mm, scored_classes(preprocessing))
    return scores[scores["class"] == MEAN].drop(columns="class")


def describe(scores: pd.DataFrame) -> str:
    """Return a table of scores, with a row per case and, where there are several, class, and the means over the cases.

    Args:
        scores: rows of `score_classes` for several cases.
    """
    classes = list(dict.fromkeys(scores["class"]))
    table = scores.pivot(index=["case", "class"], columns="quantity", values="value")
    table = table.reindex(classes, level="class")
    shown = table if len(classes) > 1 else table.droplevel("class")
    lines = [shown.round(4).to_string()]
    for name in classes:
        of_class = "" if name == MEAN else f" of {name}"
        for quantity, values in table.xs(name, level="class").items():
            lines.append(f"mean {quantity}{of_class}: {values.mean():.4f} over {values.count()} of {len(values)} cases")
    return "\n".join(lines)
