"""The measurement of Tables 1 and 2: segment cases that a model has not learned from, and score them."""

import time
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from pydantic import Field
from pydantic.dataclasses import dataclass

from benchmarks.measurement import Outcome
from benchmarks.study import Point
from ossnet.checks import STRICT
from ossnet.data.case import Case, Dataset
from ossnet.data.preprocessing import Preprocessing, class_indices
from ossnet.errors import UserError
from ossnet.evaluation import score_segmentation, segment_case
from ossnet.extraction import EXTRACTORS
from ossnet.files import replacing, write_text
from ossnet.metrics import disagreement_percent, surface_tolerance_mm
from ossnet.model import SegmentationModel
from ossnet.profile import Profile
from ossnet.registry import model_type
from ossnet.run import RunSpec

DENSE_CASES = 1
"""Cases of each run on which a sparse extraction is held against the evaluation of every voxel."""


@dataclass(frozen=True, config=STRICT)
class Segmentation:
    """What decides a run's scores.

    Attributes:
        training: of the model.
        extraction: how the segmentations are made, a name of `ossnet.extraction.EXTRACTORS`.
        max_locations: locations per pass of an extraction.
    """

    training: RunSpec
    extraction: str
    max_locations: int = Field(default=2**14, ge=1)
    measurement: Literal["segmentation"] = "segmentation"
    schema_version: Literal[1] = 1

    def __post_init__(self) -> None:
        if self.extraction not in EXTRACTORS:
            raise ValueError(f"extraction {self.extraction!r} is none of {', '.join(EXTRACTORS)}")

    @classmethod
    def of(cls, point: Point, profile: Profile, dataset: Dataset) -> "Segmentation":
        scored_split(dataset)
        training = profile.spec(point.model, dataset, point.seed, point.overrides)
        return cls(training, point.extraction or model_type(point.model).extraction, point.max_locations)

    def measure(self, model: SegmentationModel, dataset: Dataset, cache: Path, folder: Path) -> Outcome:
        """Write `per_case.csv`, and `case.npz` with the first case's segmentation.

        Raises:
            UserError: the data set has no case to score, or one that is refused.
        """
        split = scored_split(dataset)
        preprocessing = self.training.preprocessing
        parts, seconds, evaluated = [], [], []
        from_dense: dict[str, float] = {}

        def segment(case: Case, extraction: str) -> tuple[np.ndarray, int]:
            made = segment_case(model, case, preprocessing, extraction, self.max_locations)
            return made.segmentation.cpu().numpy(), sum(made.evaluated)

        for index, name in enumerate(dataset.splits[split]):
            case = dataset.load(name)
            start = time.perf_counter()
            segmentation, locations = segment(case, self.extraction)
            seconds.append(time.perf_counter() - start)
            evaluated.append(locations)
            rows = score_segmentation(segmentation, case, preprocessing, surface_tolerance_mm(case.spacing_mm))
            parts.append(rows)
            if index == 0:
                _write_case(folder / "case.npz", case, segmentation, float(rows["value"].iloc[0]), preprocessing)
            if index < DENSE_CASES and self.extraction != "dense":
                from_dense[name] = disagreement_percent(segmentation, segment(case, "dense")[0])
        write_text(folder / "per_case.csv", pd.concat(parts).to_csv(index=False))
        result: dict[str, Any] = {
            "protocol": "dense" if split == "test" else "dense, validation cases",
            "locations_mean": float(np.mean(evaluated)),
            "disagreement_with_dense_percent": from_dense,
        }
        return Outcome(result, {"extraction_s_median": float(np.median(seconds))})


def scored_split(dataset: Dataset) -> str:
    """Which cases are scored: those of `test`, or of `validation` where there are no others, as in the paper.

    Raises:
        UserError: there are neither.
    """
    for split in ("test", "validation"):
        if dataset.splits[split]:
            return split
    raise UserError(f"data set {dataset.name} has no test and no validation cases, so there is nothing to score")


def _write_case(path: Path, case: Case, segmentation: np.ndarray, dice: float, preprocessing: Preprocessing) -> None:
    assert case.label is not None
    with replacing(path) as temporary:
        np.savez_compressed(
            temporary,
            case=np.array(case.name),
            modality=np.array(case.modalities[0]),
            image=case.image[0],
            label=class_indices(case.label, preprocessing, case.name) > 0,
            prediction=segmentation > 0,
            dice=np.array(dice),
            affine=case.affine,
        )
