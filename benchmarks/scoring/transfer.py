"""Scoring of a transfer: segmentations of another data set's cases than those that a model was trained on."""

from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from pydantic import Field
from pydantic.dataclasses import dataclass

from benchmarks.scoring.scoring import Outcome
from benchmarks.study import Point
from ossnet.checks import STRICT
from ossnet.data.case import Case, Dataset
from ossnet.data.preprocessing import Preprocessing, class_indices
from ossnet.data.splits import Split, scored_split
from ossnet.errors import UserError
from ossnet.evaluation.class_scores import OTHER_VALUE, mean_scores
from ossnet.evaluation.evaluation import segment_case
from ossnet.evaluation.metrics import surface_tolerance_mm
from ossnet.files import replacing, write_text
from ossnet.inference.extraction import EXTRACTORS
from ossnet.model import SegmentationModel
from ossnet.registry import model_type
from ossnet.training.profile import Profile
from ossnet.training.run import RunSpec


@dataclass(frozen=True, config=STRICT)
class Transfer:
    """Specification of the scores of a trained model on cases that may be of another data set.

    Attributes:
        training: specification of the model's training.
        dataset: name of the data set of the cases.
        fingerprint: its fingerprint.
        extraction: name of the extraction in `ossnet.inference.extraction.EXTRACTORS`.
        max_locations: maximal number of locations per pass of the extraction.
        measurement: name of this kind of scoring.
        schema_version: version of this specification.
    """

    training: RunSpec
    dataset: str
    fingerprint: str
    extraction: str
    max_locations: int = Field(default=2**14, ge=1)
    measurement: Literal["transfer"] = "transfer"
    schema_version: Literal[1] = 1

    def __post_init__(self) -> None:
        if self.extraction not in EXTRACTORS:
            raise ValueError(f"extraction {self.extraction!r} is none of {', '.join(EXTRACTORS)}")

    @classmethod
    def of(cls, point: Point, profile: Profile, dataset: Dataset) -> "Transfer":
        """Make the specification of a point that is trained on a data set and scored on its `target`.

        Raises:
            UserError: there is no case to score, or the profile has an invalid setting.
        """
        target = point.target or dataset
        scored_split(target if point.target is None else all_to_test(target))
        training = profile.spec(point.model, dataset, point.seed, point.overrides)
        extraction = point.extraction or model_type(point.model).extraction
        return cls(training, target.name, target.fingerprint, extraction, point.max_locations)

    def split_of(self, dataset: Dataset) -> Split:
        """Return the split whose cases are scored; see `scored_split`."""
        return scored_split(dataset)

    def score(self, model: SegmentationModel, dataset: Dataset, cache: Path, folder: Path) -> Outcome:
        """Segment and score every labelled case of the split on its own grid, and go on where an attempt has ended.

        It writes `per_case.csv`, which grows by each case, and `cases/NAME.npz` with the foreground of each
        segmentation, [H, W, D] bool.

        Raises:
            UserError: the cases are not those of the specification, or none has a label.
        """
        if dataset.fingerprint != self.fingerprint:
            raise UserError(f"data set {dataset.name} has changed since this run was planned; start it again")
        path, preprocessing = folder / "per_case.csv", self.training.preprocessing
        parts = [pd.read_csv(path, dtype={"case": str})] if path.exists() else []
        done = {name for part in parts for name in part["case"]}
        without: dict[str, list[str]] = {"label": [], "foreground": [], "spacing": []}
        for name in dataset.splits[self.split_of(dataset)]:
            case = dataset.load(name)
            for what in _lacking(case, preprocessing):
                without[what].append(name)
            if case.label is None or name in done:
                continue
            extraction = segment_case(model, case, preprocessing, self.extraction, self.max_locations)
            classes = extraction.segmentation.cpu().numpy()
            with replacing(folder / "cases" / f"{name}.npz") as temporary:
                np.savez_compressed(temporary, prediction=classes > 0)
            parts.append(mean_scores(classes, case, preprocessing, surface_tolerance_mm(case.spacing_mm)))
            write_text(path, pd.concat(parts).to_csv(index=False))
        if not parts:
            raise UserError(f"data set {dataset.name} has no labelled case, so there is nothing to score")
        result: dict[str, Any] = {"protocol": "dense"}
        return Outcome(result | {f"cases_without_{what}": found for what, found in without.items() if found}, {})


def all_to_test(dataset: Dataset) -> Dataset:
    """Return a data set with all its cases in the split `test`, since a model of other data has seen none of them."""
    return replace(dataset, splits={"train": (), "validation": (), "test": dataset.names})


def _lacking(case: Case, preprocessing: Preprocessing) -> list[str]:
    """Return what a case does not have: `label`, `foreground` or `spacing`."""
    has_foreground = case.label is None or class_indices(case.label, preprocessing, case.name, OTHER_VALUE).any()
    has = {"label": case.label is not None, "foreground": has_foreground, "spacing": case.spacing_known}
    return [what for what, there in has.items() if not there]
